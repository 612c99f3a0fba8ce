"""What a copy of a child's data holds, for whom: `copies.yaml`. Pure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from app.access.roles import FIELD_GROUPS
from app.core import data_files
from app.core.areas import scopes
from app.core.data_files import DataFile, Part, Text, Words
from app.rights.models import AskedBy


class _Kept(Part):
    title: Text
    fields: dict[str, Text]
    child_only: tuple[Text, ...] = ()
    child_only_all: bool = False

    def given_to(self, asker: AskedBy) -> Mapping[str, str]:
        """Return what of it is given, by field, with what that is called."""
        if asker is not AskedBy.guardian:
            return self.fields
        if self.child_only_all:
            return {}
        return {name: said for name, said in self.fields.items() if name not in self.child_only}


class CopiedChapter(_Kept):
    """A chapter: `scope` is what the office must hold."""

    scope: Text


class Copies(Part):
    """All of `copies.yaml`. See its head."""

    left_out: Words
    sections: dict[str, _Kept]
    chapters: dict[str, CopiedChapter]


@cache
def file() -> DataFile:
    """Read `copies.yaml`. Raises BadDataFile."""
    return data_files.read("app.rights", "copies.yaml")


@cache
def copies() -> Copies:
    """Return what a copy holds. Raises BadDataFile."""
    return file().parsed(Copies, (), file().content)


def check(read: DataFile, chapters: Mapping[str, Any]) -> None:
    """Raise BadDataFile unless its sections are sections, its chapters those that can be read, each
    under a scope, and what is the child's only is a field of theirs.
    """
    said = read.parsed(Copies, (), read.content)
    for name in said.sections:
        read.require(("sections", name), "section", name, FIELD_GROUPS)
    for name, each in said.chapters.items():
        read.require(("chapters", name), "chapter of a copy", name, chapters)
        read.require(("chapters", name, "scope"), "scope", each.scope, scopes())
    parts: list[tuple[str, Mapping[str, _Kept]]] = [
        ("sections", said.sections),
        ("chapters", said.chapters),
    ]
    for kind, kept in parts:
        for name, part in kept.items():
            for position, field in enumerate(part.child_only):
                place = (kind, name, "child_only", position)
                read.require(place, "field of it", field, part.fields)


def picked(value: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    """Yield name, label and value of the fields given: of `a.b`, b of each a."""
    for name, label in given.items():
        outer, _, inner = name.partition(".")
        yield name, label, _inside(value.get(outer), inner) if inner else value.get(outer)


def _inside(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_inside(each, name) for each in value]
    return None if value is None else value.get(name)
