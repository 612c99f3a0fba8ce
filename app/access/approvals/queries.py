"""Which approvals and reviews somebody has a part in, and where they stand."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.acts import Act
from app.access.approvals.acts import ACTS
from app.access.approvals.models import (
    IN_REVIEW_STATE,
    IN_STATE,
    ApprovalState,
    ReviewState,
    state_in_sql,
)
from app.access.principal import Principal
from app.core import areas
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging

_ALL: Final = "SELECT a.* FROM (SELECT t.*, {state} AS state FROM {table} t) a"
_APPROVALS: Final = _ALL.format(state=state_in_sql(IN_STATE, "t"), table="approvals")
_REVIEWS: Final = _ALL.format(state=state_in_sql(IN_REVIEW_STATE, "t"), table="reviews")
_LATEST: Final = paging.Order({"a.proposed_at": datetime, "a.id": UUID}, descending=True)
_DONE_LAST: Final = paging.Order({"a.done_at": datetime, "a.id": UUID}, descending=True)


def _shown(principal: Principal) -> Where:
    """Leave out what is about something that the caller must learn nothing of (AZ-8)."""
    codes = principal.region_hi - principal.region_lo
    told = hiding.shown("a.subject_id")
    return Where(told, principal.agency_id, codes, principal.agencies)


def _arms(where: Where, principal: Principal) -> list[str]:
    """Say of whom an approval or a review is: of the agency that asked for it, of the one it
    concerns, of those who could do the same over the same object. What opens personal data is of
    nobody in an agency who may not use that scope: the request says of people what it opens.
    """
    agency = where.bind(principal.agency_id)
    scopes = where.bind([code for code, scope in areas.scopes().items() if not scope.personal])
    held = where.bind(sorted(principal.scopes))
    may = f"(a.scope = ANY ({scopes}::text[]) OR a.scope = ANY ({held}::text[]))"
    role, lo, hi = map(where.bind, (principal.role.code, principal.region_lo, principal.region_hi))
    return [
        f"a.agency_id = {agency} AND {may}",
        f"a.concerns_id = {agency} AND {may}",
        f"a.role = {role} AND a.region_code >= {lo} AND a.region_code < {hi}",
    ]


async def approvals(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    state: ApprovalState | None,
    act: Act | None,
) -> paging.Rows:
    """Return a page of the approvals somebody has a part in, latest first."""
    stands = state and IN_STATE[state]
    return await _page(tx, principal, window, _APPROVALS, _LATEST, stands=stands, act=act)


async def reviews(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    *,
    state: ReviewState | None,
    act: Act | None,
) -> paging.Rows:
    """Return a page of the reviews somebody has a part in, latest first."""
    stands = state and IN_REVIEW_STATE[state]
    return await _page(tx, principal, window, _REVIEWS, _DONE_LAST, stands=stands, act=act)


async def _page(
    tx: Tx,
    principal: Principal,
    window: paging.Window,
    select: str,
    order: paging.Order,
    *,
    stands: str | None,
    act: Act | None,
) -> paging.Rows:
    where = _shown(principal)
    arms = _arms(where, principal)
    if act is ACTS["withdrawApproval"]:  # of a person's own: found by who they are
        selves = where.bind(list(principal.selves))
        where.add(f"({' OR '.join(f'({arm})' for arm in arms)})")
        arms = [f"a.{by} = ANY ({selves}::uuid[])" for by in ("proposed_by", "decided_by")]
    if stands is not None:
        where.add(stands.format("a"))
    if act is not None:
        act.narrow(where, principal, tx.today, alias="a")
    return await paging.fetch(tx, select, where, order, window, arms)


async def approval(
    tx: Tx, principal: Principal, approval_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find an approval somebody has a part in. `for_update`: held until the end."""
    return await _one(tx, principal, _APPROVALS, "approvals", approval_id, lock=for_update)


async def review(
    tx: Tx, principal: Principal, review_id: UUID, *, for_update: bool = False
) -> asyncpg.Record | None:
    """Find a review somebody has a part in. `for_update`: held until the end."""
    return await _one(tx, principal, _REVIEWS, "reviews", review_id, lock=for_update)


async def _one(
    tx: Tx, principal: Principal, select: str, table: str, row_id: UUID, *, lock: bool
) -> asyncpg.Record | None:
    if lock:  # before it is read where it stands
        await tx.connection.execute(f"SELECT FROM {table} WHERE id = $1 FOR UPDATE", row_id)
    where = _shown(principal).add("a.id = {}", row_id)
    part = " OR ".join(f"({arm})" for arm in _arms(where, principal))
    return await tx.connection.fetchrow(f"{select} WHERE {where} AND ({part})", *where.arguments)


_OWN: Final = f"{_APPROVALS} WHERE a.id = $1 AND a.proposed_by = $2"


async def proposed_by(tx: Tx, staff_id: UUID | None, approval_id: UUID) -> Any:
    """Find an approval by who proposed it."""
    return await tx.connection.fetchrow(_OWN, approval_id, staff_id)
