"""What is collected of a child, on what ground, and what is told of it: `grounds.yaml`."""

from collections.abc import Collection as Names
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Self

from pydantic import model_validator

from app.core import data_files
from app.core.areas import Scope
from app.core.data_files import DataFile, Part, Text, Words
from app.policy import laws


class Basis(StrEnum):
    """On what ground personal data is processed (个人信息保护法 13)."""

    statutory_duty = "statutory_duty"
    emergency = "emergency"
    consent = "consent"


class ConsentTo(StrEnum):
    """The collections that rest on consent."""

    referral_to_organisation = "referral_to_organisation"


class Collection(Part):
    """One kind of data that is collected. See the head of `grounds.yaml`."""

    code: Text
    title: Words
    of: tuple[Text, ...]
    basis: Basis
    laws: tuple[Text, ...]
    why: Words
    notices: tuple[Words, ...]
    untold: Words | None = None
    agency_kinds: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _is_told_or_says_why_not(self) -> Self:
        if bool(self.notices) == (self.untold is not None):
            raise ValueError("say `notices`, or `untold`: why there are none")
        if self.agency_kinds and self.basis is not Basis.consent:
            raise ValueError("`agency_kinds` goes with `basis: consent`")
        return self

    @property
    def version(self) -> int:
        """The version of the text that is told now; 0: none is."""
        return len(self.notices)


class _File(Part):
    rights: Words
    collections: dict[str, dict[str, object]]


@cache
def file() -> DataFile:
    """Read `grounds.yaml`. Raises BadDataFile."""
    return data_files.read("app.consents", "grounds.yaml")


@cache
def rights() -> Words:
    """Return what the child and the guardian are told of their rights, below each text."""
    return _parsed(file()).rights


@cache
def collections() -> Mapping[str, Collection]:
    """Return every collection by code, in the order of the file. Raises BadDataFile."""
    return _collections(file())


def _parsed(read: DataFile) -> _File:
    return read.parsed(_File, (), read.content)


def _collections(read: DataFile) -> Mapping[str, Collection]:
    return {
        code: read.parsed(Collection, ("collections", code), {"code": code, **said})
        for code, said in _parsed(read).collections.items()
    }


def check(read: DataFile, sections: Names[str], scopes: Names[Scope]) -> None:
    """Raise BadDataFile unless each section of a file, and each chapter with personal data, is
    collected on exactly one ground, and laws and chapters that are named exist.
    """
    chapters = {each.code.partition(":")[0]: False for each in scopes}
    for each in scopes:
        chapters[each.code.partition(":")[0]] |= each.personal
    named: dict[str, str] = {}
    for code, said in _collections(read).items():
        place = ("collections", code)
        if said.basis is Basis.consent:
            read.require(place, "ConsentTo", code, [*ConsentTo])
        for position, article in enumerate(said.laws):
            read.require((*place, "laws", position), "article of law", article, laws.articles())
        for position, name in enumerate(said.of):
            here = (*place, "of", position)
            read.require(here, "section or chapter", name, {*sections, *chapters})
            if name in named:
                raise read.refusal(here, f"{name} is collected as {named[name]} already")
            named[name] = code
    for name in (*sections, *(chapter for chapter, personal in chapters.items() if personal)):
        if name not in named:
            held = sorted(each.code for each in scopes if each.code.partition(":")[0] == name)
            of = f" ({', '.join(held)})" if held else ""
            raise read.refusal(
                ("collections",),
                f"nothing says on what ground {name}{of} is collected: name it under `of` of one"
                " collection; or the scope opens nobody's data and says `personal=False`",
            )


def needed_for(agency_kind: str) -> Collection | None:
    """Return what a child is referred by hand to a kind of agency on, if that takes consent."""
    return next((each for each in collections().values() if agency_kind in each.agency_kinds), None)
