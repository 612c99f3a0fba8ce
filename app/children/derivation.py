"""Apply the rules to stored files: on every change, on the day on which a file may come to say
something else (`next_change_on`), and to all of them once the rules or the policy are others.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from app.children import events, queries, rules, sealing
from app.children.completeness import completion, part_of, parts_lacking
from app.children.queries import ChildRef
from app.children.rules import Derived
from app.children.sections import File
from app.children.told import Kind, Told, stored, with_fact, without
from app.core.data.db import Tx
from app.core.jobs import events as announcements
from app.policy import queries as policy
from app.policy.rules import changes_after
from app.regions.rules import NATION

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
    policy of a region on a day. Of a file that lies nowhere, which is only stored, nothing follows.
    """
    if region_code == NATION:
        return Derived((), ())
    facts = rules.Facts(birth_date(file), region_code, file, tuple(told))
    found = rules.derive(facts, policy_on(region_code, on), on)
    other_policy = _policy_changes_on(region_code, on)
    if found.next_change_on is None or other_policy is None or found.next_change_on <= other_policy:
        return found
    return replace(found, next_change_on=other_policy)


def held_since(before: Mapping[str, Any], file: File, now: Derived, on: date) -> dict[str, date]:
    """Return, of the categories and flags that came, what the calendar had brought to the stored
    `file` before, and on which day: nights were missed.
    """
    came = _said(now.categories, now.priority_flags) - _said(
        before["categories"], before["priority_flags"]
    )
    since: date | None = before["next_change_on"]
    if not came or since is None or not date.min < since < on:
        return {}
    told = Told.all_of(before["told"])
    held: dict[str, date] = {}
    day: date | None = since - timedelta(days=1)
    while day is not None and day < on:
        found = derive(file, before["region_code"], day, told)
        has = came & _said(found.categories, found.priority_flags)
        held = {code: held.get(code, day) for code in has}
        day = found.next_change_on
    return {code: first for code, first in sorted(held.items()) if first >= since}


def _said(categories: Iterable[str], priority_flags: Iterable[str]) -> set[str]:
    return {*categories, *priority_flags}


def birth_date(file: File) -> date:
    """Return a birth date that was checked to be there."""
    if file.identity.birth_date is None:
        raise ValueError("a file without a birth date was not checked")
    return file.identity.birth_date


def announced(
    child: ChildRef, before: Mapping[str, Any], file: File, now: Derived, on: date
) -> list[announcements.Event]:
    """Return the events that say what is different from the stored row and `file`, if anything
    is.
    """
    since = held_since(before, file, now, on)
    changed: list[announcements.Event] = [*_changed(child, before, now, since)]
    place = {"region_code": child.region_code, "home_county": child.home_county}
    about = {"subject_id": child.id, **place}
    if now.lacking and not before["lacking"]:
        changed.append(events.FileLacking(**about, completion_id=completion(child.id, on)))
    for part in sorted(parts_lacking(now.lacking) - parts_lacking(before["lacking"])):
        named = {"part": part, "part_id": part_of(child.id, part)}
        changed.append(events.PartLacking(**about, **named, told_to=()))
    return changed


def _changed(
    child: ChildRef, before: Mapping[str, Any], now: Derived, since: Mapping[str, date]
) -> list[events.CategoriesChanged]:
    was = _said(before["categories"], before["priority_flags"])
    become = _said(now.categories, now.priority_flags)
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
            held_since=dict(since),
        )
    ]


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


async def store(
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


_ONE: Final = f"""
SELECT c.id, c.home_county, c.region_code, c.school_id, c.categories, c.priority_flags,
       c.undecided, c.counted, c.lacking, c.told, c.next_change_on, {queries.STORED}
FROM children c WHERE c.home_county = $1 AND c.id = $2 FOR NO KEY UPDATE
"""


async def tell(tx: Tx, child_id: UUID, kind: Kind, source_id: UUID, fact: Told | None) -> None:
    """Keep with a file what a source tells of this kind now, None: nothing more; and what follows.
    In SYSTEM's reach; again, it changes nothing. Three statements, if it is new.
    """
    county = await queries.opened_in(tx, child_id)
    row = await tx.connection.fetchrow(_ONE, county, child_id)
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
    file = sealing.whole(tx.keyring, row)
    outcome = derive(file, child.region_code, tx.today, now)
    await store(tx, [(child, outcome, True)], announced(child, row, file, outcome, tx.today))
