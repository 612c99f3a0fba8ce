"""Derive files anew: those whose day has come, and all of a county once the rules or the policy are
others.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from app.children import derivation, names, naming, queries, sealing
from app.children.queries import ChildRef
from app.children.rules import Derived
from app.children.sections import File
from app.children.told import Told
from app.core.data import distribution, rls, versions
from app.core.data.columns import Instant
from app.core.data.db import NATION, Tx
from app.core.data.envelopes import DecryptionRefused
from app.core.jobs import events as announcements
from app.core.jobs import queue
from app.regions.rules import counties_in_sql

BATCH: Final = 250
FIRST: Final = UUID(int=0)


_FILES: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, c.categories, c.priority_flags,
       c.undecided, c.counted, c.lacking, c.told, c.next_change_on, c.xmin::text AS written_by,
       {queries.STORED}, c.name_index
FROM children c WHERE c.home_county = $1 AND"""
_DUE: Final = f"{_FILES} c.next_change_on <= $2 ORDER BY c.next_change_on LIMIT $3"
_NEXT: Final = f"{_FILES} c.id > $2 ORDER BY c.id LIMIT $3"
_THESE: Final = f"{_FILES} c.id = ANY ($2::uuid[]) ORDER BY c.id FOR NO KEY UPDATE"
_AS_READ: Final = """
SELECT c.id FROM children c JOIN unnest($2::uuid[], $3::text[]) AS read (id, written_by)
    ON c.id = read.id AND c.xmin::text = read.written_by
WHERE c.home_county = $1 ORDER BY c.id FOR NO KEY UPDATE OF c
"""

_RESPELL: Final = """
UPDATE children c
SET identity_sealed = u.identity_sealed, name_index = u.name_index, updated_at = $5
FROM UNNEST($2::uuid[], $3::bytea[], $4::bytea[]) AS u (id, identity_sealed, name_index)
WHERE c.home_county = $1 AND c.id = u.id
"""


async def _held(
    tx: Tx, home_county: int, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Hold those of a county's files that something is to be written of, each as it is now: read
    again, if somebody wrote it meanwhile. The many of which nothing is are not held.
    """
    if not rows:
        return []
    ids, written_by = [row["id"] for row in rows], [row["written_by"] for row in rows]
    same = {row["id"] for row in await tx.connection.fetch(_AS_READ, home_county, ids, written_by)}
    held = [row for row in rows if row["id"] in same]
    if others := [each for each in ids if each not in same]:
        held += await tx.connection.fetch(_THESE, home_county, others)
    return held


async def _respell(tx: Tx, home_county: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Spell names anew that this release spells, or finds, otherwise than they are stored."""
    named = [(queries.ref_of(row), sealing.named(tx.keyring, row)[0]) for row in rows]
    lacking = {child.id for child, _ in await names.lacking(tx, named)}
    others = [row for row in rows if row["id"] in lacking or _spelt_otherwise(tx, row)]
    found = []
    for row in await _held(tx, home_county, others):
        identity = sealing.whole(tx.keyring, row).identity
        kept = sealing.keep(tx.keyring, row["id"], "identity", identity)
        found.append((queries.ref_of(row), identity.name or "", kept))
    if found:
        await tx.connection.execute(
            _RESPELL,
            home_county,
            [child.id for child, _, _ in found],
            [kept["identity_sealed"] for _, _, kept in found],
            [kept["name_index"] for _, _, kept in found],
            tx.now,
        )
        await names.keep(tx, [(child, name) for child, name, _ in found])


def _spelt_otherwise(tx: Tx, row: Mapping[str, Any]) -> bool:
    name, pinyin = sealing.named(tx.keyring, row)
    index = sealing.name_index(tx.keyring, name, row["birth_date"])
    return (pinyin, row["name_index"]) != (naming.spell(name)["name_pinyin"], index)


class Derivation(SQLModel, table=True):
    """How far the files that a county opened are derived (`derivation`).

    `made_by` derived all of them, at `made_at`; `walked_by`, which is another, is under way, has
    come to `walked_to` and has seen so many `files`. On `derived_on` all were true of that day.
    Whoever wrote this last did so at `walked_at`, and knew the schema up to `by_revision`.
    """

    __tablename__ = "derivations"
    home_county: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    made_by: str | None = None
    made_at: datetime | None = Field(default=None, sa_type=Instant)
    walked_by: str | None = None
    walked_to: UUID | None = None
    files: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    derived_on: date | None = None
    derived_at: datetime | None = Field(default=None, sa_type=Instant)
    walked_at: datetime | None = Field(default=None, sa_type=Instant)
    by_revision: str | None = None


distribution.by("derivations", distribution.COUNTY)
rls.allow("derivations", "SELECT, INSERT, UPDATE")


_STANDS_AT: Final = """
INSERT INTO derivations AS d (home_county) VALUES ($1)
ON CONFLICT (home_county) DO UPDATE SET files = d.files
RETURNING made_by, walked_by, walked_to
"""
_WALKED: Final = """
UPDATE derivations
SET walked_by = $2, walked_to = $3, files = CASE WHEN $4 THEN 0 ELSE files END + $5,
    walked_at = $6, by_revision = $7
WHERE home_county = $1
"""
_WALKED_ALL: Final = """
UPDATE derivations SET made_by = walked_by, walked_by = NULL, walked_to = NULL, made_at = $2
WHERE home_county = $1
"""
_DONE: Final = """
UPDATE derivations SET derived_on = $2, derived_at = $3, walked_at = $3, by_revision = $4
WHERE home_county = $1
"""
_OF_ANOTHER: Final = """
SELECT CASE WHEN walked_by IS NULL THEN $7::interval ELSE $8::interval END FROM derivations
WHERE home_county = $1 AND coalesce(walked_by, made_by) <> $2
  AND walked_at > $3::timestamptz - CASE WHEN by_revision > $4 THEN $5::interval
                                         ELSE $6::interval END
"""
_NEWER_IS_GONE: Final = timedelta(hours=36)
"""A newer release says once a night that it is there; after this it was taken back."""
_WALK_IS_OVER: Final = timedelta(minutes=10)
"""Any other release at work on a county says so with each batch."""
LATER: Final = timedelta(minutes=2)
SOON: Final = timedelta(seconds=2)
"""While another walks: both take jobs from one queue, and what one hands back is the other's next
set as often as not.
"""


async def left_to_another(tx: Tx, home_county: int) -> timedelta | None:
    """Tell whether another release is at work on a county's files, or a newer one has derived them,
    and after what time to look again: while two run side by side, neither undoes what the other
    did. None: it is not so.
    """
    found: timedelta | None = await tx.connection.fetchval(
        _OF_ANOTHER,
        home_county,
        derivation.made_by(),
        tx.now,
        versions.head(),
        _NEWER_IS_GONE,
        _WALK_IS_OVER,
        LATER,
        SOON,
    )
    return found


async def rederive(tx: Tx, home_county: int) -> bool:
    """Derive anew the next BATCH of the files that a county opened: all of them, by id, if others
    than these rules or this policy made them; else those whose day has come. Store what is
    different, and announce what follows from it. The version stays: nobody changed the file.

    Returns whether there is more. Where it stands is kept with the county, and held meanwhile;
    a file is from when all are derived, and only if something of it is to be written.
    """
    at = await tx.connection.fetchrow(_STANDS_AT, home_county)
    # A walk that others began and left has derived some files by what holds no more.
    if at["made_by"] != derivation.made_by() or at["walked_by"] is not None:
        begins = at["walked_by"] != derivation.made_by()
        after = FIRST if begins or at["walked_to"] is None else at["walked_to"]
        rows = await tx.connection.fetch(_NEXT, home_county, after, BATCH)
        torn = await _derive_anew(tx, home_county, rows)
        await _leave(tx, home_county, torn)
        await _respell(tx, home_county, [row for row in rows if row["id"] not in torn])
        last = rows[-1]["id"] if rows else after
        await tx.connection.execute(
            _WALKED,
            home_county,
            derivation.made_by(),
            last,
            begins,
            len(rows),
            tx.now,
            versions.head(),
        )
        if len(rows) < BATCH:
            await tx.connection.execute(_WALKED_ALL, home_county, tx.now)
        return True  # a day may have come meanwhile
    rows = await tx.connection.fetch(_DUE, home_county, tx.today, BATCH)
    await _leave(tx, home_county, await _derive_anew(tx, home_county, rows))
    if len(rows) == BATCH:
        return True
    await tx.connection.execute(_DONE, home_county, tx.today, tx.now, versions.head())
    return False


async def rederive_file(tx: Tx, home_county: int, child_id: UUID) -> None:
    """Derive one file anew. Raises DecryptionRefused if it cannot be read."""
    rows = await tx.connection.fetch(_THESE, home_county, [child_id])
    if await _derive_anew(tx, home_county, rows):
        raise DecryptionRefused


_LEAVE: Final = """
UPDATE children SET next_change_on = NULL WHERE home_county = $1 AND id = ANY ($2::uuid[])
"""


async def _leave(tx: Tx, home_county: int, torn: Sequence[UUID]) -> None:
    """Owe each file that cannot be read by a job of its own, which is held: it keeps no other
    waiting, and the night has not succeeded.
    """
    if torn:
        await tx.connection.execute(_LEAVE, home_county, torn)
        owed = [{"home_county": home_county, "child_id": str(each)} for each in torn]
        keys = [*map(str, torn)]
        await queue.enqueue(tx.connection, "children.rederive_file", owed, dedupe_keys=keys)


async def _derive_anew(tx: Tx, home_county: int, rows: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Derive files anew; return those that cannot be read."""
    outcomes: dict[UUID, tuple[Mapping[str, Any], File, Derived]] = {}
    torn = []
    for row in rows:
        try:
            file, outcome = _outcome(tx, row)
        except DecryptionRefused:
            torn.append(row["id"])
            continue
        if row["next_change_on"] != outcome.next_change_on or _differs(row, outcome):
            outcomes[row["id"]] = (row, file, outcome)
    found: list[tuple[ChildRef, Derived, bool]] = []
    news: list[announcements.Event] = []
    for row in await _held(tx, home_county, [row for row, *_ in outcomes.values()]):
        as_read, file, outcome = outcomes[row["id"]]
        if row is not as_read:
            file, outcome = _outcome(tx, row)
        child = queries.ref_of(row)
        found.append((child, outcome, _differs(row, outcome)))
        news += derivation.announced(child, row, file, outcome, tx.today)
    await derivation.store(tx, found, news)
    return torn


def _outcome(tx: Tx, row: Mapping[str, Any]) -> tuple[File, Derived]:
    told, file = Told.all_of(row["told"]), sealing.whole(tx.keyring, row)
    return file, derivation.derive(file, row["region_code"], tx.today, told)


def _differs(row: Mapping[str, Any], outcome: Derived) -> bool:
    """Tell whether a file says something else than before, but for the day it changes on."""
    return any({*row[name]} != {*getattr(outcome, name)} for name in _SAID)


_SAID: Final = ("categories", "priority_flags", "undecided", "counted", "lacking")


_COUNTIES: Final = counties_in_sql("children", "0", str(NATION[1]), column="home_county")


async def counties(tx: Tx) -> list[int]:
    """Return the counties that opened files."""
    return [row["county"] for row in await tx.connection.fetch(_COUNTIES)]


class HowFar(NamedTuple):
    """Of how many `counties` all files are derived by these rules (`whole`), how many `files` that
    is by now, and the day that all files of all counties are true of; None: some never were.
    """

    counties: int
    whole: int
    files: int
    derived_on: date | None


_HOW_FAR: Final = f"""
SELECT count(*)::int, (count(*) FILTER (WHERE d.made_by = $1 AND d.walked_by IS NULL))::int,
       coalesce(sum(d.files) FILTER (WHERE coalesce(d.walked_by, d.made_by) = $1), 0)::int,
       CASE WHEN bool_and(d.derived_on IS NOT NULL) THEN min(d.derived_on) END
FROM ({_COUNTIES}) AS filed LEFT JOIN derivations d ON d.home_county = filed.county
"""


async def how_far(tx: Tx) -> HowFar:
    """Say how far the files are derived by these rules and this policy."""
    return HowFar(*await tx.connection.fetchrow(_HOW_FAR, derivation.made_by()))
