"""The closed lists of codes that the API speaks, with their names in Chinese and English.

`data/codelists.yaml` is their source. A list may take its codes from a policy parameter: then they
depend on the region and the day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from app.core import data_files
from app.core.data_files import DataFile, Text
from app.policy.rules import ParameterMissing, ParameterValue, effective


class _Part(BaseModel):
    """A part of `codelists.yaml`; see its head."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Part):
    """One code and what it is called."""

    code: Text
    zh: Text
    en: Text


class _Title(_Part):
    zh: Text
    en: Text


class _List(_Part):
    title: _Title
    parameter: Text | None = None
    source: Text | None = None
    items: tuple[Entry, ...] = ()

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if not bool(self.source) == bool(self.items) == (self.parameter is None):
            raise ValueError("say either `parameter`, or `source` and `items`")
        return self


@dataclass(frozen=True, slots=True)
class Codelist:
    """A list: its titles, where it comes from, and its codes or the parameter that gives them."""

    name: str
    title_zh: str
    title_en: str
    source: str
    parameter: str | None
    entries: tuple[Entry, ...]

    @property
    def codes(self) -> frozenset[str]:
        """The codes of a list that no parameter gives."""
        return frozenset(entry.code for entry in self.entries)


def file() -> DataFile:
    """Read `codelists.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/codelists.yaml")


@cache
def codelists() -> Mapping[str, Codelist]:
    """Return all lists by name. Raises BadDataFile."""
    return lists_of(file())


def lists_of(read: DataFile) -> Mapping[str, Codelist]:
    """Read lists; whether the parameters they name exist is for `check`. Raises BadDataFile."""
    found = {}
    for name, entry in read.entries():
        one = read.parsed(_List, (name,), entry)
        source = one.source or f"policy parameter {one.parameter}"
        found[name] = Codelist(name, one.title.zh, one.title.en, source, one.parameter, one.items)
    read.require_unlike("code")
    return found


def check(read: DataFile, parameters: Mapping[str, Any]) -> None:
    """Raise BadDataFile unless every parameter that a list names exists."""
    for name, one in lists_of(read).items():
        if one.parameter is not None:
            read.require((name, "parameter"), "policy parameter", one.parameter, parameters)


def entries_in(
    chosen: Codelist, values: Iterable[ParameterValue], region_code: int, on: date
) -> tuple[Entry, ...]:
    """Return the codes of a list in a region on a day; empty where no parameter gives any."""
    if chosen.parameter is None:
        return chosen.entries
    try:
        items = effective(values, chosen.parameter, region_code, on).value
    except ParameterMissing:
        return ()
    return tuple(Entry(code=item["code"], zh=item["zh"], en=item["en"]) for item in items)
