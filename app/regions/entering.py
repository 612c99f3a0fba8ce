"""Bring in what the tables shipped did not know before: new divisions, successors found since."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from app.core.data.db import Tx
from app.regions import queries, rules
from app.regions.divisions import Replaced, is_name
from app.regions.operations import (
    PERIODS,
    RegionNotReplaceable,
    announce_understood,
    take_along,
)

_ADD: Final = """
INSERT INTO regions (code, name, level, parent_code, valid_from, source)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_SPLIT: Final = """
UPDATE regions SET succession = 'split' WHERE code = $1 AND successor_code IS NOT NULL
"""

_SUCCEED: Final = """
UPDATE regions AS r SET successor_code = u.successor_code, succession = u.how
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS u (code, successor_code, how)
WHERE r.code = u.code AND r.valid_until IS NOT NULL AND r.successor_code IS NULL
  AND NOT EXISTS (SELECT FROM regions o WHERE o.code = r.code
                  AND (o.valid_until IS NULL OR o.successor_code IS NOT NULL))
RETURNING r.code
"""


async def add_region(
    tx: Tx, code: int, name: str, on: date, *, source: str, out_of: int | None = None
) -> None:
    """Enter a division that no table shipped has, in force from the day `on`. `source`: the
    document that says so. `out_of`: the place it was a part of; if that has another code by now, it
    was split, and its successor has the rest.

    What was reported of the code before, and waits, is brought to it. Raises RegionNotReplaceable:
    a day still to come, no name or source, a code that is or was one, a parent not in force on
    that day, an unknown `out_of` or one of another level; BadRegionCode.
    """
    parent = rules.parent_of(code) or rules.NATION
    level = rules.level_of(code)
    if on > tx.today:
        raise RegionNotReplaceable("the day is still to come")
    if not (is_name(name) and is_name(source)):
        raise RegionNotReplaceable("the name or the source is empty, too long or not text")
    periods = await tx.connection.fetch(PERIODS, [code, parent, out_of])
    known = {row["code"]: row for row in periods}
    if code in known:
        ended = known[code]["valid_until"] is not None
        raise RegionNotReplaceable(
            "the code was a place's before, and means that" if ended else "the code is in force"
        )
    above = known.get(parent)
    if parent != rules.NATION and (above is None or above["valid_until"] is not None):
        raise RegionNotReplaceable("the division the new code lies in is unknown")
    if above is not None and above["valid_from"] > on:
        raise RegionNotReplaceable("the division the new code lies in began later")
    if out_of is not None and (out_of not in known or rules.level_of(out_of) is not level):
        raise RegionNotReplaceable("the place it was a part of is unknown, or of another level")
    await tx.connection.execute(_ADD, code, name.strip(), str(level), parent, on, source.strip())
    await tx.connection.execute(_SPLIT, out_of)
    await announce_understood(tx, "add_region", code, code)


async def import_successors(tx: Tx, rows: Iterable[Replaced]) -> int:
    """Name the successors that a newer release knows of codes that ended without one, and take
    along what hung on them; return how many. What an operator named stays.
    """
    given = [(row.code, row.successor_code, row.succession) for row in rows]
    named = await tx.connection.fetch(_SUCCEED, *zip(*given, strict=True))
    stands = await queries.current_of(tx, [row["code"] for row in named], tx.today)
    for code, place in sorted(stands.items()):
        await take_along(tx, code, place)
        await announce_understood(tx, "load_regions", code, place)
    return len(named)
