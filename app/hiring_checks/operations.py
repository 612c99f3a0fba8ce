"""Record that somebody was checked; keep from children who is not clear."""

from typing import Any, Final
from uuid import UUID

from app.access import queries as access
from app.access.principal import Principal
from app.agencies import operations as agencies
from app.agencies import queries as offices
from app.core.data.db import Tx
from app.core.problems import FieldError, Problem
from app.hiring_checks import queries, schemas
from app.hiring_checks.models import CheckResult, HiringCheck
from app.hiring_checks.rules import ASKED
from app.policy import queries as policy

_needed: Final = policy.lookup("hiring_checks.before_a_post")
_ends: Final = policy.lookup("hiring_checks.not_clear")


class OfficeNotAsked(Problem, status=422):
    """Police and procuratorate answer, and nobody else (未保法 Art. 62)."""

    title = "Police or a procuratorate answer this"
    title_zh = "入职查询由公安机关或人民检察院答复"
    errors = (FieldError("#/office_id", "not_police_nor_procuratorate", "Name one of theirs."),)


class DayNotYet(Problem, status=422):
    """Nobody was asked or answered on a day that has not come, nor before they were asked."""

    title = "The day has not come, or lies before the question"
    title_zh = "日期晚于今天,或早于查询日期"


class CheckNeeded(Problem, status=409):
    """Nobody takes a post near children who is not known to be clear (未保法 Art. 62). It says not
    why: who may read checks reads it there.
    """

    title = "This post is near children: the person must be checked, and clear, first"
    title_zh = "该岗位密切接触未成年人:须先完成入职查询且结果为无违法犯罪记录"


async def ask(
    tx: Tx, principal: Principal, person: Any, new: schemas.HiringCheckCreate
) -> HiringCheck:
    """Write down that police or procuratorate were asked about a person. Raises OfficeNotAsked,
    DayNotYet.
    """
    office = await offices.find(tx, new.office_id)
    if office is None or not office.active or office.kind not in ASKED:
        raise OfficeNotAsked
    if new.asked_on > tx.today:
        raise DayNotYet.at("#/asked_on", "date_in_future", "The day has not come.")
    return await tx.add(
        HiringCheck(
            staff_id=person["id"],
            agency_id=person["agency_id"],
            region_code=person["region_code"],
            office_id=office.id,
            asked_on=new.asked_on,
            asked_by=principal.staff_id,
            created_at=tx.now,
        )
    )


_ANSWER: Final = """
UPDATE hiring_checks SET result = $2, answered_on = $3, recorded_by = $4 WHERE id = $1
"""


async def answer(
    tx: Tx,
    principal: Principal,
    check: Any,
    said: schemas.HiringCheckAnswer | schemas.HiringCheckFinding,
    result: CheckResult,
) -> None:
    """Write down what came of a check. Who is not clear leaves, today, every post near children
    that they hold, where the policy says so. Raises DayNotYet.
    """
    if not check["asked_on"] <= said.answered_on <= tx.today:
        raise DayNotYet.at("#/answered_on", "date_out_of_order", "From `asked_on` to today.")
    await tx.connection.execute(_ANSWER, check["id"], result, said.answered_on, principal.staff_id)
    if result is CheckResult.not_clear and _ends(check["region_code"], tx.today) == "ends":
        near, _ = queries.parameters(check["region_code"], tx.today)
        for entry in await access.one_person(tx, check["staff_id"]):
            await agencies.leave_all(tx, entry, near)


async def require_clear(tx: Tx, agency_kind: str, region_code: int, staff_id: UUID) -> None:
    """Let nobody near children of whom it is not known that they may be. Raises CheckNeeded."""
    near, _ = queries.parameters(region_code, tx.today)
    if agency_kind not in near:
        return
    known = await queries.latest(tx, staff_id)
    if known is None or known["result"] == CheckResult.clear:
        if _needed(region_code, tx.today) != "forbids":
            return
        if known is not None and queries.counts(known["asked_on"], region_code, tx.today):
            return
    raise CheckNeeded
