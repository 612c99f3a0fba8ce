"""What may be done with an alert, by operationId, and by whom: school or addressee."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, get_args

from app.access.acts import Act, Condition, among, own, personally, stands
from app.access.principal import Principal
from app.core.problems import FieldError, Problem
from app.dropout_alerts import rules
from app.dropout_alerts.models import Addressee
from app.policy import queries as policy


class TransitionNotAllowed(Problem, status=409):
    """The alert does not stand where this step may be taken."""

    title = "The alert's state does not admit this step"
    title_zh = "预警当前状态不允许此操作"


class AddresseeMissing(Problem, status=409):
    """None of the agencies is registered that the written report must go to (EDU-05)."""

    title = "No addressee of the written report is registered"
    title_zh = "书面报告的收件单位均未登记"


class NotOfYourSchool(Problem, status=403, denies=True):
    """Only the school that keeps the alert takes this step."""

    title = "The alert is kept by another school"
    title_zh = "该预警由其他学校负责"


class NothingDoubted(Problem, status=409):
    """There is no doubt to settle."""

    title = "The alert is not in doubt"
    title_zh = "该预警没有待核实的疑点"


class NotAddressed(Problem, status=403, denies=True):
    """Only an addressee of the written report takes this step (EDU-07)."""

    title = "The written report was not addressed to your agency"
    title_zh = "书面报告的收件单位不是贵单位"


_escalate_when: Final = policy.lookup("dropout.escalate_when")


def report_at_once(region_code: int, on: date) -> bool:
    """Tell whether a school writes without waiting for persuasion to fail (EDU-06)."""
    return bool(_escalate_when(region_code, on) == "at_once")


def _states(action: rules.Action, principal: Principal, on: date) -> Sequence[str]:
    at_once = report_at_once(principal.region_code, on)
    return [*rules.admitting(action, report_at_once=at_once)]


def _not_from(principal: Principal, row: Mapping[str, Any], on: date) -> Problem:
    at_once = report_at_once(principal.region_code, on)
    admitted = rules.allowed_actions(row["state"], report_at_once=at_once)
    return TransitionNotAllowed(
        f"The alert is {row['state']}; it admits: {', '.join(admitted) or 'nothing more'}.",
        children=[row["child_id"]],
    )


def _admits(action: rules.Action) -> Condition:
    return stands(partial(_states, action), _not_from)


def _unaddressed(principal: Principal, row: Mapping[str, Any], on: date) -> Problem:
    missing = [kind for kind in get_args(Addressee) if kind not in row["addressees"]]
    return AddresseeMissing(
        errors=[FieldError("#", f"{kind}_missing", "No such agency there.") for kind in missing],
        children=[row["child_id"]],
    )


_REACHES = Condition(
    ("addressees",),
    lambda *_: [*get_args(Addressee)],
    lambda found, wanted: bool(found.keys() & {*wanted}),
    "{0} ?| {wanted}::text[]",
    _unaddressed,
)
"""Hold if one of them can be written to: it learns of the child, also while another is missing."""
_KEPT = own("school_id", NotOfYourSchool)
_IN_PERSON = personally("id")
_DOUBTED = Condition(
    ("doubt",),
    lambda *_: True,
    lambda found, _: found is not None,
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda _, row, __: NothingDoubted(children=[row["child_id"]]),
)
_OPEN = stands(lambda *_: rules.OPEN, _not_from)
_ADDRESSED = among("addressed", NotAddressed)

ACTS: Final[Mapping[str, Act]] = {
    "recordPersuasion": Act("dropout_alerts:write", (_KEPT, _admits("record_persuasion"))),
    "sendWrittenReport": Act(
        "dropout_alerts:write", (_KEPT, _admits("send_written_report"), _REACHES)
    ),
    "acknowledgeWrittenReport": Act("dropout_alerts:decide", (_ADDRESSED, _admits("acknowledge"))),
    "orderMeasure": Act("dropout_alerts:decide", (_ADDRESSED, _admits("order_measure"))),
    "recordReturn": Act("dropout_alerts:write", (_KEPT, _IN_PERSON, _admits("record_return"))),
    "enterInRegister": Act("dropout_alerts:write", (_KEPT, _OPEN)),
    "recordParentContact": Act("dropout_alerts:write", (_KEPT, _OPEN)),
    "settleDoubt": Act("dropout_alerts:write", (_KEPT, _IN_PERSON, _OPEN, _DOUBTED)),
}
