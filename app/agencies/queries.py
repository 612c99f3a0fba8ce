"""Which agencies there are, which one serves a place, and who holds which post."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.core.data.db import Tx
from app.regions import rules

AGENCY = "id, kind, name, name_en, region_code, uscc, active, version"
POST = "id, agency_id, role, local_title, region_code, active"
HOLDING = "h.id, h.post_id, h.staff_id, h.since, h.until, h.created_at AS recorded_at"

_SERVING = """
SELECT id, kind FROM agencies
WHERE active AND kind = ANY($1::text[]) AND region_code = ANY($2::bigint[])
ORDER BY array_position($2::bigint[], region_code), id
"""


async def serving(
    tx: Tx, kind: str, region_code: int, *, excluding: Iterable[UUID] = ()
) -> UUID | None:
    """Return the nearest active agency of a kind whose region contains the place.

    A township's own station comes before the county bureau, that before the province; of two
    equally near the older. `excluding`: agencies that may not be chosen (AZ-8). One statement.
    """
    left_out = set(excluding)
    rows = await tx.connection.fetch(_SERVING, [kind], rules.lineage(region_code))
    return next((row["id"] for row in rows if row["id"] not in left_out), None)


async def all_serving(tx: Tx, kinds: Iterable[str], region_code: int) -> list[tuple[str, UUID]]:
    """Return (kind, id) of every active agency of these kinds whose region contains the place.

    Nearest first. One statement.
    """
    rows = await tx.connection.fetch(_SERVING, list(kinds), rules.lineage(region_code))
    return [(row["kind"], row["id"]) for row in rows]


async def names(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of agencies by id; unknown ids are left out. One statement."""
    rows = await tx.connection.fetch(
        "SELECT id, name FROM agencies WHERE id = ANY($1::uuid[])", list(set(ids))
    )
    return {row["id"]: row["name"] for row in rows}


@dataclass(frozen=True, slots=True)
class AgencyRef:
    """What a decision about an agency needs."""

    id: UUID
    kind: str
    region_code: int
    active: bool


async def find(tx: Tx, agency_id: UUID) -> AgencyRef | None:
    """Find one agency by id."""
    row = await tx.connection.fetchrow(
        "SELECT id, kind, region_code, active FROM agencies WHERE id = $1", agency_id
    )
    return None if row is None else AgencyRef(*row)


@dataclass(frozen=True, slots=True)
class PostRef:
    """What a decision about a post needs; `agency_region` is where its agency serves."""

    id: UUID
    agency_id: UUID
    agency_kind: str
    agency_region: int
    role: str
    region_code: int
    active: bool


async def find_post(tx: Tx, post_id: UUID) -> PostRef | None:
    """Find one post by id."""
    row = await tx.connection.fetchrow(
        "SELECT p.id, p.agency_id, a.kind, a.region_code, p.role, p.region_code, p.active"
        " FROM posts p JOIN agencies a ON a.id = p.agency_id WHERE p.id = $1",
        post_id,
    )
    return None if row is None else PostRef(*row)


Place = tuple[int, UUID]
"""Region code and id of the last row shown: where a list goes on."""

_FIRST = UUID(int=0)


async def list_agencies(
    tx: Tx, *, kind: str | None, span: tuple[int, int], after: Place | None, limit: int
) -> list[Any]:
    """Return up to `limit` agencies that serve in a span of regions, by (region code, id)."""
    lo, hi = span
    condition = "" if kind is None else "kind = $5 AND "
    rows: list[Any] = await tx.connection.fetch(
        f"SELECT {AGENCY} FROM agencies WHERE {condition}"
        "(region_code, id) > ($1, $2::uuid) AND region_code < $3"
        " ORDER BY region_code, id LIMIT $4",
        *max(after or (lo, _FIRST), (lo, _FIRST)),
        hi,
        limit,
        *([] if kind is None else [kind]),
    )
    return rows


async def read_agency(tx: Tx, agency_id: UUID) -> Any:
    """Return one agency, or None."""
    return await tx.connection.fetchrow(f"SELECT {AGENCY} FROM agencies WHERE id = $1", agency_id)


async def list_posts(
    tx: Tx,
    *,
    agency_id: UUID | None,
    role: str | None,
    span: tuple[int, int],
    after: Place | None,
    limit: int,
) -> list[Any]:
    """Return up to `limit` posts that answer for a place in a span, by (region code, id)."""
    lo, hi = span
    filters = {"agency_id": agency_id, "role": role}
    chosen = {column: value for column, value in filters.items() if value is not None}
    condition = "".join(f"{column} = ${n} AND " for n, column in enumerate(chosen, 5))
    rows: list[Any] = await tx.connection.fetch(
        f"SELECT {POST} FROM posts WHERE {condition}"
        "(region_code, id) > ($1, $2::uuid) AND region_code < $3"
        " ORDER BY region_code, id LIMIT $4",
        *max(after or (lo, _FIRST), (lo, _FIRST)),
        hi,
        limit,
        *chosen.values(),
    )
    return rows


async def list_holders(
    tx: Tx, post_id: UUID, *, before: tuple[date, UUID] | None, limit: int
) -> list[Any]:
    """Return who holds and held a post, latest first, as far as the caller's reach goes."""
    since, holding_id = before or (None, None)
    rows: list[Any] = await tx.connection.fetch(
        f"SELECT {HOLDING}, s.name AS staff_name FROM post_holdings h"
        " JOIN staff s ON s.id = h.staff_id WHERE h.post_id = $1"
        " AND ($2::date IS NULL OR (h.since, h.id) < ($2, $3::uuid))"
        " ORDER BY h.since DESC, h.id DESC LIMIT $4",
        post_id,
        since,
        holding_id,
        limit,
    )
    return rows


async def holders(tx: Tx, role: str, region_code: int, on: date) -> list[UUID]:
    """Return the staff ids of those who on that day hold a post of a role that covers a place.

    Nearest remit first: the 儿童主任 of the village before anybody above.
    """
    rows = await tx.connection.fetch(
        "SELECT h.staff_id FROM posts p"
        " JOIN post_holdings h ON h.post_id = p.id AND h.since <= $3::date"
        " AND (h.until IS NULL OR h.until > $3::date)"
        " WHERE p.active AND p.role = $1 AND p.region_code = ANY($2::bigint[])"
        " ORDER BY array_position($2::bigint[], p.region_code), h.since, h.id",
        role,
        rules.lineage(region_code),
        on,
    )
    return [row["staff_id"] for row in rows]
