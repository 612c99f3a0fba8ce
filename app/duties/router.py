"""Who owes what by when."""

from typing import Annotated

import asyncpg
from fastapi import Query

from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children.deps import ChildFilter
from app.core.clock import local_date
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import Transaction
from app.core.http.shown import Shown
from app.core.http.wire import Moment, region_text
from app.core.problems import Problem
from app.duties import periods, queries, schemas
from app.duties.area import AREA, READ, RuleName
from app.regions.deps import RegionSpan

router = routing.router(AREA.tag)


class DutyNotFound(Problem, status=404, denies=True):
    """No such duty, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such duty"
    title_zh = "没有这项责任"


ReadsDuties = Annotated[Principal, needs(READ)]
DutyInPath = Annotated[
    asyncpg.Record, named_in_path("duty_id", "The duty's id.", queries.find_duty, DutyNotFound)
]
CountsDuties = Annotated[Principal, needs(READ, personal=False)]


@router.get("/duties")
async def list_duties(
    principal: ReadsDuties,
    tx: Transaction,
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
) -> Shown[Page[schemas.Duty]]:
    """List what is owed in your remit, or by your agency, in the order it falls due."""
    filters = queries.Filters(state, rule, due_before, child_id, priority, region)
    page = await queries.list_duties(tx, principal, filters, window)
    return Shown(
        page.shown(lambda row: queries.duty_of(principal, row)),
        children=[row["child_id"] for row in page.rows],
        groups=["duties"],
        since=min((local_date(row["opened_at"]) for row in page.rows), default=None),
    )


@router.get("/duties/summary")
async def summarise_duties(
    principal: CountsDuties,
    tx: Transaction,
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
            rules=await queries.counts(tx, principal, quarter, span),
            coverage=await queries.coverage(tx, principal, quarter, span),
        )
    )


@router.get("/duties/{duty_id}")
async def read_duty(
    principal: ReadsDuties, found: DutyInPath, tx: Transaction
) -> Shown[schemas.DutyRecord]:
    """Read a duty, and who was told when that it is overdue."""
    return Shown(
        await queries.record_of(tx, principal, found),
        children=[found["child_id"]],
        groups=["duties"],
        since=local_date(found["opened_at"]),
    )
