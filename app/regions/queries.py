"""Which divisions exist, on which day, and what became of the ones that do not."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.text import canonical_name
from app.regions.rules import NATION, SPANS

REGION: Final = (
    "code, name, level, parent_code, valid_from, valid_until, successor_code, succession"
)
_LAST: Final = chr(0x10FFFF)
_HOLDS = "valid_from <= ${0}::date AND (valid_until IS NULL OR valid_until >= ${0}::date)"

# What stands for a code that does not hold on the day. The table knows the code, or else the
# township or county it lies in: from there the successors are followed, and if they took over the
# whole, the last digits stay.
# Before 2009 nobody published the codes of townships, so what stood below is not known again.
# OFFSET and LIMIT keep each step a look-up: a join planned on stale counts reads the whole table.
_SUCCESSOR = f"""
WITH RECURSIVE recorded AS (
    SELECT above.code
    FROM unnest(ARRAY[asked.code, asked.code / 1000 * 1000, asked.code / 1000000 * 1000000])
        WITH ORDINALITY AS above (code, distance)
    CROSS JOIN LATERAL (SELECT FROM regions r WHERE r.code = above.code LIMIT 1) AS known
    ORDER BY above.distance LIMIT 1
), line AS (
    SELECT recorded.code, 0 AS steps, true AS whole FROM recorded
    UNION
    SELECT r.successor_code, line.steps + 1,
           line.whole AND coalesce(r.succession, 'whole') = 'whole'
           AND r.valid_until >= date '2009-01-01'
    FROM line CROSS JOIN LATERAL (SELECT * FROM regions r WHERE r.code = line.code OFFSET 0) r
    WHERE r.successor_code IS NOT NULL AND r.valid_until < $2::date AND line.steps < 20
), heir AS (
    SELECT line.code, line.whole
    FROM line CROSS JOIN LATERAL (SELECT * FROM regions r WHERE r.code = line.code OFFSET 0) r
    WHERE line.steps > 0 AND {_HOLDS.format(2)} ORDER BY line.steps LIMIT 1
)
SELECT coalesce(
    (SELECT r.code FROM regions r WHERE heir.whole
     AND r.code = heir.code + asked.code - recorded.code AND {_HOLDS.format(2)}), heir.code)
FROM heir, recorded
"""

_IN_FORCE = f"SELECT code FROM regions WHERE code = ANY ($1) AND {_HOLDS.format(2)}"
_SUCCEEDED = f"SELECT asked.code, ({_SUCCESSOR}) AS heir FROM unnest($1::bigint[]) AS asked (code)"


async def current_of(tx: Tx, codes: Iterable[int], on: date) -> dict[int, int]:
    """Return, of 12-digit codes, those that stand for a division on that day and which: the code
    itself while it holds, else what took its place. A code below a replaced county or township is
    the place with the same last digits below its successor, if there is one, else the successor.

    Left out: codes that never were, and those abolished without a successor. One statement, and
    one that costs more for those that do not hold, if any: nearly all do.
    """
    asked = set(codes)
    held = {row["code"] for row in await tx.connection.fetch(_IN_FORCE, [*asked], on)}
    if held == asked:
        return {code: code for code in held}
    rows = await tx.connection.fetch(_SUCCEEDED, [*(asked - held)], on)
    return {code: code for code in held} | {
        row["code"]: row["heir"] for row in rows if row["heir"] is not None
    }


async def current(tx: Tx, code: int, on: date) -> int | None:
    """Return what stands for one code on that day, or None; see `current_of`."""
    return (await current_of(tx, [code], on)).get(code)


async def ever(tx: Tx, code: int, on: date) -> int | None:
    """Return what stands for a code on that day, or the code itself if it, or the county it lay in,
    was abolished without a successor, and holds nothing; None if it never was one.
    """
    if code == NATION:
        return code
    return await current(tx, code, on) or await tx.connection.fetchval(_ABOLISHED, code, on)


# Of what lay in a county of before 2009 nobody published the codes: its own is known.
_ABOLISHED: Final = f"""
SELECT $1::bigint WHERE EXISTS (SELECT FROM regions WHERE code = $1) OR (
    EXISTS (SELECT FROM regions WHERE code = $1 / 1000000 * 1000000)
    AND NOT EXISTS (SELECT FROM regions WHERE code = $1 / 1000000 * 1000000
                    AND {_HOLDS.format(2)}))
"""


_LATEST: Final = f"SELECT {REGION} FROM regions WHERE code = $1 ORDER BY valid_from DESC LIMIT 1"


async def read_region(tx: Tx, code: int, on: date) -> Any:
    """Return the latest period of a code; of one that only lies in a replaced place, what stands
    for it; in one that ended without a successor, that place. None if there is none of these.
    """
    found = await tx.connection.fetchrow(_LATEST, code)
    if found is not None or (stands := await ever(tx, code, on)) is None:
        return found
    county = code - code % SPANS[-3]
    return await tx.connection.fetchrow(_LATEST, county if stands == code else stands)


async def nearest(tx: Tx, code: int, on: date) -> tuple[int, bool] | None:
    """Return what stands for a code on that day, or else for the nearest above it that was ever
    one, and whether it is the place itself. None if not even the province exists.
    """
    above = [code - code % span for span in SPANS]
    stands = await current_of(tx, above, on)
    found = next((place for place in above if place in stands), None)
    return None if found is None else (stands[found], found == code)


_BY_CODE: Final = paging.Order({"code": int})


# Of how many divisions of before a search by name looks at the successors.
_FORMER: Final = 500

# Those that bear a name, in force or not. Byte ranges instead of LIKE: a prepared LIKE does not use
# the index.
_NAMED: Final = """
SELECT named.* FROM unnest({0}::text[], {1}::text[]) AS begun (lo, hi)
CROSS JOIN LATERAL (SELECT r.code, r.name, r.successor_code FROM regions r
                    WHERE r.name ~>=~ begun.lo AND r.name ~<~ begun.hi OFFSET 0) AS named
"""

_FORMERLY: Final = f"""
SELECT DISTINCT code, name FROM ({_NAMED.format("$1", "$2")}) AS named
WHERE successor_code IS NOT NULL ORDER BY code LIMIT $3
"""

# The codes first: of an OR, a planner with stale counts reads every name in force.
_CALLED: Final = f"code = ANY (ARRAY(SELECT code FROM ({_NAMED}) AS named) || {{2}}::bigint[])"


def _ranges(typed: str) -> tuple[list[str], list[str]]:
    """Return from where to where names begin as typed, or in the form the tables have of that:
    without needless spaces, and with wide brackets.
    """
    tabled = canonical_name(typed).translate({ord("("): "（", ord(")"): "）"}) or typed
    begun = [*{typed, tabled}]
    return begun, [each + _LAST for each in begun]


async def formerly(tx: Tx, typed: str, on: date) -> dict[int, list[str]]:
    """Return the divisions in force that took over ones of before whose names begin as typed, and
    these names; of the first 500 by code.
    """
    rows = await tx.connection.fetch(_FORMERLY, *_ranges(typed), _FORMER)
    stands = await current_of(tx, {row["code"] for row in rows}, on) if rows else {}
    names: dict[int, list[str]] = {}
    for row in rows:
        if (heir := stands.get(row["code"])) is not None:
            kept = names.setdefault(heir, [])
            kept.extend({row["name"]}.difference(kept))
    return names


async def list_regions(
    tx: Tx,
    window: paging.Window,
    *,
    parent_code: int | None,
    level: str | None,
    name_prefix: str | None,
    or_among: Iterable[int] = (),
) -> paging.Rows:
    """Return a page of the divisions in force, by code; of a name, with those `or_among`."""
    where = Where("true")
    if name_prefix is not None:
        where = Where(_CALLED, *_ranges(name_prefix), [*or_among])
    where.add("valid_until IS NULL")
    where.add_given({"parent_code = {}": parent_code, "level = {}": level})
    return await paging.fetch(tx, f"SELECT {REGION} FROM regions", where, _BY_CODE, window)
