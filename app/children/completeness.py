"""What a file does not say that each file is to say (REG-10, REG-12: 翔实完备), whatever hangs on
it. Pure.
"""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

from app.children.sections import File
from app.core.ids import standing_for

_SCHOOL_AGE = 6
"""From which age on a child is to be in school (义务教育法 11)."""
_NOBODY_NAMED = frozenset({"parent", "institution", "none"})
"""Guardianships whose guardian is named elsewhere, or nobody."""


def completion(child_id: UUID, on: date) -> UUID:
    """Name the completing of a file in a quarter: what is emptied again in it was no completing."""
    return standing_for("completion", [str(child_id), on.year, (on.month - 1) // 3])


def lacking(file: File, age: int) -> tuple[str, ...]:
    """Name the places of a file that say nothing, in its order."""
    return tuple(place for place, said in _asked(file, age) if not said)


def _asked(file: File, age: int) -> Iterator[tuple[str, bool]]:
    identity, hukou, guardianship = file.identity, file.hukou, file.guardianship
    yield "identity.resident_id", bool(identity.resident_id or identity.no_resident_id_reason)
    yield "hukou.registered", hukou.registered is not None
    yield "hukou.region_code", hukou.registered is False or hukou.region_code is not None
    yield "residence.address", file.residence.address is not None
    yield "residence.lives_with", bool(file.residence.lives_with)
    parents = {each.role for each in file.family.parents if each.statuses}
    for role in ("father", "mother"):
        by_one = file.adoption.adopted_by == "one" and bool(parents)
        yield f"family.{role}", role in parents or by_one
    yield "guardianship.kind", guardianship.kind is not None
    guardian = guardianship.guardian
    named = guardian is not None and guardian.name is not None
    yield "guardianship.guardian", guardianship.kind in _NOBODY_NAMED or named
    if age >= _SCHOOL_AGE:
        yield "education.status", file.education.status is not None
        yield "education.stage", file.education.stage is not None
    yield "health.status", file.health.status is not None
    yield "welfare.poor", file.welfare.poor is not None
    yield "welfare.income_sources", bool(file.welfare.income_sources)
