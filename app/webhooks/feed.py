"""The feed: what an endpoint of the caller would be told, for those who come and ask."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.core.data import hiding
from app.core.data.db import NATION, Tx
from app.core.http import paging
from app.core.http.wire import region_text
from app.core.jobs import events
from app.core.jobs.case_codes import with_codes
from app.regions.rules import SPANS, codes_of
from app.webhooks import schemas
from app.webhooks.rules import of_package

LOOKED_AT: Final = 200
"""How many events a page looks at, of which it shows those of the kinds asked for: a place in which
much happens that is not asked for is gone through in pages, too.
"""
_FOR_ALL: Final = "e.position > 0 AND e.position > $1 AND e.told_to IS NULL"
_TAKEN: Final = "ORDER BY e.position LIMIT $7"
_ALL: Final = f"(SELECT e.position FROM events e WHERE {_FOR_ALL} {_TAKEN})"

# The places in which anything happened are found one after another, by the index that each is read
# by: a page costs by the number of places and of what it looks at, not by what others may see. Of
# all but what is shown nothing but the index is read.
_NEXT: Final = (
    "SELECT {unit} FROM events e WHERE e.position > 0 AND e.told_to IS NULL"
    " AND {unit} {after} AND {unit} < {hi} ORDER BY {unit} LIMIT 1"
)
_BY_PLACE: Final = f"""(
    WITH RECURSIVE units (unit) AS (
        ({_NEXT.format(unit="{unit}", after=">= {lo}", hi="{hi}")})
        UNION ALL
        SELECT ({_NEXT.format(unit="{unit}", after="> units.unit", hi="{hi}")})
        FROM units WHERE units.unit IS NOT NULL
    )
    SELECT there.* FROM units CROSS JOIN LATERAL (
        SELECT e.position FROM events e WHERE {_FOR_ALL} AND {{unit}} = units.unit {_TAKEN}
    ) AS there)"""
_NAMED: Final = f"""(
    SELECT DISTINCT e.position FROM event_named e
    WHERE e.agency_id = $2 AND e.position > $1 AND e.relation IN ('any', $3) {_TAKEN})"""

# What is hidden from an endpoint of the agency (`delivery`) is hidden here, and what is from an
# agency that the caller served before.
_SHOWN: Final = f"""{hiding.shown("e.subject_id", "$2::uuid", "a.codes", "$5::uuid[]")}
    AND {hiding.sent("e.subject_id", "a.kind", "a.all_codes")}"""
_PAGE: Final = f"""
WITH a AS MATERIALIZED (
    SELECT kind, {codes_of("region_code")} AS all_codes,
           CASE WHEN $3 = 'region' AND kind <> 'police' THEN $8::bigint
                ELSE {codes_of("0")} END AS codes
    FROM agencies WHERE id = $2
), found AS MATERIALIZED (
    SELECT DISTINCT position FROM ({{arms}}) AS arm ORDER BY position LIMIT $7
), reached AS MATERIALIZED (
    SELECT CASE WHEN count(*) = $7 THEN max(position)
                ELSE (SELECT last FROM event_feed) END AS upto, count(*) = $7 AS more
    FROM found
)
SELECT reached.upto, reached.more, e.*
FROM reached LEFT JOIN (
    SELECT e.id, e.position, e.wire_name, e.subject_id, e.sequence, e.occurred_at, e.place,
           e.home_county, e.data, e.codes_sealed, e.told_to IS NOT NULL AS is_told
    FROM found JOIN events e ON e.position = found.position AND e.position > 0 CROSS JOIN a
    WHERE e.wire_name = ANY ($4::text[]) AND {_SHOWN}
) AS e ON true
ORDER BY e.position LIMIT $6
"""


def kinds_of(principal: Principal, asked: Sequence[str] | None) -> list[str]:
    """Return the kinds of events that the caller's role reads: who may not read a package's
    resources hears nothing of its events either (AZ-1).
    """
    return [
        kind
        for kind in events.kinds()
        if f"{kind.partition('.')[0]}:read" in principal.role.scopes
        and (not asked or kind in asked or of_package(kind) in asked)
    ]


async def page(
    tx: Tx, principal: Principal, window: paging.Window, *, kinds: Sequence[str] | None
) -> tuple[list[dict[str, Any]], str, bool]:
    """Return events after the cursor, oldest first; the cursor to go on from, and whether there is
    more by now. Raises CursorInvalid. One statement.
    """
    after = _place_of(window)
    rows = await tx.connection.fetch(
        _PAGE.format(arms=" UNION ALL ".join(_arms(principal))),
        after,
        principal.agency_id,
        principal.role.relation,
        kinds_of(principal, kinds),
        principal.agencies,
        window.limit + 1,
        LOOKED_AT,
        principal.region_hi - principal.region_lo,
    )
    shown = [row for row in rows if row["id"] is not None]
    upto, more = rows[0]["upto"], rows[0]["more"]
    if len(shown) > window.limit:
        shown = shown[: window.limit]
        upto, more = shown[-1]["position"], True
    told = [row for row in await with_codes(tx, shown) if _is_told(principal, row)]
    return told, window.cursors.seal([max(after, upto or 0)]), more


def _place_of(window: paging.Window) -> int:
    """Return the place to go on after. Those that the releases before gave out in the clear are
    kept for as long as their holders like, and go on: no place opens what is not the caller's.
    """
    if window.cursor is not None and (old := _OF_BEFORE.fullmatch(_plain(window.cursor))):
        return int(old[1])
    [after] = window.after(int) or [0]
    return int(after)


_OF_BEFORE: Final = re.compile(rb"\[(\d{1,18})\]")


def _plain(cursor: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        return b""


def _is_told(principal: Principal, row: Mapping[str, Any]) -> bool:
    """Tell whether an event names the caller, or is for all of their role (`events.readers_of`)."""
    data = row["data"]
    readers = events.readers_of(row["wire_name"], data)
    named = {*(data.get("known_to") or ())}
    if principal.role.relation == "none":
        named.add(data.get("agency_id"))
    return (
        readers is None
        or row["is_told"]
        or principal.role.code in readers
        or str(principal.agency_id) in named
    )


def _arms(principal: Principal) -> list[str]:
    """Write where to look: whom events name, and where they happened for who works on a region."""
    if principal.role.relation != "region":
        return [f"SELECT * FROM {_NAMED} AS n"]
    lo, hi = principal.region_lo, principal.region_hi
    county = SPANS[2]
    if (lo, hi) == NATION:
        place = _ALL
    elif hi - lo > county:
        unit = f"(e.place / {county})"
        place = _BY_PLACE.format(unit=unit, lo=lo // county, hi=hi // county)
    elif hi - lo == county:
        place = f"(SELECT e.position FROM events e WHERE {_FOR_ALL}"
        place += f" AND (e.place / {county}) = {lo // county} {_TAKEN})"
    else:
        place = _BY_PLACE.format(unit="e.place", lo=lo, hi=hi)
    return [f"SELECT * FROM {_NAMED} AS n", f"SELECT * FROM {place} AS p"]


def as_event(row: Mapping[str, Any]) -> schemas.FeedEvent:
    """Show an event as a delivery tells it."""
    data: dict[str, Any] = {
        **row["data"],
        "region_code": region_text(row["place"]),
        "home_county": region_text(row["home_county"]),
        "event_id": str(row["id"]),
        "sequence": row["sequence"],
    }
    return schemas.FeedEvent(
        id=row["id"],
        type=row["wire_name"],
        timestamp=row["occurred_at"],
        subject_id=row["subject_id"],
        sequence=row["sequence"],
        data=data,
    )


def named(row: Mapping[str, Any]) -> set[UUID]:
    """Return the children an event names: as what it is about, or in its data."""
    found = {row["subject_id"]} if events.kinds()[row["wire_name"]].subject == "child" else set()
    if child := row["data"].get("child_id"):
        found.add(UUID(child))
    return found
