"""Files opened in an emergency, over HTTP."""

from typing import Annotated

import asyncpg
from fastapi import Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.access.roles import Purpose
from app.break_glass import operations, queries, schemas
from app.break_glass.acts import (
    ACTS,
    MISUSE,
    GlassShut,
    NotInYourRemit,
    NotOpenedByYou,
    OpenedByYou,
    OpenedByYourAgency,
    ReviewedAlready,
)
from app.break_glass.area import AREA, OPEN, READ, REVIEW
from app.children.deps import ChildFilter, ChildNotFound
from app.core.clock import local_date
from app.core.data import keys
from app.core.data.db import Tx
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.problems import Problem, documented

router = routing.v1(AREA.tag, "/break-glass")


class BreakGlassNotFound(Problem, status=404, denies=True):
    """No such opening, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such emergency opening"
    title_zh = "没有这次紧急查阅"


_EMERGENCY = frozenset({Purpose.protection})
"""What the law lets be done without asking first (PIPL §13(4)): to protect life and health."""

OpensInEmergency = Annotated[Principal, needs(OPEN, purposes=_EMERGENCY)]
ReadsInEmergency = Annotated[Principal, needs(READ, purposes=_EMERGENCY)]
ReadsBreakGlass = Annotated[Principal, needs(READ)]
ReviewsBreakGlass = Annotated[Principal, needs(REVIEW, review=MISUSE)]
_ONE = ("glass_id", "The opening's id.", queries.find, BreakGlassNotFound)
InPath = Annotated[asyncpg.Record, named_in_path(*_ONE)]
ToChange = Annotated[asyncpg.Record, named_in_path(*_ONE, for_update=True)]
Narrowed = Annotated[acts.Act | None, acts.asked(ACTS)]


@router.post(
    "",
    status_code=201,
    responses={
        **REPEATED,
        **documented(
            PersonRequired,
            ChildNotFound,
            operations.InYourReach,
            operations.TooLong,
            operations.GlassesSpent,
        ),
    },
)
async def break_glass(
    principal: OpensInEmergency, new: schemas.BreakGlassCreate, tx: Transaction
) -> Shown[schemas.BreakGlass]:
    """Open one child's file in an emergency, for some minutes: the county and who looks after the
    child are told at once, each read is recorded, and another person reviews it.
    """
    row, is_new = await operations.break_glass(tx, principal, new)
    return await _one(tx, principal, row, is_new=is_new)


@router.get("")
async def list_break_glass(
    principal: ReadsBreakGlass,
    tx: ReadTransaction,
    window: Paged,
    child_id: ChildFilter = None,
    waits: Annotated[
        bool | None, Query(description="Only what waits for its review, or does not.")
    ] = None,
    act: Narrowed = None,
) -> Shown[Page[schemas.BreakGlass]]:
    """List what your agency opened and, for who looks after the children of a region or supervises
    it, what was opened of these: first what nobody reviewed, newest first.
    """
    page = await queries.list_break_glass(
        tx, principal, window, child_id=child_id, waits=waits, act=act
    )
    await keys.of_rows(tx, page.rows)
    return Shown(
        page.shown(lambda row: queries.shown(tx, principal, row)),
        children=[child_id, *(row["child_id"] for row in page.rows)],
        groups=["break_glass"],
        since=min((local_date(row["opened_at"]) for row in page.rows), default=None),
    )


@router.get("/{glass_id}")
async def read_break_glass(
    principal: ReadsBreakGlass, found: InPath, tx: Transaction
) -> Shown[schemas.BreakGlass]:
    """Read who opened a file, why, and what the review said."""
    return await _one(tx, principal, found)


@router.get("/{glass_id}/file", responses=documented(NotOpenedByYou, GlassShut, ChildNotFound))
async def read_break_glass_file(
    principal: ReadsInEmergency, found: InPath, tx: Transaction
) -> Shown[schemas.OpenedFile]:
    """Read the sections that were opened to you, while they are: by the clock of the database."""
    file = await operations.read_file(tx, principal, found)
    groups = found["field_groups"]
    return Shown(file, children=[found["child_id"]], groups=groups)


@router.post("/{glass_id}/end", responses=documented(NotOpenedByYou, GlassShut))
async def end_break_glass(
    principal: OpensInEmergency, found: ToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.BreakGlass]:
    """End what was opened to you before its time."""
    row = await operations.end_break_glass(tx, principal, found, if_match=if_match)
    return await _one(tx, principal, row)


@router.post(
    "/{glass_id}/review",
    responses=documented(
        PersonRequired, NotInYourRemit, OpenedByYou, OpenedByYourAgency, ReviewedAlready
    ),
)
async def review_break_glass(
    principal: ReviewsBreakGlass,
    found: ToChange,
    said: schemas.BreakGlassReview,
    if_match: IfMatch,
    tx: Transaction,
) -> Shown[schemas.BreakGlass]:
    """Say, as civil affairs of where the child lives, whether a file was opened properly. Misuse
    suspends the account at once.
    """
    row = await operations.review_break_glass(tx, principal, found, said, if_match=if_match)
    return await _one(tx, principal, row)


async def _one(
    tx: Tx, principal: Principal, row: asyncpg.Record, *, is_new: bool = True
) -> Shown[schemas.BreakGlass]:
    await keys.of_rows(tx, [row])
    return Shown(
        queries.shown(tx, principal, row),
        children=[row["child_id"]],
        groups=["break_glass"],
        subject=row["id"],
        since=local_date(row["opened_at"]),
        is_new=is_new,
        about={
            "verdict": row["verdict"],
            "agency_id": row["agency_id"],
            "agency_region": row["region_code"],
        },
    )
