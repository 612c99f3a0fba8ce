"""The closed lists of codes that the API speaks, with their names in Chinese and English.

`data/codelists.yaml` is their source. A list may take its codes from a policy parameter: then they
depend on the region and the day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.core.data_files import plain
from app.policy.rules import ParameterMissing, ParameterValue, effective

_FILE: Final = Path(__file__).parent / "data" / "codelists.yaml"


@dataclass(frozen=True, slots=True)
class Entry:
    """One code and what it is called."""

    code: str
    zh: str
    en: str


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


class BadCodelists(ValueError):
    """The file of code lists cannot be used; the message names the list."""


@cache
def codelists() -> Mapping[str, Codelist]:
    """Return all lists by name. Raises BadCodelists."""
    raw = plain(_FILE.read_text(encoding="utf-8"))
    return {name: codelist(name, entry) for name, entry in raw.items()}


def codelist(name: str, raw: Mapping[str, Any]) -> Codelist:
    """Read one list of the YAML. Raises BadCodelists."""
    parameter = raw.get("parameter")
    if raw.keys() != {"title", "parameter"} and raw.keys() != {"title", "source", "items"}:
        raise BadCodelists(f"{name}: title, and either parameter or source and items")
    entries = _entries(raw.get("items", ()))
    if len({entry.code for entry in entries}) != len(entries):
        raise BadCodelists(f"{name}: a code is repeated")
    if parameter is None and not entries:
        raise BadCodelists(f"{name}: no codes")
    source = raw.get("source") or f"policy parameter {parameter}"
    return Codelist(name, raw["title"]["zh"], raw["title"]["en"], source, parameter, entries)


def entries_in(
    chosen: Codelist, values: Iterable[ParameterValue], region_code: int, on: date
) -> tuple[Entry, ...]:
    """Return the codes of a list in a region on a day; empty where no parameter gives any."""
    if chosen.parameter is None:
        return chosen.entries
    try:
        return _entries(effective(values, chosen.parameter, region_code, on).value)
    except ParameterMissing:
        return ()


def _entries(items: Iterable[Mapping[str, Any]]) -> tuple[Entry, ...]:
    return tuple(Entry(item["code"], item["zh"], item["en"]) for item in items)
