"""What may be done with a visit, by operationId, and by whom."""

from typing import Final

from app.access.acts import Act, Condition, own, personally
from app.core.problems import Problem
from app.unresolved.models import UnresolvedKind
from app.unresolved.rules import OWNERS
from app.visits.area import READ, WRITE


class FindingStays(Problem, status=409):
    """One call of whoever has the remit, or a machine, would bury a child's distress."""

    title = "An abnormal finding is taken away by two people: propose it, with a reason"
    title_zh = "异常情况的撤销须由两人办理:请说明理由并提议"


class NotYourVisit(Problem, status=403, denies=True):
    """Whoever was not there does not say that it was otherwise."""

    title = "The visitor's own office proposes this"
    title_zh = "须由走访人所在单位提议"


class NotYoursToConfirm(Problem, status=403, denies=True):
    """Of another post than the visitor's: who owns the questions about visits of the place."""

    title = "The supervisor or the civil affairs of the place confirm this"
    title_zh = "须由当地督导员或民政部门确认"


class NothingAbnormal(Problem, status=409):
    """There is no abnormal finding to take away."""

    title = "This visit found nothing abnormal; correct it"
    title_zh = "该走访未发现异常情况;请直接更正"


class NothingProposed(Problem, status=409):
    """Nobody proposed it, or it was confirmed, or a correction withdrew it."""

    title = "Nobody proposes to take a finding of this visit away"
    title_zh = "没有待确认的撤销提议"


class SecondPersonConfirms(Problem, status=409):
    """Not the one who proposed it."""

    title = "You proposed this; a second person confirms it"
    title_zh = "您已提议撤销;须由另一人确认"


_PERSON: Final = personally("version")
_OFFICE: Final = Condition(
    ("version",),
    lambda principal, _: UnresolvedKind.visit in OWNERS.get(principal.role.code, ()),
    lambda _, owns: bool(owns),
    "({0} IS NOT NULL AND {wanted}::boolean)",
    lambda *_: NotYoursToConfirm(),
)
_PROPOSED: Final = Condition(
    ("withdrawal_by", "withdrawal_confirmed_by"),
    lambda *_: None,
    lambda proposed, confirmed, _: proposed is not None and confirmed is None,
    "({0} IS NOT NULL AND {1} IS NULL AND {wanted}::text IS NULL)",
    lambda *_: NothingProposed(),
)
_SECOND: Final = Condition(
    ("withdrawal_by",),
    lambda principal, _: principal.subject,
    lambda proposed, subject: proposed != subject,
    "({0} IS DISTINCT FROM {wanted}::text)",
    lambda *_: SecondPersonConfirms(),
)
_ABNORMAL: Final = Condition(
    ("abnormal",),
    lambda *_: True,
    lambda abnormal, wanted: abnormal is wanted,
    "({0} AND {wanted}::boolean)",
    lambda *_: NothingAbnormal(),
)

ACTS: Final = {
    "correctVisit": Act(WRITE.code),
    "proposeWithdrawal": Act(WRITE.code, (own("agency_id", NotYourVisit), _PERSON, _ABNORMAL)),
    "confirmWithdrawal": Act(WRITE.code, (_OFFICE, _PERSON, _PROPOSED, _SECOND)),
    "listVisitVersions": Act(READ.code),
}
