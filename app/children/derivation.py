"""Apply the rules to stored files: on every change, on the day on which a file may come to say
something else (`next_change_on`), and to all of them once the rules or the policy are others.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from app.children import events, names, naming, queries, rules, sealing
from app.children.completeness import completion, part_of, parts_lacking
from app.children.queries import ChildRef
from app.children.rules import Derived
from app.children.sections import File
from app.children.told import Kind, Told, stored, with_fact, without
from app.core.data import distribution, rls
from app.core.data.columns import Instant
from app.core.data.db import NATION, Tx
from app.core.jobs import events as announcements
from app.policy import queries as policy
from app.policy.rules import changes_after
from app.regions.rules import counties_in_sql

BATCH: Final = 250
FIRST: Final = UUID(int=0)

policy.require(*rules.PARAMETERS)


@lru_cache(maxsize=20_000)
def policy_on(region_code: int, on: date) -> rules.Policy:
    """Return the policy of a region on a day."""
    return rules.policy_of(policy.values(), region_code, on)


@lru_cache(maxsize=20_000)
def _policy_changes_on(region_code: int, on: date) -> date | None:
    return changes_after(policy.values(), rules.PARAMETERS, region_code, on)


@cache
def made_by() -> str:
    """Name the rules that this program derives by and the policy it reads: what was derived by
    others is derived anew. By their very text, so that nobody can forget to say they are others.
    """
    text = hashlib.sha256(version("pypinyin").encode())
    for path in sorted(p for each in _RULES for p in _files_of(each) if p.suffix in _TEXTS):
        text.update(path.read_bytes())
    for value in policy.values():
        if value.name in rules.PARAMETERS:
            text.update(repr(value).encode())
    return text.hexdigest()[:16]


def _files_of(rules: Path) -> Iterable[Path]:
    return [rules] if rules.is_file() else rules.rglob("*")


_APP: Final = Path(__file__).parents[1]
_RULES: Final = (
    *(_APP / "children", _APP / "regions", _APP / "core" / "unicode", _APP / "core" / "text.py"),
    _APP / "policy" / "rules.py",
)
_TEXTS: Final = frozenset({".py", ".txt"})


def derive(file: File, region_code: int, on: date, told: Sequence[Told] = ()) -> Derived:
    """Derive from a file that has a birth date, and from what others told of the child, under the
    policy of a region on a day.
    """
    facts = rules.Facts(birth_date(file), region_code, file, tuple(told))
    found = rules.derive(facts, policy_on(region_code, on), on)
    other_policy = _policy_changes_on(region_code, on)
    if found.next_change_on is None or other_policy is None or found.next_change_on <= other_policy:
        return found
    return replace(found, next_change_on=other_policy)


def birth_date(file: File) -> date:
    """Return a birth date that was checked to be there."""
    if file.identity.birth_date is None:
        raise ValueError("a file without a birth date was not checked")
    return file.identity.birth_date


def announced(
    child: ChildRef, before: Mapping[str, Any], now: Derived, on: date
) -> list[announcements.Event]:
    """Return the events that say what is different from the stored row, if anything is."""
    changed: list[announcements.Event] = [*_changed(child, before, now)]
    place = {"region_code": child.region_code, "home_county": child.home_county}
    about = {"subject_id": child.id, **place}
    if now.lacking and not before["lacking"]:
        changed.append(events.FileLacking(**about, completion_id=completion(child.id, on)))
    for part in sorted(parts_lacking(now.lacking) - parts_lacking(before["lacking"])):
        named = {"part": part, "part_id": part_of(child.id, part)}
        changed.append(events.PartLacking(**about, **named, told_to=()))
    return changed


def _changed(
    child: ChildRef, before: Mapping[str, Any], now: Derived
) -> list[events.CategoriesChanged]:
    was = {*before["categories"], *before["priority_flags"]}
    become = {*now.categories, *now.priority_flags}
    open_before, open_now = set(before["undecided"]), set(now.undecided)
    if (was, open_before, set(before["counted"])) == (become, open_now, set(now.counted)):
        return []
    return [
        events.CategoriesChanged(
            subject_id=child.id,
            region_code=child.region_code,
            home_county=child.home_county,
            categories=list(now.categories),
            priority_flags=list(now.priority_flags),
            undecided=list(now.undecided),
            added=sorted(become - was),
            removed=sorted(was - become),
        )
    ]


_SPELT: Final = tuple(naming.spell(""))

_FILES: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, c.categories, c.priority_flags,
       c.undecided, c.counted, c.lacking, c.told, c.next_change_on, c.xmin::text AS written_by,
       {queries.STORED}, {", ".join(f"c.{column}" for column in _SPELT)}
FROM children c WHERE c.home_county = $1 AND"""
_DUE: Final = f"{_FILES} c.next_change_on <= $2 ORDER BY c.next_change_on LIMIT $3"
_NEXT: Final = f"{_FILES} c.id > $2 ORDER BY c.id LIMIT $3"
_THESE: Final = f"{_FILES} c.id = ANY ($2::uuid[]) ORDER BY c.id FOR NO KEY UPDATE"
_AS_READ: Final = """
SELECT c.id FROM children c JOIN unnest($2::uuid[], $3::text[]) AS read (id, written_by)
    ON c.id = read.id AND c.xmin::text = read.written_by
WHERE c.home_county = $1 ORDER BY c.id FOR NO KEY UPDATE OF c
"""

_WRITE: Final = """
UPDATE children c
SET categories = string_to_array(u.categories, ' '),
    priority_flags = string_to_array(u.flags, ' '), undecided = string_to_array(u.undecided, ' '),
    counted = string_to_array(u.counted, ' '), lacking = string_to_array(u.lacking, ' '),
    next_change_on = u.next_change_on, derived_on = $10::date,
    updated_at = CASE WHEN u.differs THEN $11 ELSE c.updated_at END
FROM UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::date[], $9::boolean[])
    AS u (home_county, id, categories, flags, undecided, counted, lacking, next_change_on, differs)
WHERE c.home_county = u.home_county AND c.id = u.id
"""


_RESPELL: Final = f"""
UPDATE children c SET {", ".join(f"{column} = u.{column}" for column in _SPELT)}, updated_at = $3
FROM UNNEST($1::bigint[], $2::uuid[]{"".join(f", ${n}::text[]" for n, _ in enumerate(_SPELT, 4))})
    AS u (home_county, id, {", ".join(_SPELT)})
WHERE c.home_county = u.home_county AND c.id = u.id
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
    """Spell names anew that the release before stored, or that this one spells otherwise."""
    found: list[tuple[Any, ...]] = []
    named: list[tuple[ChildRef, str]] = []
    for row in await _held(tx, home_county, [row for row in rows if _spelt_otherwise(row)]):
        found.append((row["home_county"], row["id"], *naming.spell(row["name"]).values()))
        named.append((queries.ref_of(row), row["name"]))
    if found:
        counties, ids, *columns = map(list, zip(*found, strict=True))
        await tx.connection.execute(_RESPELL, counties, ids, tx.now, *columns)
        await names.keep(tx, named)


def _spelt_otherwise(row: Mapping[str, Any]) -> bool:
    return any(row[column] != value for column, value in naming.spell(row["name"]).items())


class Derivation(SQLModel, table=True):
    """How far the files that a county opened are derived (`derivation`).

    `made_by` derived all of them, at `made_at`; `walked_by`, which is another, is under way, has
    come to `walked_to` and has seen so many `files`. On `derived_on` all were true of that day.
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


distribution.by("derivations", distribution.COUNTY)
rls.allow("derivations", "SELECT, INSERT, UPDATE")


_STANDS_AT: Final = """
INSERT INTO derivations AS d (home_county) VALUES ($1)
ON CONFLICT (home_county) DO UPDATE SET files = d.files
RETURNING made_by, walked_by, walked_to
"""
_WALKED: Final = """
UPDATE derivations
SET walked_by = $2, walked_to = $3, files = CASE WHEN $4 THEN 0 ELSE files END + $5
WHERE home_county = $1
"""
_WALKED_ALL: Final = """
UPDATE derivations SET made_by = walked_by, walked_by = NULL, walked_to = NULL, made_at = $2
WHERE home_county = $1
"""
_DONE: Final = "UPDATE derivations SET derived_on = $2, derived_at = $3 WHERE home_county = $1"


async def rederive(tx: Tx, home_county: int) -> bool:
    """Derive anew the next BATCH of the files that a county opened: all of them, by id, if others
    than these rules or this policy made them; else those whose day has come. Store what is
    different, and announce what follows from it. The version stays: nobody changed the file.

    Returns whether there is more. Where it stands is kept with the county, and held meanwhile;
    a file is from when all are derived, and only if something of it is to be written.
    """
    at = await tx.connection.fetchrow(_STANDS_AT, home_county)
    if at["made_by"] != made_by():
        begins = at["walked_by"] != made_by()
        after = FIRST if begins or at["walked_to"] is None else at["walked_to"]
        rows = await tx.connection.fetch(_NEXT, home_county, after, BATCH)
        await _derive_anew(tx, home_county, rows)
        await _respell(tx, home_county, rows)
        last = rows[-1]["id"] if rows else after
        await tx.connection.execute(_WALKED, home_county, made_by(), last, begins, len(rows))
        if len(rows) < BATCH:
            await tx.connection.execute(_WALKED_ALL, home_county, tx.now)
        return True  # a day may have come meanwhile
    rows = await tx.connection.fetch(_DUE, home_county, tx.today, BATCH)
    await _derive_anew(tx, home_county, rows)
    if len(rows) == BATCH:
        return True
    await tx.connection.execute(_DONE, home_county, tx.today, tx.now)
    return False


async def _derive_anew(tx: Tx, home_county: int, rows: Sequence[Mapping[str, Any]]) -> None:
    read = [(row, _outcome(tx, row)) for row in rows]
    outcomes = {
        row["id"]: (row, outcome)
        for row, outcome in read
        if row["next_change_on"] != outcome.next_change_on or _differs(row, outcome)
    }
    found: list[tuple[ChildRef, Derived, bool]] = []
    news: list[announcements.Event] = []
    for row in await _held(tx, home_county, [row for row, _ in outcomes.values()]):
        as_read, outcome = outcomes[row["id"]]
        if row is not as_read:
            outcome = _outcome(tx, row)
        child = queries.ref_of(row)
        found.append((child, outcome, _differs(row, outcome)))
        news += announced(child, row, outcome, tx.today)
    await _store(tx, found, news)


def _outcome(tx: Tx, row: Mapping[str, Any]) -> Derived:
    told = Told.all_of(row["told"])
    return derive(sealing.whole(tx.keyring, row), row["region_code"], tx.today, told)


def _differs(row: Mapping[str, Any], outcome: Derived) -> bool:
    """Tell whether a file says something else than before, but for the day it changes on."""
    return any({*row[name]} != {*getattr(outcome, name)} for name in _SAID)


_SAID: Final = ("categories", "priority_flags", "undecided", "counted", "lacking")


async def _store(
    tx: Tx, found: Sequence[tuple[ChildRef, Derived, bool]], news: Sequence[announcements.Event]
) -> None:
    """Each with whether it says something else than before, but for the day it changes on."""
    if not found:
        return
    await tx.connection.execute(
        _WRITE,
        [child.home_county for child, _, _ in found],
        [child.id for child, _, _ in found],
        [" ".join(outcome.categories) for _, outcome, _ in found],
        [" ".join(outcome.priority_flags) for _, outcome, _ in found],
        [" ".join(outcome.undecided) for _, outcome, _ in found],
        [" ".join(outcome.counted) for _, outcome, _ in found],
        [" ".join(outcome.lacking) for _, outcome, _ in found],
        [outcome.next_change_on for _, outcome, _ in found],
        [differs for _, _, differs in found],
        tx.today,
        tx.now,
    )
    await announcements.publish(tx, *news)


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
SELECT count(*)::int, (count(*) FILTER (WHERE d.made_by = $1))::int,
       coalesce(sum(d.files) FILTER (WHERE coalesce(d.walked_by, d.made_by) = $1), 0)::int,
       CASE WHEN bool_and(d.derived_on IS NOT NULL) THEN min(d.derived_on) END
FROM ({_COUNTIES}) AS filed LEFT JOIN derivations d ON d.home_county = filed.county
"""


async def how_far(tx: Tx) -> HowFar:
    """Say how far the files are derived by these rules and this policy."""
    return HowFar(*await tx.connection.fetchrow(_HOW_FAR, made_by()))


_ONE: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, c.categories, c.priority_flags,
       c.undecided, c.counted, c.lacking, c.told, {queries.STORED}
FROM children c WHERE c.id = $1 FOR NO KEY UPDATE
"""


async def tell(tx: Tx, child_id: UUID, kind: Kind, source_id: UUID, fact: Told | None) -> None:
    """Keep with a file what a source tells of this kind now, None: nothing more; and what follows.
    In SYSTEM's reach; again, it changes nothing. Two statements, if it is new.
    """
    row = await tx.connection.fetchrow(_ONE, child_id)
    before = Told.all_of(row["told"])
    now = without(before, kind, source_id) if fact is None else with_fact(before, fact)
    if {*before} == {*now}:
        return
    await tx.connection.execute(
        "UPDATE children SET told = $3::jsonb, updated_at = $4 WHERE home_county = $1 AND id = $2",
        row["home_county"],
        child_id,
        stored(now),
        tx.now,
    )
    child = ChildRef(row["id"], row["home_county"], row["region_code"], row["school_id"])
    outcome = derive(sealing.whole(tx.keyring, row), child.region_code, tx.today, now)
    await _store(tx, [(child, outcome, True)], announced(child, row, outcome, tx.today))
