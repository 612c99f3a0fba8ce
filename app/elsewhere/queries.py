"""Reads of looks from elsewhere, and the one that finds a child anywhere."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.children.indexes import resident_indexes
from app.children.sealing import SAME_CHILD, same_child
from app.core.data import hiding
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.http.wire import region_text
from app.elsewhere import schemas
from app.regions.rules import NATION, lineage

MOST: Final = 3
"""Children of one name and birth date that are told of, and offices to call."""

_SAME: Final = SAME_CHILD.format("$2", "$3", "$4")
# One statement whatever is asked: each part is a look-up by an index, of which the others' is for
# nobody. Whoever is of age is no child any more. Of a file that is only stored (PIP-47), which lies
# nowhere, nobody is told; it is found for what an emergency opens.
_FIND: Final = f"""
SELECT c.id, c.home_county, c.region_code FROM (
    SELECT r.home_county, r.child_id FROM resident_ids r WHERE r.index = ANY ($1::bytea[])
    UNION ALL
    (SELECT c.home_county, c.id FROM children c WHERE {_SAME}
     AND c.region_code <> {NATION} ORDER BY c.id LIMIT {MOST})
    UNION ALL
    (SELECT c.home_county, c.id FROM children c WHERE {_SAME}
     AND c.region_code = {NATION} ORDER BY c.id LIMIT 2)
) s JOIN children c ON c.home_county = s.home_county AND c.id = s.child_id
WHERE c.birth_date > $5 ORDER BY c.id
"""


async def anywhere(tx: Tx, sought: schemas.LookElsewhereCreate) -> list[asyncpg.Record]:
    """Find the children that a desk means, in SYSTEM's reach: at most MOST, of one name and birth
    date, and two that are only stored; one, of a number. One statement, by indexes.
    """
    indexes = resident_indexes(tx.keyring, sought.resident_id) if sought.resident_id else []
    same = same_child(tx.keyring, sought.name, sought.birth_date)
    rows: list[asyncpg.Record] = await tx.connection.fetch(
        _FIND, indexes, *same, _of_age_since(tx.today)
    )
    return rows


def _of_age_since(today: date) -> date:
    """Return the last birthday of whoever is eighteen by today."""
    day = min(today.day, 28) if (today.month, today.day) == (2, 29) else today.day
    return today.replace(year=today.year - 18, day=day)


_OFFICES: Final = """
SELECT id, kind, name, region_code, public_contact FROM agencies
WHERE active AND kind = 'civil_affairs' AND region_code = ANY ($1::bigint[])
ORDER BY region_code DESC, id
"""


async def offices(tx: Tx, places: list[int]) -> list[asyncpg.Record]:
    """List the civil affairs offices that serve some places, the nearest first. One statement."""
    codes = {code for place in places for code in lineage(place)}
    rows: list[asyncpg.Record] = await tx.connection.fetch(_OFFICES, sorted(codes))
    return rows


def serves(office: int, place: int) -> bool:
    """Tell whether an office of a division serves a place: it is the place or stands above it."""
    return office in lineage(place)


_FOUND: Final = """
SELECT array_agg(child_id) FROM looks_elsewhere
WHERE look_id = $1 AND agency_id = $2 AND looked_by = $3
"""


async def found_by(tx: Tx, principal: Principal, look_id: UUID) -> UUID | None:
    """Return the one child that a look of the caller's found, told or not; None if there was no
    such look, or it found nobody, or more than one. What it found is told to nobody by this.
    """
    about = (look_id, principal.agency_id, principal.subject)
    found: list[UUID | None] | None = await tx.connection.fetchval(_FOUND, *about)
    return found[0] if found is not None and len(found) == 1 else None


_NEWEST: Final = paging.Order({"l.looked_at": datetime, "l.id": UUID}, descending=True)


# Of two children of one name a desk was told one thing, and not how many they are.
_ONE_ROW: Final = """NOT EXISTS (
    SELECT FROM looks_elsewhere o WHERE o.look_id = l.look_id AND o.id < l.id)"""


async def looks(
    tx: Tx, principal: Principal, window: paging.Window, *, child_id: UUID | None
) -> paging.Rows:
    """List what the caller's agency asked, newest first; for who looks after the children of a
    region, also who asked for these. Never what is hidden from them (AZ-8).
    """
    codes = principal.region_hi - principal.region_lo
    where = Where(hiding.row_shown("l"), principal.agency_id, codes, principal.agencies)
    select = "SELECT l.* FROM looks_elsewhere l"
    theirs = "false"
    if principal.role.relation == "region":
        lo, hi = where.bind(principal.region_lo), where.bind(principal.region_hi)
        theirs = f"l.child_id IS NOT NULL AND l.region_code >= {lo} AND l.region_code < {hi}"
    if child_id is None:
        arms = [f"l.agency_id = {where.bind(principal.agency_id)} AND {_ONE_ROW}", theirs]
        return await paging.fetch(tx, select, where, _NEWEST, window, arms)
    # Who asked may not find out of whom they were told.
    where.add(theirs).checked().add("l.child_id = {}", child_id)
    return await paging.fetch(tx, select, where, _NEWEST, window)


def told_of(row: Mapping[str, Any]) -> bool:
    """Tell whether whoever asked was told of a child, by a child's row or a look's."""
    return row["child_id"] is not None and row["region_code"] != NATION


def looks_after(principal: Principal, row: Mapping[str, Any]) -> bool:
    """Tell whether the caller looks after the place of a child that was found."""
    inside = principal.region_lo <= row["region_code"] < principal.region_hi
    return row["child_id"] is not None and principal.role.relation == "region" and inside


def shown(principal: Principal, row: Mapping[str, Any]) -> schemas.LookElsewhere:
    """Show a row as the caller is shown it: which child it was, to who looks after it alone."""
    return schemas.LookElsewhere(
        **{name: row[name] for name in _PLAIN},
        looked_from=region_text(row["looked_from"]),
        known=told_of(row),
        child_id=row["child_id"] if looks_after(principal, row) else None,
    )


_PLAIN: Final = (
    *("id", "look_id", "looked_at", "looked_by", "agency_id", "agency_kind", "role"),
    *("purpose", "service", "why", "sought_by"),
)
