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


def since_said(change: ChildChange, section: str) -> date | None:
    """Return since when a section is as the request says, if the request says that too."""
    patch = getattr(change, section)
    said = patch is not None and "since" in patch.model_fields_set
    return patch.since if said else None


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
