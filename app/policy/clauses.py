"""The 209 obligations read out of the source documents, and what carries each.

`data/obligations.json` holds what each says in the original; `clauses.yaml` says which rule,
parameter, resource, statistic, field or document carries it and which test would fail without it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypedDict

from app.core.data_files import plain

_HERE: Final = Path(__file__).parent
_KINDS: Final = ("rule:", "parameter:", "resource:", "statistic:", "field:", "document:")
_TITLES: Final = frozenset({"id", "area", "title_zh", "title_en"})
_CARRIED: Final = _TITLES | {"carried_by", "tests"}
_NOT_CARRIED: Final = _TITLES | {"status"}


class Obligation(TypedDict):
    """One row of the table of obligations; "—" where the source says nothing. `zh` quotes the
    source. The other texts are English readings of it.
    """

    id: str
    area: str
    src: str
    who: str
    trigger: str
    what: str
    when: str
    evidence: str
    notify: str
    fields: str
    zh: str


@dataclass(frozen=True, slots=True)
class Clause:
    """What carries an obligation, if anything: `kind:reference` each, and pytest node ids."""

    id: str
    area: str
    title_zh: str
    title_en: str
    carried_by: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def carried(self) -> bool:
        return bool(self.carried_by)


class AreaCoverage(NamedTuple):
    """How many of an area's obligations are carried."""

    area: str
    carried: int
    total: int


class BadClause(ValueError):
    """An entry of `clauses.yaml` is not of the form its head describes."""


def load() -> tuple[Clause, ...]:
    """Return all clauses, by area. Raises BadClause."""
    entries = plain((_HERE / "clauses.yaml").read_text(encoding="utf-8"))
    return tuple(clause(entry) for entry in entries)


def obligations() -> tuple[Obligation, ...]:
    """Return what the sources say, in the order of the table."""
    rows: list[Obligation] = json.loads((_HERE / "data" / "obligations.json").read_bytes())
    return tuple(rows)


def coverage(clauses: Iterable[Clause]) -> list[AreaCoverage]:
    """Count carried and all clauses by area, in the order the areas appear."""
    by_area: dict[str, list[bool]] = {}
    for each in clauses:
        by_area.setdefault(each.area, []).append(each.carried)
    return [AreaCoverage(area, sum(carried), len(carried)) for area, carried in by_area.items()]


def clause(entry: Mapping[str, Any]) -> Clause:
    """Read one entry of the YAML. Raises BadClause."""
    which = entry.get("id", "an entry without id")
    if entry.keys() not in (_CARRIED, _NOT_CARRIED):
        raise BadClause(f"{which}: either carried_by and tests, or status, beside {_TITLES}")
    if entry.get("status", "not_yet") != "not_yet":
        raise BadClause(f"{which}: the only status is not_yet")
    carried_by, tests = tuple(entry.get("carried_by", ())), tuple(entry.get("tests", ()))
    if "status" not in entry and not (carried_by and tests):
        raise BadClause(f"{which}: something carries it and a test shows it, or it is not_yet")
    for reference in carried_by:
        if not reference.startswith(_KINDS) or reference in _KINDS:
            raise BadClause(f"{which}: {reference} is no carrier")
    titles = {name: entry[name] for name in _TITLES}
    return Clause(**titles, carried_by=carried_by, tests=tests)
