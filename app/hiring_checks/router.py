"""Checks of staff near children, over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query

from app.access.acts import Act, another_person, asked, permitted, stands
from app.access.deps import named_in_path, needs
from app.access.guards import POWER_TAKEN
from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.problems import FieldError, Problem, documented
from app.hiring_checks import operations, queries, schemas
from app.hiring_checks.area import AREA, READ, WRITE
from app.hiring_checks.models import CheckResult

router = routing.v1(AREA.tag)
Reads = Annotated[Principal, needs(READ)]
Records = Annotated[Principal, needs(WRITE)]
RecordsFindings = Annotated[Principal, needs(WRITE, review=POWER_TAKEN)]


class HiringCheckNotFound(Problem, status=404, denies=True):
    """There is no such check, or not of a person of the caller's."""

    title = "No such check"
    title_zh = "没有这项入职查询"


class PersonNotYours(Problem, status=422):
    """Who employs somebody has them checked, or who oversees that."""

    title = "Nobody of this id works for you, or for whom you oversee"
    title_zh = "该人员不属于本机构或您所管的机构"
    errors = (FieldError("#/staff_id", "staff_unknown", "Not of your agency, nor overseen."),)


class OwnCheck(Problem, status=403, denies=True):
    """Nobody says of themselves that they are clear, and no system of anybody."""

    title = "Another person records this, by name"
    title_zh = "入职查询及其结果须由本人以外的人员登记"


class AnsweredAlready(Problem, status=409):
    """What was answered stands; another question gets another answer."""

    title = "This check was answered; ask anew"
    title_zh = "该项查询已有结果;如需更新请重新查询"


_OPEN: Final = (
    another_person("staff_id", OwnCheck),
    stands(lambda *_: [CheckResult.asked], lambda *_: AnsweredAlready(), "result"),
)
_ACTS: Final[Mapping[str, Act]] = {
    "answerHiringCheck": Act(WRITE.code, _OPEN),
    "recordNotClear": Act(WRITE.code, _OPEN),
}
CheckInPath = Annotated[
    Any, named_in_path("check_id", "The check's id.", queries.find, HiringCheckNotFound)
]


def _shown(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> schemas.HiringCheck:
    return schemas.HiringCheck(**row, permitted=permitted(_ACTS, principal, row, tx.today))


@router.get("/hiring-checks")
async def list_hiring_checks(
    principal: Reads,
    tx: ReadTransaction,
    window: Paged,
    staff_id: Annotated[UUID | None, Query(description="Only of this person.")] = None,
    result: Annotated[CheckResult | None, Query(description="Only with this result.")] = None,
    act: Annotated[Act | None, asked(_ACTS)] = None,
) -> Shown[Page[schemas.HiringCheck]]:
    """List checks of the people of your agency and of those you oversee, newest first."""
    page = await queries.checks(tx, principal, window, staff_id=staff_id, result=result, act=act)
    return Shown(page.shown(lambda row: _shown(tx, principal, row)))


@router.get("/hiring-checks/{check_id}")
async def read_hiring_check(
    principal: Reads, check: CheckInPath, tx: Transaction
) -> Shown[schemas.HiringCheck]:
    """Read one check."""
    return Shown(_shown(tx, principal, check))


@router.post(
    "/hiring-checks",
    status_code=201,
    responses=documented(OwnCheck, PersonNotYours, operations.OfficeNotAsked, operations.DayNotYet),
)
async def ask_hiring_check(
    principal: Records, new: schemas.HiringCheckCreate, tx: Transaction
) -> Shown[schemas.HiringCheck]:
    """Record that police or procuratorate were asked about somebody (未保法 Art. 62)."""
    Act(WRITE.code, _OPEN[:1]).require(principal, {"staff_id": new.staff_id}, tx.today)
    person = await queries.employed(tx, principal, new.staff_id)
    if person is None:
        raise PersonNotYours
    check = await operations.ask(tx, principal, person, new)
    row = {**check.model_dump(exclude={"created_at"}), "recorded_at": check.created_at}
    return Shown(_shown(tx, principal, row), subject=check.id)


async def _after(tx: Tx, principal: Principal, check: Any) -> schemas.HiringCheck:
    return _shown(tx, principal, await queries.find(tx, principal, check["id"]))


@router.post(
    "/hiring-checks/{check_id}/answer",
    responses=documented(OwnCheck, AnsweredAlready, operations.DayNotYet),
)
async def answer_hiring_check(
    principal: Records, check: CheckInPath, answer: schemas.HiringCheckAnswer, tx: Transaction
) -> Shown[schemas.HiringCheck]:
    """Record that somebody is clear, or that nobody answered, which is not clear."""
    _ACTS["answerHiringCheck"].require(principal, check, tx.today)
    await operations.answer(tx, principal, check, answer, CheckResult(answer.result))
    return Shown(await _after(tx, principal, check))


@router.post(
    "/hiring-checks/{check_id}/finding",
    responses=documented(OwnCheck, AnsweredAlready, operations.DayNotYet),
)
async def record_not_clear(
    principal: RecordsFindings,
    check: CheckInPath,
    finding: schemas.HiringCheckFinding,
    tx: Transaction,
) -> Shown[schemas.HiringCheck]:
    """Record that somebody is not clear, and not why. They leave every post near children today;
    another person reviews that.
    """
    _ACTS["recordNotClear"].require(principal, check, tx.today)
    await operations.answer(tx, principal, check, finding, CheckResult.not_clear)
    about = {"agency_id": check["agency_id"], "agency_region": check["region_code"]}
    return Shown(await _after(tx, principal, check), about=about)


@router.get("/staff-near-children")
async def list_staff_near_children(
    principal: Reads,
    tx: ReadTransaction,
    window: Paged,
    overdue: Annotated[
        bool | None, Query(description="Only those whose check is overdue, or, `false`, not.")
    ] = None,
) -> Shown[Page[schemas.NearChildren]]:
    """List who holds a post near children, and by when they are checked anew."""
    page = await queries.near_children(tx, principal, window, overdue=overdue)
    place = principal.region_code
    return Shown(
        page.shown(lambda row: schemas.NearChildren(**queries.shown(row, place, tx.today)))
    )
