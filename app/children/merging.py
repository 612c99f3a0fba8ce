"""What a request makes of a file: opened from sections, or changed by a merge patch. Pure."""

from datetime import date
from typing import TypeVar

from pydantic import BaseModel

from app.children.schemas import ChildChange, ChildCreate
from app.children.sections import SECTIONS, File

M = TypeVar("M", bound=BaseModel)


def opened(new: ChildCreate) -> tuple[File, list[str]]:
    """Return the file that a request opens, and which sections it gives."""
    given = {name: section for name in SECTIONS if (section := getattr(new, name)) is not None}
    # A request demands more of a section than a file does: keep what a file says of it.
    whole = {name: SECTIONS[name].model_construct(**dict(value)) for name, value in given.items()}
    return File.model_validate(whole), [*given]


def named(change: ChildChange) -> list[str]:
    """Name the sections that a request changes, in the order of the file."""
    return [name for name in SECTIONS if name in change.model_fields_set]


def enrolled_since(before: File, change: ChildChange) -> date | None:
    """Return since when the child is at school as the request says, if that is said anew. A section
    sent back as it was read says nothing new.
    """
    said = None if change.education is None else change.education.since
    return None if said == before.education.since else said


def begun(before: File, after: File, change: ChildChange, today: date) -> File:
    """Let a change of school or class begin today, unless it is said anew since when it is so."""
    was, now = before.education, after.education
    same = (was.school_id, was.class_name) == (now.school_id, now.class_name)
    if same or change.education is None or enrolled_since(before, change) is not None:
        return after
    begins = now.model_copy(update={"since": today})
    return after.model_copy(update={"education": begins})


def elsewhere(before: File, after: File, change: ChildChange) -> File:
    """Let what was said of the place where the child lived not be so of another, unless it is said
    anew (DEF-04).
    """
    was, now = before.residence, after.residence
    if was.region_code == now.region_code or change.residence is None:
        return after
    unsaid = {"rural_place", "rural_since"} - change.residence.model_fields_set
    there = now.model_copy(update=dict.fromkeys(unsaid))
    return after.model_copy(update={"residence": there})


def differing(before: File, after: File) -> list[str]:
    """Name the sections that are not the same in two files."""
    return [name for name in SECTIONS if getattr(before, name) != getattr(after, name)]


def merged(stored: M, patch: BaseModel) -> M:
    """Apply a merge patch (RFC 7396) to a file or a part of it: a field left out stays, null makes
    it what it is while nothing is known, objects are merged, lists replaced.
    """
    news = {}
    for name in patch.model_fields_set:
        old, value = getattr(stored, name), getattr(patch, name)
        if value is None:
            value = type(stored).model_fields[name].get_default(call_default_factory=True)
        elif isinstance(value, BaseModel) and isinstance(old, BaseModel):
            value = merged(old, value)
        news[name] = value
    return stored.model_copy(update=news)
