"""Apply the rules to stored files: on every change, and daily, since ages, policy and the spelling
of names change too.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.children import events, names, naming, queries, rules, sealing
from app.children.answers import Answer
from app.children.completeness import completion, part_of, parts_lacking
from app.children.queries import ChildRef
from app.children.rules import Derived
from app.children.sections import File
from app.children.told import Kind, Told, stored, with_fact, without
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.jobs import events as announcements
from app.policy import queries as policy

BATCH: Final = 1000

policy.require(*rules.PARAMETERS)


@lru_cache(maxsize=20_000)
def _policy(region_code: int, on: date) -> rules.Policy:
    return rules.policy_of(policy.values(), region_code, on)


def derive(file: File, region_code: int, on: date, told: Sequence[Told] = ()) -> Derived:
    """Derive from a file that has a birth date, and from what others told of the child, under the
    policy of a region on a day.
    """
    facts = rules.Facts(_birth_date(file), region_code, file, tuple(told))
    return rules.derive(facts, _policy(region_code, on), on)


def _birth_date(file: File) -> date:
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


async def reasons(tx: Tx, principal: Principal, child: ChildRef) -> dict[str, Any]:
    """Say why a file is in its categories and flagged, or what it lacks to decide; facts of
    sections the caller reads only.
    """
    row = await tx.connection.fetchrow(
        f"SELECT c.id, c.told, {queries.STORED} FROM children c"
        " WHERE c.home_county = $1 AND c.id = $2",
        child.home_county,
        child.id,
    )
    file = sealing.whole(tx.keyring, row)
    told = Told.all_of(row["told"])
    facts = rules.Facts(_birth_date(file), child.region_code, file, told)
    answers = rules.decide(facts, _policy(child.region_code, tx.today), tx.today)
    seen = "derived" in principal.role.reads
    return {
        "as_of": tx.today,
        "reasons": [
            _reason(principal, child, result, answer, kind, tx.today)
            for kind, found in zip(("categories", "flags"), answers, strict=True)
            for result, answer in found.items()
            if seen and answer.holds is not False
        ],
    }


def _reason(
    principal: Principal, child: ChildRef, result: str, answer: Answer, kind: str, on: date
) -> dict[str, Any]:
    names, obligations = rules.DERIVED_FROM[
        kind if kind == "flags" else "difficulty" if result.startswith("difficulty.") else result
    ]
    found = [policy.effective_value(name, child.region_code, on) for name in names]
    return {
        "result": result,
        "holds": answer.holds,
        "facts": sorted(f for f in answer.facts if f.split(".")[0] in principal.role.reads),
        "settings": [
            {"name": v.name, "region_code": region_text(v.region_code), "citation": v.citation}
            for v in found
        ],
        "obligations": obligations,
    }


_SPELT: Final = tuple(naming.spell(""))

_NEXT: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, c.categories, c.priority_flags,
       c.undecided, c.counted, c.lacking, c.told,
       {queries.STORED}, {", ".join(f"c.{column}" for column in _SPELT)}
FROM children c WHERE c.id > $1 AND (c.birth_date > $2 OR c.categories <> '{{}}'
    OR c.undecided <> '{{}}')
ORDER BY c.id LIMIT $3 FOR NO KEY UPDATE
"""

_WRITE: Final = """
UPDATE children c
SET categories = string_to_array(u.categories, ' '),
    priority_flags = string_to_array(u.flags, ' '), undecided = string_to_array(u.undecided, ' '),
    counted = string_to_array(u.counted, ' '), lacking = string_to_array(u.lacking, ' '),
    derived_on = $8::date, updated_at = $9
FROM UNNEST($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS u (home_county, id, categories, flags, undecided, counted, lacking)
WHERE c.home_county = u.home_county AND c.id = u.id
"""


_RESPELL: Final = f"""
UPDATE children c SET {", ".join(f"{column} = u.{column}" for column in _SPELT)}, updated_at = $3
FROM UNNEST($1::bigint[], $2::uuid[]{"".join(f", ${n}::text[]" for n, _ in enumerate(_SPELT, 4))})
    AS u (home_county, id, {", ".join(_SPELT)})
WHERE c.home_county = u.home_county AND c.id = u.id
"""


async def _respell(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Spell names anew that the release before stored, or that this one spells otherwise."""
    found: list[tuple[Any, ...]] = []
    named: list[tuple[ChildRef, str]] = []
    for row in rows:
        spelt = naming.spell(row["name"])
        if any(row[column] != value for column, value in spelt.items()):
            found.append((row["home_county"], row["id"], *spelt.values()))
            named.append((queries.ref_of(row), row["name"]))
    if found:
        counties, ids, *columns = map(list, zip(*found, strict=True))
        await tx.connection.execute(_RESPELL, counties, ids, tx.now, *columns)
        await names.keep(tx, named)


async def rederive(tx: Tx, after: UUID) -> UUID | None:
    """Derive the next BATCH of files anew, by id, and spell their names; store those that are
    different, and announce what follows from them.

    Returns the id to go on after, None at the end. Grown-ups are left out once they are in no
    category. The version stays: nobody changed the file.
    """
    rows = await tx.connection.fetch(_NEXT, after, tx.today - timedelta(days=366 * 18), BATCH)
    changed: list[tuple[ChildRef, Derived]] = []
    news: list[announcements.Event] = []
    for row in rows:
        child = queries.ref_of(row)
        told = Told.all_of(row["told"])
        outcome = derive(sealing.whole(tx.keyring, row), child.region_code, tx.today, told)
        said = announced(child, row, outcome, tx.today)
        if said or {*row["lacking"]} != {*outcome.lacking}:
            changed.append((child, outcome))
            news += said
    await _store(tx, changed, news)
    await _respell(tx, rows)
    return rows[-1]["id"] if len(rows) == BATCH else None


async def _store(
    tx: Tx, changed: Sequence[tuple[ChildRef, Derived]], news: Sequence[announcements.Event]
) -> None:
    if not changed:
        return
    await tx.connection.execute(
        _WRITE,
        [child.home_county for child, _ in changed],
        [child.id for child, _ in changed],
        [" ".join(outcome.categories) for _, outcome in changed],
        [" ".join(outcome.priority_flags) for _, outcome in changed],
        [" ".join(outcome.undecided) for _, outcome in changed],
        [" ".join(outcome.counted) for _, outcome in changed],
        [" ".join(outcome.lacking) for _, outcome in changed],
        tx.today,
        tx.now,
    )
    await announcements.publish(tx, *news)


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
    await _store(tx, [(child, outcome)], announced(child, row, outcome, tx.today))
