"""Who owes what by when."""

from typing import Annotated

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children.deps import ChildFilter
from app.core.clock import local_date
from app.core.data.db import Tx
from app.core.http import partitions, routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.http.wire import Line, Moment, region_text
from app.core.problems import Problem, documented
from app.duties import counting, periods, queries, schemas, waiving
from app.duties.acts import (
    ACTS,
    NothingOwed,
    NotWaivable,
    OwnDuty,
    ProposedByYou,
    WaiverNotProposed,
    WaiverProposed,
)
from app.duties.area import AREA, READ, WAIVE, RuleName
from app.regions.deps import RegionSpan

router = routing.v1(AREA.tag)


class DutyNotFound(Problem, status=404, denies=True):
    """No such duty, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such duty"
    title_zh = "没有这项职责"


ReadsDuties = Annotated[Principal, needs(READ)]
WaivesDuties = Annotated[Principal, needs(WAIVE)]
_DUTY = ("duty_id", "The duty's id.", queries.find_duty, DutyNotFound)
DutyInPath = Annotated[asyncpg.Record, named_in_path(*_DUTY)]
DutyToChange = Annotated[asyncpg.Record, named_in_path(*_DUTY, for_update=True)]
CountsDuties = Annotated[Principal, needs(READ, personal=False)]


@partitions.of(router, "/duties/partitions")
@router.get("/duties")
async def list_duties(
    principal: ReadsDuties,
    tx: ReadTransaction,
    window: Paged,
    state: Annotated[schemas.DutyState | None, Query(description="Only in this state.")] = None,
    rule: Annotated[RuleName | None, Query(description="Only this obligation.")] = None,
    due_before: Annotated[
        Moment | None, Query(description="Only what is due before this instant.")
    ] = None,
    child_id: ChildFilter = None,
    priority: Annotated[
        bool | None,
        Query(description="Only children who must (or need not) be visited without exception."),
    ] = None,
    region: RegionSpan = None,
    class_name: Annotated[
        Line | None,
        Query(description="Only what a school owes for those who are in this class of it now."),
    ] = None,
    act: Annotated[acts.Act | None, acts.asked(ACTS)] = None,
) -> Shown[Page[schemas.Duty]]:
    """List what is owed in your remit, or by your agency, in the order it falls due."""
    filters = queries.Filters(state, rule, due_before, child_id, priority, region, class_name, act)
    page = await queries.list_duties(tx, principal, filters, window)
    return Shown(
        page.shown(lambda row: queries.duty_of(principal, row, tx.today)),
        children=[row["child_id"] for row in page.rows],
        groups=["duties"],
        since=min((local_date(row["opened_at"]) for row in page.rows), default=None),
    )


@router.get("/duties/summary")
async def summarise_duties(
    principal: CountsDuties,
    tx: ReadTransaction,
    period: Annotated[
        str | None,
        Query(
            max_length=6,
            pattern=r"^20[0-9]{2}Q[1-4]$",
            description="The quarter; the current one unless given.",
            examples=["2026Q4"],
        ),
    ] = None,
    region: RegionSpan = None,
) -> Shown[schemas.DutySummary]:
    """Count what is owed and done in a quarter, and how many children were visited (VIS-02)."""
    quarter = periods.quarter(period) if period else periods.quarter_of(tx.today)
    span = region or (principal.region_lo, principal.region_hi)
    return Shown(
        schemas.DutySummary(
            period=quarter.code,
            region_code=region_text(region[0] if region else principal.region_code),
            **(await counting.count(tx, principal, quarter, span))._asdict(),
        )
    )


@router.get("/duties/{duty_id}")
async def read_duty(
    principal: ReadsDuties, found: DutyInPath, tx: Transaction
) -> Shown[schemas.DutyRecord]:
    """Read a duty, who was told when that it is overdue, and who said that it need not be done."""
    return await _record(tx, principal, found)


@router.post(
    "/duties/{duty_id}/waiver",
    status_code=201,
    responses=documented(NotWaivable, NothingOwed, PersonRequired, OwnDuty, WaiverProposed),
)
async def propose_waiver(
    principal: WaivesDuties,
    found: DutyToChange,
    if_match: IfMatch,
    new: schemas.DutyWaiverCreate,
    tx: Transaction,
) -> Shown[schemas.DutyRecord]:
    """Propose that what somebody else owes need not be done, for a reason.

    It is owed until another person approves. A report to the police is never waived.
    """
    row = await waiving.propose_waiver(tx, principal, found, new, if_match=if_match)
    return await _record(tx, principal, row)


@router.post(
    "/duties/{duty_id}/waiver/approval",
    responses=documented(
        NotWaivable, NothingOwed, PersonRequired, OwnDuty, WaiverNotProposed, ProposedByYou
    ),
)
async def approve_waiver(
    principal: WaivesDuties, found: DutyToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.DutyRecord]:
    """Agree, as another person than who proposed it, that it need not be done. That ends it."""
    row = await waiving.approve_waiver(tx, principal, found, if_match=if_match)
    return await _record(tx, principal, row)


@router.post(
    "/duties/{duty_id}/waiver/withdrawal",
    responses=documented(NotWaivable, NothingOwed, PersonRequired, OwnDuty, WaiverNotProposed),
)
async def withdraw_waiver(
    principal: WaivesDuties, found: DutyToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.DutyRecord]:
    """Take back what was proposed, or refuse it as another person: it is owed as before."""
    row = await waiving.withdraw_waiver(tx, principal, found, if_match=if_match)
    return await _record(tx, principal, row)


async def _record(tx: Tx, principal: Principal, row: asyncpg.Record) -> Shown[schemas.DutyRecord]:
    return Shown(
        await queries.record_of(tx, principal, row),
        children=[row["child_id"]],
        groups=["duties"],
        since=local_date(row["opened_at"]),
    )
