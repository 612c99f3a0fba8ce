"""What a file does not say that each file is to say (REG-10, REG-12: 翔实完备), whatever hangs on
it. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final, get_args
from uuid import UUID

from app.children.day import Day, birthday
from app.children.events import Part
from app.children.sections import File
from app.children.sections.family import Parent
from app.core.ids import standing_for

_SCHOOL_AGE: Final = 6
"""From which age on a child is to be in school (义务教育法 11)."""
_NOBODY_NAMED = frozenset({"parent", "institution", "none"})
"""Guardianships whose guardian is named elsewhere, or nobody."""

PARTS: Final[Mapping[Part, tuple[str, ...]]] = {
    "base": ("identity", "family", "guardianship", "education"),
    "school": ("guardianship", "education"),
}
"""The sections of a part. What a school does not read it is not asked for: it would learn of it."""


def completion(child_id: UUID, on: date) -> UUID:
    """Name the completing of a file in a quarter: what is emptied again in it was no completing."""
    return standing_for("completion", [str(child_id), on.year, (on.month - 1) // 3])


def part_of(child_id: UUID, part: Part) -> UUID:
    """Name a part of a child's file: always the same."""
    return standing_for("part", [str(child_id), part])


def places_of(part: Part) -> list[str]:
    """Return every place of a part that a file may lack."""
    places = (place for place, _ in _asked(File(), at_school_age=True))
    return [place for place in places if place.split(".")[0] in PARTS[part]]


def parts_lacking(places: Iterable[str]) -> set[Part]:
    """Return the parts that lack something, of all that a file lacks."""
    sections = {place.split(".")[0] for place in places}
    return {part for part in get_args(Part) if not sections.isdisjoint(PARTS[part])}


def of_school_age(birth_date: date, on: Day) -> bool:
    """Whether a child is to be in school, so that its file says where."""
    return on.has_come(birthday(birth_date, _SCHOOL_AGE))


def lacking(file: File, *, at_school_age: bool) -> tuple[str, ...]:
    """Name the places of a file that say nothing, in its order."""
    return tuple(place for place, said in _asked(file, at_school_age=at_school_age) if not said)


def _told_of(parent: Parent) -> bool:
    """Tell whether something is said of a parent: that nobody knows (情况不详) says nothing."""
    return any(each.status != "unknown" for each in parent.statuses)


def _asked(file: File, *, at_school_age: bool) -> Iterator[tuple[str, bool]]:
    identity, hukou, guardianship = file.identity, file.hukou, file.guardianship
    yield "identity.resident_id", bool(identity.resident_id or identity.no_resident_id_reason)
    yield "hukou.registered", hukou.registered is not None
    yield "hukou.region_code", hukou.registered is False or hukou.region_code is not None
    yield "residence.address", file.residence.address is not None
    yield "residence.lives_with", bool(file.residence.lives_with)
    parents = {each.role for each in file.family.parents if _told_of(each)}
    for role in ("father", "mother"):
        by_one = file.adoption.adopted_by == "one" and bool(parents)
        yield f"family.{role}", role in parents or by_one
    yield "guardianship.kind", guardianship.kind is not None
    guardian = guardianship.guardian
    named = guardian is not None and guardian.name is not None
    yield "guardianship.guardian", guardianship.kind in _NOBODY_NAMED or named
    if at_school_age:
        yield "education.status", file.education.status is not None
        yield "education.stage", file.education.stage is not None
    yield "health.status", file.health.status is not None
    yield "welfare.poor", file.welfare.poor is not None
    yield "welfare.income_sources", bool(file.welfare.income_sources)
