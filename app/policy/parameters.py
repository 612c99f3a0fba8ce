"""Load and check the policy parameters that ship with Tonghu.

`data/parameters.yaml` declares every parameter (JSON Schema of its value, what it settles) and
gives the values that the sources state for real places. `data/demo_parameters.yaml` adds the rules
of a district whose name its source masks, on a place chosen for the demo.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from app.core.data_files import plain
from app.policy.rules import ParameterValue
from app.regions.rules import NATION, is_valid_code

_DATA: Final = Path(__file__).parent / "data"
_DECLARED_KEYS: Final = frozenset({"title_zh", "title_en", "note", "schema", "values"})
_REQUIRED_KEYS: Final = _DECLARED_KEYS - {"note", "values"}
_VALUE_KEYS: Final = frozenset({"region", "valid_from", "valid_until", "value", "citation"})
_REQUIRED_VALUE_KEYS: Final = _VALUE_KEYS - {"valid_until"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a parameter is: its name, titles, what to know about it and its value's JSON Schema."""

    name: str
    title_zh: str
    title_en: str
    note: str
    schema: Mapping[str, Any]


class BadParameters(ValueError):
    """A parameter file cannot be used; the message names the parameter and the rule it breaks."""


def declared() -> tuple[Parameter, ...]:
    """Return all parameters, in the order of the file."""
    return _declarations(_document("parameters.yaml"))


def shipped_parameters() -> tuple[ParameterValue, ...]:
    """Return the values the sources give for the nation and for named places."""
    document = _document("parameters.yaml")
    parameters = _declarations(document)
    for parameter in parameters:
        try:
            Draft202012Validator.check_schema(parameter.schema)
        except SchemaError as error:
            raise BadParameters(f"{parameter.name}: schema: {error.message}") from error
    values = {name: entry.get("values", ()) for name, entry in document["parameters"].items()}
    shipped = checked_values(parameters, values)
    without = {parameter.name for parameter in parameters} - {
        value.name for value in shipped if value.region_code == NATION
    }
    if without:
        raise BadParameters(f"no value for the nation: {', '.join(sorted(without))}")
    return shipped


def demo_parameters() -> tuple[ParameterValue, ...]:
    """Return the values that stand on a place they were not written for. Not for production."""
    return checked_values(declared(), _document("demo_parameters.yaml")["values"])


def contradictions() -> Mapping[int, str | list[str]]:
    """Return, for each of the 30 contradictions of the sources, its parameters or where it went."""
    answered: dict[int, str | list[str]] = _document("parameters.yaml")["contradictions"]
    return answered


def checked_values(
    parameters: Iterable[Parameter], values: Mapping[str, Iterable[Mapping[str, Any]]]
) -> tuple[ParameterValue, ...]:
    """Check raw values (as in the YAML) against their declarations, or raise BadParameters.

    Refused: a name not declared, a missing or unknown key, a value its schema refuses, a number
    that is no region, an empty citation, a period that ends before it starts, and two periods of
    one parameter that overlap in one region.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    unknown = values.keys() - by_name.keys()
    if unknown:
        raise BadParameters(f"not declared: {', '.join(sorted(unknown))}")
    checked = tuple(
        _value(by_name[name], raw) for name, entries in values.items() for raw in entries
    )
    _refuse_overlaps(checked)
    return checked


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = plain((_DATA / name).read_text(encoding="utf-8"))
    return document


def _declarations(document: Mapping[str, Any]) -> tuple[Parameter, ...]:
    return tuple(_declaration(name, entry) for name, entry in document["parameters"].items())


def _declaration(name: str, entry: Mapping[str, Any]) -> Parameter:
    _refuse_keys(name, entry, required=_REQUIRED_KEYS, allowed=_DECLARED_KEYS)
    note = entry.get("note", "")
    return Parameter(name, entry["title_zh"], entry["title_en"], note, entry["schema"])


def _value(parameter: Parameter, raw: Mapping[str, Any]) -> ParameterValue:
    name = parameter.name
    _refuse_keys(name, raw, required=_REQUIRED_VALUE_KEYS, allowed=_VALUE_KEYS)
    region, start, end = raw["region"], raw["valid_from"], raw.get("valid_until")
    if type(region) is not int or not (region == NATION or is_valid_code(region)):
        raise BadParameters(f"{name}: {region!r} is no region")
    where = f"{name} in {region}"
    if type(start) is not date or (end is not None and type(end) is not date):
        raise BadParameters(f"{where}: a period is made of dates")
    if end is not None and end < start:
        raise BadParameters(f"{where}: the period from {start} ends before it starts")
    citation = raw["citation"]
    if not isinstance(citation, str) or not citation.strip():
        raise BadParameters(f"{where}: the citation is missing")
    for error in Draft202012Validator(parameter.schema).iter_errors(raw["value"]):
        raise BadParameters(f"{where}: {error.json_path}: {error.message}")
    return ParameterValue(name, region, start, end, raw["value"], citation.strip())


def _refuse_keys(
    name: str, entry: Mapping[str, Any], *, required: frozenset[str], allowed: frozenset[str]
) -> None:
    if missing := required - entry.keys():
        raise BadParameters(f"{name}: {', '.join(sorted(missing))} is missing")
    if unknown := entry.keys() - allowed:
        raise BadParameters(f"{name}: {', '.join(sorted(unknown))} is unknown")


def _refuse_overlaps(values: Iterable[ParameterValue]) -> None:
    for before, after in _neighbours(values):
        if before.valid_until is None or before.valid_until >= after.valid_from:
            raise BadParameters(
                f"{after.name} in {after.region_code}: the periods from {before.valid_from}"
                f" and from {after.valid_from} overlap"
            )


def _neighbours(
    values: Iterable[ParameterValue],
) -> Iterator[tuple[ParameterValue, ParameterValue]]:
    in_order = sorted(values, key=attrgetter("name", "region_code", "valid_from"))
    for before, after in pairwise(in_order):
        if (before.name, before.region_code) == (after.name, after.region_code):
            yield before, after
