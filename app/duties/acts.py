"""What may be done with a duty, by operationId."""

import operator
from collections.abc import Mapping
from typing import Final

from app.access.acts import Act, Condition, another_person, given, personally, unset
from app.core.problems import Problem
from app.duties.area import WAIVE
from app.duties.rulebook import waivable_by


class NotWaivable(Problem, status=409):
    """Nobody, or nobody of the caller's role, may say that this need not be done."""

    title = "This duty is not waived, or not by your role"
    title_zh = "该职责不得免予履行,或您的岗位无权决定"


class OwnDuty(Problem, status=403, denies=True):
    """Who owes something does not waive it."""

    title = "Who owes a duty does not waive it"
    title_zh = "负有该职责的人不得决定自己免予履行"


class NothingOwed(Problem, status=409):
    """It is done, was not done in time, or nobody owes it any more: what is late stays late."""

    title = "It is done, or late, or nobody owes it any more"
    title_zh = "该职责已履行、已逾期,或已无人承担"


class WaiverNotProposed(Problem, status=409):
    """Nobody has said yet that this need not be done."""

    title = "Nobody proposed to waive this"
    title_zh = "尚无人提出免予履行该职责"


class WaiverProposed(Problem, status=409):
    """Somebody has said already that this need not be done, and another is to agree."""

    title = "To waive this was proposed already"
    title_zh = "免予履行该职责已有人提出,等待批准"


class ProposedByYou(Problem, status=403, denies=True):
    """Another person approves what one proposed."""

    title = "Another person has to approve"
    title_zh = "须由另一人批准"


_WAIVABLE = Condition(
    ("rule",),
    lambda principal, _: waivable_by(principal.role.code),
    lambda found, wanted: found in wanted,
    "{0} = ANY ({wanted}::text[])",
    lambda *_: NotWaivable(),
)
_OWED = Condition(
    ("stands",),
    lambda *_: ["open"],
    lambda found, wanted: found in wanted,
    "d.state = ANY ({wanted}::text[])",  # in time besides: the list knows the instant
    lambda *_: NothingOwed(),
)
_NOT_OWN = Condition(
    ("bearer_role",),
    lambda principal, _: principal.role.code,
    operator.ne,
    "{0} <> {wanted}",
    lambda *_: OwnDuty(),
)
_PROPOSED = given("waiver_at", WaiverNotProposed)
_ANOTHER_PERSON = another_person("waiver_staff_id", ProposedByYou)
_BY_ONE = (_WAIVABLE, _OWED, personally("id"), _NOT_OWN)

ACTS: Final[Mapping[str, Act]] = {
    "proposeWaiver": Act(WAIVE.code, (*_BY_ONE, unset("waiver_at", WaiverProposed))),
    "approveWaiver": Act(WAIVE.code, (*_BY_ONE, _PROPOSED, _ANOTHER_PERSON)),
    "withdrawWaiver": Act(WAIVE.code, (*_BY_ONE, _PROPOSED)),
}
