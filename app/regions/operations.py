"""Bring divisions in, and let one take another's place."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http.shown import Seen
from app.core.ids import new_id
from app.core.jobs import events
from app.regions import following, rules
from app.regions.divisions import BadDivisionLine, Division, Replaced, read_villages
from app.regions.events import CodeUnderstood, RegionReplaced
from app.regions.models import SINCE_EVER

SHIPPED_SOURCE: Final = "统计用区划代码 2023"
REPLACED_SOURCE: Final = "行政区划代码 1984-2015, 统计用区划代码 2015-2023"
_COLUMNS: Final = ("code", "name", "level", "parent_code")
_PROGRESS_EVERY: Final = 10_000
_PROBLEMS_SHOWN: Final = 100

_STAGE = """
CREATE TEMP TABLE staged_regions (code bigint, name text, level text, parent_code bigint)
ON COMMIT DROP
"""

_REPEATED = """
SELECT code FROM staged_regions GROUP BY code HAVING count(*) > 1 ORDER BY code LIMIT $1
"""

_WITHOUT_PARENT = """
SELECT s.code FROM staged_regions s
WHERE s.parent_code <> 0
  AND NOT EXISTS (SELECT 1 FROM staged_regions p WHERE p.code = s.parent_code)
  AND NOT EXISTS (SELECT 1 FROM regions p
                  WHERE p.code = s.parent_code AND p.valid_until IS NULL)
ORDER BY s.code LIMIT $1
"""

# A code that was replaced stays replaced: an older edition of the table does not bring it back.
_MERGE = """
WITH merged AS (
    INSERT INTO regions (code, name, level, parent_code, valid_from, source)
    SELECT s.code, s.name, s.level, s.parent_code, $1::date, $2 FROM staged_regions s
    WHERE NOT EXISTS (SELECT 1 FROM regions r WHERE r.code = s.code AND r.valid_until IS NOT NULL)
    ON CONFLICT (code) WHERE valid_until IS NULL DO UPDATE
        SET name = excluded.name, source = excluded.source WHERE regions.name <> excluded.name
    RETURNING (xmax = 0) AS added
)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS renamed,
       (SELECT count(*) FROM staged_regions s WHERE EXISTS (
            SELECT 1 FROM regions r WHERE r.code = s.code AND r.valid_until IS NOT NULL)) AS ended
FROM merged
"""

# A code the table knows, in force or not, stays as it is: what an operator did weighs more.
_ADD_REPLACED = """
INSERT INTO regions (code, name, level, parent_code, valid_until, successor_code, succession,
                     valid_from, source)
SELECT u.*, $8::date, $9
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::date[], $6::bigint[],
            $7::text[]) AS u (code, name, level, parent_code, valid_until, successor_code, how)
WHERE NOT EXISTS (SELECT FROM regions r WHERE r.code = u.code)
RETURNING code
"""

_END = """
UPDATE regions SET valid_until = $3::date, successor_code = code + $4, succession = $5
WHERE code >= $1 AND code < $2 AND valid_until IS NULL RETURNING code
"""

_BEGIN = """
INSERT INTO regions (code, name, level, parent_code, valid_from, source)
SELECT code + $3, name, level,
       CASE WHEN code = $1 THEN $5 ELSE parent_code + $3 END, $4::date, source
FROM regions
WHERE code >= $1 AND code < $2 AND successor_code = code + $3 AND valid_until = $4::date - 1
"""


PERIODS = """
SELECT DISTINCT ON (code) code, valid_from, valid_until, successor_code FROM regions
WHERE code = ANY ($1) ORDER BY code, valid_from DESC
"""

# The last day is that of a table, which may have gone on showing it.
_SUCCEED = """
UPDATE regions SET successor_code = $2, succession = 'merged',
    valid_until = greatest(valid_from, least(valid_until, $3::date))
WHERE code = $1 AND successor_code IS NULL AND valid_until IS NOT NULL RETURNING code
"""


class BadDivisions(ValueError):
    """A list of divisions cannot be used; nothing of it was stored. `problems` holds one readable
    line each, at most 100 of every kind.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class RegionNotReplaceable(ValueError):
    """One division cannot take the place of the other, or be a new one; the message says why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Counts of an import. `ended`: codes left alone because they were replaced before."""

    read: int
    added: int
    renamed: int
    ended: int


async def import_divisions(
    connection: asyncpg.Connection,
    rows: Iterable[Division],
    *,
    source: str = SHIPPED_SOURCE,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Add the divisions and take over changed names, streaming, all or nothing.

    Runs in the caller's transaction, which must be rolled back if this raises. `progress` is
    told the number of rows read, every 10,000. `source` names the edition. Raises BadDivisions
    for a code that comes twice or whose parent is neither in the rows nor in force.
    """
    read = 0

    def records() -> Iterator[tuple[Any, ...]]:
        nonlocal read
        for read, division in enumerate(rows, 1):
            if read % _PROGRESS_EVERY == 0:
                progress(read)
            yield division.code, division.name, str(division.level), division.parent

    # The whole country in one statement may take longer than a request is allowed to.
    await connection.execute("SET LOCAL statement_timeout = '10min'")
    await connection.execute(_STAGE)
    await connection.copy_records_to_table("staged_regions", records=records(), columns=_COLUMNS)
    await connection.execute("ANALYZE staged_regions")
    await _refuse_broken(connection)
    counts = await connection.fetchrow(_MERGE, SINCE_EVER, source)
    await connection.execute("DROP TABLE staged_regions")
    progress(read)
    return Imported(read, counts["added"], counts["renamed"], counts["ended"])


async def import_replaced(
    connection: asyncpg.Connection, rows: Iterable[Replaced], *, source: str = REPLACED_SOURCE
) -> int:
    """Add codes that were replaced before the table was made, so that they are understood; return
    how many are new. A code the table knows already stays as it is. One statement.
    """
    given = [
        (
            row.code,
            row.name,
            str(rules.level_of(row.code)),
            rules.parent_of(row.code) or rules.NATION,
            row.valid_until,
            row.successor_code,
            row.succession,
        )
        for row in rows
    ]
    added = await connection.fetch(_ADD_REPLACED, *zip(*given, strict=True), SINCE_EVER, source)
    return len(added)


async def import_village_file(
    connection: asyncpg.Connection,
    path: Path,
    *,
    source: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Import a full village file (see `divisions.read_villages`), all or nothing. Raises
    BadDivisions with the line number of every bad line and unknown township.
    """
    bad: list[str] = []

    def note(problem: BadDivisionLine) -> None:
        bad.append(str(problem))
        if len(bad) == _PROBLEMS_SHOWN:
            raise BadDivisionLine(problem.line, "too many bad lines; stopped reading here")

    try:
        imported = await import_divisions(
            connection, read_villages(path, note), source=source, progress=progress
        )
    except BadDivisionLine as unreadable:
        raise BadDivisions([*bad, str(unreadable)]) from unreadable
    except BadDivisions as broken:
        raise BadDivisions([*bad, *_with_lines(path, broken.problems)]) from broken
    if bad:
        raise BadDivisions(bad)
    return imported


async def _refuse_broken(connection: asyncpg.Connection) -> None:
    problems = [
        f"{row['code']:012d} comes more than once"
        for row in await connection.fetch(_REPEATED, _PROBLEMS_SHOWN)
    ] + [
        f"{row['code']:012d}: the division it lies in is unknown"
        for row in await connection.fetch(_WITHOUT_PARENT, _PROBLEMS_SHOWN)
    ]
    if problems:
        raise BadDivisions(problems)


def _with_lines(path: Path, problems: Iterable[str]) -> Iterator[str]:
    by_code = {problem[:12]: problem for problem in problems}
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if problem := by_code.pop(line.lstrip('"')[:12], None):
                yield f"line {number}: {problem}"
    yield from by_code.values()


async def replace_region(tx: Tx, old: int, new: int, on: date, *, name: str | None = None) -> int:
    """Let `new` stand for `old` from the day `on`; returns how many codes changed.

    If `new` does not exist yet, all below `old` moves with it and keeps its last digits; `name`
    is its name if that changed too. If it exists, `old` is merged into it and nothing may be left
    below `old`. What is filed under the old codes goes along in the same transaction (`following`).
    An `old` that ended, and nobody knew its successor, gets `new` as one, also of another level.
    Raises RegionNotReplaceable: codes of different levels, an `old` that never was or has a
    successor, a day still to come, an unknown parent, or divisions left below a place to be merged.
    """
    if await _has_ended(tx, old):
        return await _succeed(tx, old, new, on)
    lo, hi = rules.subtree(old)
    merged = await _check_replacement(tx, old, new, on)
    shift = new - old
    how = "merged" if merged else "whole"
    ended = await tx.connection.fetch(_END, lo, hi, on - timedelta(days=1), shift, how)
    if not merged:
        parent = rules.parent_of(new) or rules.NATION
        await tx.connection.execute(_BEGIN, lo, hi, shift, on, parent)
        if name is not None:
            await tx.connection.execute(
                "UPDATE regions SET name = $2 WHERE code = $1 AND valid_until IS NULL", new, name
            )
    event = _replaced(lo, hi, new, on)
    await following.take_along(tx, event)
    await events.publish(tx, event)
    await _record(tx, "replace_region", event)
    return len(ended)


async def _has_ended(tx: Tx, code: int) -> bool:
    """Tell whether a code ended without a successor. Raises RegionNotReplaceable if it has one."""
    periods = await tx.connection.fetch(PERIODS, [code])
    if not periods or periods[0]["valid_until"] is None:
        return False
    if (heir := periods[0]["successor_code"]) is not None:
        raise RegionNotReplaceable(
            f"the old code is not in force, and has a successor: {heir:012d}"
            " (if a part became another place, add that)"
        )
    return True


async def _succeed(tx: Tx, old: int, new: int, on: date) -> int:
    """Name the successor of an ended code. What lay below it is read as the successor itself: of
    places of then nobody knows which digits they have now.
    """
    rules.level_of(new)
    if on > tx.today:
        raise RegionNotReplaceable("the day is still to come")
    # One in force leads to no other, so no successor leads back.
    periods = await tx.connection.fetch(PERIODS, [new])
    if not periods or periods[0]["valid_until"] is not None:
        raise RegionNotReplaceable("the new code is not in force")
    ended = await tx.connection.fetch(_SUCCEED, old, new, on - timedelta(days=1))
    await take_along(tx, old, new)
    await announce_understood(tx, "replace_region", old, new)
    return len(ended)


async def take_along(tx: Tx, old: int, new: int) -> None:
    """Move what is filed under one code alone, whatever lay below it, to what stands for it."""
    await following.take_along(tx, _replaced(old, old + 1, new, tx.today))


def _replaced(lo: int, hi: int, new: int, on: date) -> RegionReplaced:
    return RegionReplaced(**_place(new), old_lo=lo, old_hi=hi, shift=new - lo, on=on)


def _place(code: int) -> dict[str, Any]:
    county = rules.county_of(code) if rules.lies_in_a_county(code) else code
    return {"subject_id": new_id(), "region_code": code, "home_county": county}


async def announce_understood(tx: Tx, operation: str, code: int, stands: int) -> None:
    """Announce that a code means a place now, which is `stands`, and record who did it how."""
    lo, hi = rules.subtree(code)
    event = CodeUnderstood(**_place(stands), lo=lo, hi=hi)
    await events.publish(tx, event)
    await _record(tx, operation, event)


async def _record(tx: Tx, operation: str, event: events.Event) -> None:
    """Write the operator's row of the audit trail; its subject is that of the event."""
    actor = audit.SYSTEM._replace(subject="operator", request_id="cli")
    await audit.record(tx, actor, operation, Seen(subject=event.subject_id))


async def _check_replacement(tx: Tx, old: int, new: int, on: date) -> bool:
    """Refuse what cannot be; tell whether `new` is there already."""
    if old == new or rules.level_of(old) is not rules.level_of(new):
        raise RegionNotReplaceable("old and new must be two codes of one level")
    if on > tx.today:
        raise RegionNotReplaceable("the day is still to come")
    lo, hi = rules.subtree(old)
    new_lo, new_hi = rules.subtree(new)
    rows = await tx.connection.fetch(
        "SELECT code, valid_from FROM regions WHERE valid_until IS NULL"
        " AND (code >= $1 AND code < $2 OR code >= $3 AND code < $4 OR code = $5)",
        lo,
        hi,
        new_lo,
        new_hi,
        rules.parent_of(new),
    )
    began = {row["code"]: row["valid_from"] for row in rows}
    if old not in began:
        raise RegionNotReplaceable("the old code is not in force")
    if any(lo <= code < hi and since >= on for code, since in began.items()):
        raise RegionNotReplaceable("a code began on that day or later")
    if new in began:
        if any(lo < code < hi for code in began):
            raise RegionNotReplaceable("divisions are left below the place to be merged")
        return True
    if rules.parent_of(new) not in {*began, rules.NATION}:
        raise RegionNotReplaceable("the division the new code lies in is unknown")
    return False
