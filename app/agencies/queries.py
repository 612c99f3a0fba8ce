"""Which agencies there are, which one serves a place, and who holds which post."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from app.agencies.models import Agency
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.text import canonical_name
from app.regions import queries as regions
from app.regions import rules

_POST = """
SELECT p.id, p.agency_id, a.kind AS agency_kind, a.region_code AS agency_region, p.role,
       p.local_title, p.region_code, p.active, p.version,
       EXISTS (SELECT FROM post_holdings h WHERE h.post_id = p.id AND h.since <= {today}::date
               AND (h.until IS NULL OR h.until > {today}::date)) AS held
FROM posts p JOIN agencies a ON a.id = p.agency_id
"""

_SERVING = """
SELECT id FROM agencies WHERE active AND kind = $1 AND region_code = ANY($2::bigint[])
ORDER BY array_position($2::bigint[], region_code), id LIMIT 1
"""


async def serving(tx: Tx, kind: str, region_code: int) -> UUID | None:
    """Return the nearest active agency of a kind whose region contains the place.

    A township's own station comes before the county bureau, that before the province; of two
    equally near the older. One statement.
    """
    found: UUID | None = await tx.connection.fetchval(_SERVING, kind, rules.lineage(region_code))
    return found


async def above(tx: Tx, kind: str, region_code: int) -> UUID | None:
    """Return the nearest active agency of a kind that stands above those of a place."""
    found: UUID | None = await tx.connection.fetchval(
        _SERVING, kind, rules.lineage(region_code)[1:]
    )
    return found


def serving_in_sql(kind: str, column: str) -> str:
    """Write, in SQL, the active agencies of a kind that stand nearest to the place in a column, the
    one that `serving` returns first: a place may have several.
    """
    return f"""ARRAY(SELECT a.id FROM agencies a WHERE a.active AND a.kind = '{kind}'
        AND a.region_code = (
            SELECT max(b.region_code) FROM agencies b WHERE b.active AND b.kind = '{kind}'
                AND b.region_code = ANY (ARRAY[{lineage_in_sql(column)}]))
        ORDER BY a.id)"""


def first_serving_in_sql(kinds: Mapping[str, str], column: str) -> str:
    """Write, in SQL, the word for the first kind of agencies of which an active one serves the
    place in a column, for the last if none does. One look-up a kind.
    """
    *asked, (_, last) = kinds.items()
    choices = " ".join(
        f"WHEN EXISTS (SELECT FROM agencies a WHERE a.active AND a.kind = '{kind}'"
        f" AND a.region_code = ANY (ARRAY[{lineage_in_sql(column)}])) THEN '{word}'"
        for kind, word in asked
    )
    return f"(CASE {choices} ELSE '{last}' END)"


def lineage_in_sql(column: str) -> str:
    """Write, in SQL, the codes of the place in a column and of all above it."""
    places = (f"{column} / {span} * {span}" for span in rules.SPANS)
    return ", ".join([*places, str(rules.NATION)])


def nearest_in_sql(kind: str, column: str) -> str:
    """Write, in SQL, the active agency that `serving` returns for a kind, in SQL, and the place in
    a column.
    """
    return f"""(SELECT near.id FROM agencies near WHERE near.active AND near.kind = {kind}
        AND near.region_code IN ({lineage_in_sql(column)})
        ORDER BY near.region_code DESC, near.id LIMIT 1)"""


async def serves(tx: Tx, kind: str, region_code: int) -> bool:
    """Tell whether an active agency of a kind serves just this place. One at a time may ask, until
    the end of the transaction: of two that are registered at one moment the second finds the first.
    """
    await tx.connection.execute(_ONE_AT_A_TIME, f"agencies/{kind}/{region_code}")
    return await tx.connection.fetchval(_SERVING, kind, [region_code]) is not None


_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 26))"


async def overseeing(tx: Tx, kind: str, agency_id: UUID) -> UUID | None:
    """Return the nearest active agency of a kind in whose region another stands. Two statements."""
    place = await tx.connection.fetchval(
        "SELECT region_code FROM agencies WHERE id = $1", agency_id
    )
    return None if place is None else await serving(tx, kind, place)


async def find(tx: Tx, agency_id: UUID, *, for_update: bool = False) -> Agency | None:
    """Find an agency; `for_update`: as it is now, held."""
    return await tx.session.get(
        Agency, agency_id, with_for_update=for_update or None, populate_existing=for_update
    )


async def find_same(tx: Tx, kind: str, name: str, region_code: int) -> UUID | None:
    """Find the active agency of a kind and a name, in whatever spelling, in a place, by whichever
    code it is called.
    """
    place = await regions.current(tx, region_code, tx.today)
    rows = await tx.connection.fetch(
        "SELECT id, name FROM agencies WHERE active AND kind = $1 AND region_code = $2 ORDER BY id",
        kind,
        place,
    )
    wanted = canonical_name(name)
    return next((row["id"] for row in rows if canonical_name(row["name"]) == wanted), None)


@dataclass(frozen=True, slots=True)
class PostRef:
    """What a decision about a post needs; `agency_region` is where its agency serves."""

    id: UUID
    agency_id: UUID
    agency_kind: str
    agency_region: int
    role: str
    local_title: str
    region_code: int
    active: bool
    version: int
    held: bool
    """Whether somebody holds it today; what an empty one owes, whoever is above owes."""


async def find_post(tx: Tx, post_id: UUID) -> PostRef | None:
    row = await tx.connection.fetchrow(
        f"{_POST.format(today='$2')} WHERE p.id = $1", post_id, tx.today
    )
    return None if row is None else PostRef(*row)


_BY_PLACE: Final = paging.Order({"region_code": int, "id": UUID})
_LATEST: Final = paging.Order({"h.since": date, "h.id": UUID}, descending=True)


async def list_agencies(
    tx: Tx,
    window: paging.Window,
    *,
    kind: str | None,
    span: tuple[int, int],
    narrow: Callable[[Where], object] | None = None,
) -> paging.Rows:
    """Return a page of the agencies that serve in a span of regions, by (region code, id)."""
    where = Where("region_code >= {} AND region_code < {}", *span).add_given({"kind = {}": kind})
    if narrow is not None:
        narrow(where)
    select = (
        "SELECT id, kind, name, name_en, region_code, uscc, public_contact, active,"
        " closed_on, version FROM agencies a"
    )
    return await paging.fetch(tx, select, where, _BY_PLACE, window)


async def list_posts(
    tx: Tx,
    window: paging.Window,
    *,
    agency_id: UUID | None,
    role: str | None,
    span: tuple[int, int],
    held: bool | None,
    narrow: Callable[[Where], object] | None,
) -> paging.Rows:
    """Return a page of the posts `p` that answer for a place in a span, by (region code, id).
    `held`: only those that somebody holds today, or that nobody does though they are not given up.
    """
    where = Where("p.region_code >= {} AND p.region_code < {}", *span)
    where.add_given({"p.agency_id = {}": agency_id, "p.role = {}": role})
    where.add_given({"p.held = {} AND p.active": held})
    if narrow is not None:
        narrow(where)
    posts = _POST.format(today=where.bind(tx.today))
    return await paging.fetch(tx, f"SELECT p.* FROM ({posts}) p", where, _BY_PLACE, window)


async def list_holders(tx: Tx, post_id: UUID, window: paging.Window) -> paging.Rows:
    """Return who holds and held a post, latest first, as far as the caller's reach goes."""
    select = (
        "SELECT h.id, h.post_id, h.staff_id, h.since, h.until, h.created_at AS recorded_at,"
        " s.name AS staff_name FROM post_holdings h JOIN staff s ON s.id = h.staff_id"
    )
    return await paging.fetch(tx, select, Where("h.post_id = {}", post_id), _LATEST, window)


_HELD: Final = """
SELECT true FROM posts p JOIN post_holdings h ON h.post_id = p.id
WHERE p.agency_id = $1 AND p.active AND (h.until IS NULL OR h.until > $2::date) LIMIT 1
"""


async def holds_posts(tx: Tx, agency_id: UUID) -> bool:
    """Tell whether somebody holds a post of an agency, or will."""
    return await tx.connection.fetchval(_HELD, agency_id, tx.today) is not None


async def names(tx: Tx, staff_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return what people are called, as far as the caller's reach goes."""
    rows = await tx.connection.fetch(
        "SELECT id, name FROM staff WHERE id = ANY ($1::uuid[])", [*staff_ids]
    )
    return {row["id"]: row["name"] for row in rows}
