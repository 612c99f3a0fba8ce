"""The closed lists of codes that the API speaks, with their names in Chinese and English.

`data/codelists.yaml` is their source. A list may take its codes from a policy parameter: then they
depend on the region and the day.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any, Self

from pydantic import model_validator

from app.core import data_files
from app.core.data_files import DataFile, Part, Text, Words
from app.policy.rules import ParameterMissing, ParameterValue, effective


class Entry(Words):
    """One code and what it is called."""

    code: Text


class Codelist(Part):
    """A list: its title, and either its codes and their source or the parameter that gives both.
    See the head of `codelists.yaml`.
    """

    title: Words
    parameter: Text | None = None
    source: Text | None = None
    items: tuple[Entry, ...] = ()

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if not bool(self.source) == bool(self.items) == (self.parameter is None):
            raise ValueError("say either `parameter`, or `source` and `items`")
        return self


def file() -> DataFile:
    """Read `codelists.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/codelists.yaml")


@cache
def codelists() -> Mapping[str, Codelist]:
    """Return all lists by name. Raises BadDataFile."""
    return lists_of(file())


def lists_of(read: DataFile) -> Mapping[str, Codelist]:
    """Read lists; whether the parameters they name exist is for `check`. Raises BadDataFile."""
    found = {name: read.parsed(Codelist, (name,), entry) for name, entry in read.entries()}
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
        return chosen.items
    try:
        items = effective(values, chosen.parameter, region_code, on).value
    except ParameterMissing:
        return ()
    return tuple(Entry(code=item["code"], zh=item["zh"], en=item["en"]) for item in items)
