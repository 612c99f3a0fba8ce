"""What may be done about a question, by operationId, and by whom."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from app.access.acts import Act, Condition, personally, stands
from app.access.principal import Principal
from app.agencies.queries import first_serving_in_sql, serving_in_sql
from app.core.problems import Problem
from app.unresolved.area import WRITE
from app.unresolved.models import UnresolvedKind, UnresolvedState
from app.unresolved.rules import ABOVE_SCHOOLS, ANSWERS, OWNERS


class SettledAlready(Problem, status=409):
    """Somebody settled it, or what was missing appeared."""

    title = "This question is settled already; read it again"
    title_zh = "该事项已经处理完毕;请重新读取"


class NotForThisKind(Problem, status=409):
    """Evidence is attached, corrected or dismissed; a referral is answered; whose a report is, is
    said on the report (`identifyChild`); a file is handed over by changing where it lives, or the
    question is dismissed.
    """

    title = "A question of this kind is settled by another operation"
    title_zh = "此类事项应以其他操作处理"


class NotYoursToSettle(Problem, status=403, denies=True):
    """Who sent it may correct it; whose place it is settles it."""

    title = "The office of the place settles this"
    title_zh = "该事项由所在地的主管单位处理"


class NothingPlaced(Problem, status=409):
    """Only what was stored with a child can be taken back from it."""

    title = "Nothing of this was placed with a child"
    title_zh = "该事项没有已归属的内容"


class SecondPersonDismisses(Problem, status=409):
    """What holds an abnormal finding is not dropped by one person alone."""

    title = "You proposed this; a second person of your office or of one above confirms it"
    title_zh = "您已提议注销;须由本单位或上级单位的另一人确认"


class OfficeAnswers(Problem, status=403, denies=True):
    """Where two offices are asked, each answers itself: one above both would answer for both."""

    title = "The office that is asked answers this itself"
    title_zh = "须由被询问的单位自行答复"


class AnsweredForTheOther(Problem, status=409):
    """Two offices agree, not one person of both."""

    title = "You answered for the other office; somebody else answers for this one"
    title_zh = "您已代表另一单位答复;本单位须由他人答复"


def _owned(principal: Principal, on: date) -> list[str]:
    kinds = OWNERS.get(principal.role.code, ())
    who = (principal.agency_id, principal.region_lo, principal.region_hi, principal.role.code)
    return [*map(str, who), *kinds]


def settles(
    kind: str, agency: UUID | None, region: int, above: str | None, owned: Sequence[str]
) -> bool:
    """Tell whether a question is a caller's to settle: what their school sent of its own pupils, or
    what lies in the region whose questions of this kind they own, or are asked next (`above`).
    """
    own_school = kind == UnresolvedKind.attendance and str(agency) == owned[0]
    theirs = kind in owned[4:] or above == owned[3]
    return own_school or (theirs and int(owned[1]) <= region < int(owned[2]))


def above_school(region: str) -> str:
    """Write, in SQL, the role asked after a school whose place is in a column (`ABOVE_SCHOOLS`)."""
    return first_serving_in_sql(ABOVE_SCHOOLS, region)


_OWNER: Final = Condition(
    ("kind", "agency_id", "region_code", "above_school"),
    _owned,
    settles,
    f"(({{0}} = '{UnresolvedKind.attendance}' AND {{1}}::text = ({{wanted}}::text[])[1])"
    f" OR (({{0}} = ANY (({{wanted}}::text[])[5:]) OR ({{0}} = '{UnresolvedKind.attendance}'"
    f" AND {above_school('{2}')} = ({{wanted}}::text[])[4]))"
    " AND {2} >= ({wanted}::text[])[2]::bigint"
    " AND {2} < ({wanted}::text[])[3]::bigint))",
    lambda *_: NotYoursToSettle(),
)
_OPEN: Final = stands(lambda *_: [UnresolvedState.open], lambda *_: SettledAlready())
_EVIDENCE: Final = stands(
    lambda *_: [UnresolvedKind.visit, UnresolvedKind.attendance],
    lambda *_: NotForThisKind(),
    "kind",
)
_DISMISSIBLE: Final = stands(
    lambda *_: [each for each in UnresolvedKind if each not in ANSWERS],
    lambda *_: NotForThisKind(),
    "kind",
)
_ANSWERABLE: Final = stands(lambda *_: [*ANSWERS], lambda *_: NotForThisKind(), "kind")

_PERSON: Final = personally("kind")
_SECOND: Final = Condition(
    ("dismissal_by",),
    lambda principal, _: principal.subject,
    lambda proposed, subject: proposed is None or proposed != subject,
    "({0} IS NULL OR {0} <> {wanted}::text)",
    lambda *_: SecondPersonDismisses(),
)

_PLACED: Final = Condition(
    ("state", "child_id"),
    lambda *_: [UnresolvedState.attached, UnresolvedState.corrected],
    lambda state, child, placed: state in placed and child is not None,
    "({0} = ANY ({wanted}::text[]) AND {1} IS NOT NULL)",
    lambda *_: NothingPlaced(),
)

OFFICE: Final = "civil_affairs"
"""The kind of agency that is asked of two files: of each place the nearest."""

_ASKED: Final = Condition(
    ("region_code", "twin_id", "office_ids"),
    lambda principal, _: principal.agency_id,
    lambda _, twin, offices, own: twin is None or own in offices,
    f"({{1}} IS NULL OR {{wanted}}::uuid = ANY ({serving_in_sql(OFFICE, '{0}')}))",
    lambda *_: OfficeAnswers(),
)
_ANOTHER: Final = Condition(
    ("their_answered_by",),
    lambda principal, _: principal.subject,
    lambda theirs, subject: theirs is None or theirs != subject,
    "({0} IS NULL OR {0} <> {wanted}::text)",
    lambda *_: AnsweredForTheOther(),
)

ACTS: Final[Mapping[str, Act]] = {
    "attachUnresolved": Act(WRITE.code, (_EVIDENCE, _OWNER, _PERSON, _OPEN)),
    "correctUnresolved": Act(WRITE.code, (_EVIDENCE, _PERSON, _OPEN)),
    "takeBackUnresolved": Act(WRITE.code, (_EVIDENCE, _OWNER, _PERSON, _PLACED)),
    "dismissUnresolved": Act(WRITE.code, (_DISMISSIBLE, _OWNER, _PERSON, _OPEN, _SECOND)),
    "answerUnresolved": Act(WRITE.code, (_ANSWERABLE, _OWNER, _PERSON, _ASKED, _OPEN, _ANOTHER)),
}


def may_settle(principal: Principal, row: Mapping[str, Any], on: date) -> bool:
    """Tell whether the files a question names are the caller's to know of."""
    return _OWNER.holds(principal, row, on)
