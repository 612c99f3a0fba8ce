"""Load and check the policy parameters that ship with Tonghu.

`data/parameters.yaml` declares every parameter (JSON Schema of its value, what it settles) and
gives the values that the sources state for real places. `data/demo_parameters.yaml` adds the rules
of a district whose name its source masks, on a place chosen for the demo.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any, Final, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic import ConfigDict, Field, field_validator, model_validator

from app.core import data_files
from app.core.data_files import DataFile, Part, Place, Text, unknown
from app.policy.rules import ParameterValue
from app.regions.rules import NATION, is_valid_code

_KEYWORDS: Final = Draft202012Validator.VALIDATORS


class _Value(Part):
    """A `ParameterValue` as it is written."""

    model_config = ConfigDict(strict=True)

    region_code: int = Field(alias="region")
    valid_from: date
    valid_until: date | None = None
    value: Any
    citation: Text

    @field_validator("region_code")
    @classmethod
    def _is_a_region(cls, code: int) -> int:
        if code != NATION and not is_valid_code(code):
            raise ValueError(f"{code} is no region")
        return code

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.valid_until and self.valid_until < self.valid_from:
            raise ValueError(f"the period from {self.valid_from} ends before it starts")
        return self


class Parameter(Part):
    """What a parameter is: its titles, what to know about it, the JSON Schema of its value, and the
    values that the sources state. See the head of `parameters.yaml`.

    `waits_for`: the obligations that will read it; nothing does yet.
    """

    title_zh: Text
    title_en: Text
    note: Text = ""
    waits_for: tuple[Text, ...] = ()
    of_value: dict[str, Any] = Field(alias="schema")
    values: list[_Value]


class _Parameters(Part):
    contradictions: dict[str, Any]
    """For each of the 30 contradictions of the sources, its parameters or where it went."""
    parameters: dict[str, Parameter]


class _Demo(Part):
    values: dict[str, list[_Value]]


@cache
def file() -> DataFile:
    """Read `parameters.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/parameters.yaml")


@cache
def demo_file() -> DataFile:
    """Read `demo_parameters.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/demo_parameters.yaml")


def check(read: DataFile, demo: DataFile) -> None:
    """Raise BadDataFile unless the files say what their heads describe, and all that the
    contradictions and the demo name is declared.
    """
    known = declared_in(read)
    for number, answer in _parsed(read).contradictions.items():
        place = ("contradictions", number)
        if not answer:
            raise read.refusal(place, f"nothing is said of {number}")
        for position, name in enumerate(answer if isinstance(answer, list) else ()):
            read.require((*place, position), "policy parameter", name, known)
    values_in(read)
    demo_values_in(demo, known)


@cache
def declared_in(read: DataFile) -> Mapping[str, Parameter]:
    """Return the parameters of a file by name, each with a JSON Schema. Raises BadDataFile."""
    found = _parsed(read).parameters
    for name, said in found.items():
        place = ("parameters", name, "schema")
        for inside, schema in _schemas(said.of_value):
            for keyword in schema:
                read.require((*place, *inside, keyword), "keyword", keyword, _KEYWORDS)
        try:
            Draft202012Validator.check_schema(said.of_value)
        except SchemaError as error:
            raise read.refusal((*place, *error.path), f"{name}: {error.message}") from None
    return found


@cache
def values_in(read: DataFile) -> tuple[ParameterValue, ...]:
    """Return the values, for the nation and for named places, of a file that declares their
    parameters. Raises BadDataFile.

    Refused, here as in the demo: a value its schema refuses, a code given twice in one list, two
    periods of one parameter that overlap in one region. Here also: none for the nation.
    """
    found = []
    for name, parameter in declared_in(read).items():
        place = ("parameters", name, "values")
        if not any(each.region_code == NATION for each in parameter.values):
            raise read.refusal(place, f"{name} has no value for the nation")
        found += _checked(read, place, name, parameter.of_value, parameter.values)
    read.require_unlike("code")
    return tuple(found)


def demo_values_in(read: DataFile, known: Mapping[str, Parameter]) -> tuple[ParameterValue, ...]:
    """Return the values of a file whose parameters another declares, on places that they were not
    written for. Not for production. Raises BadDataFile.
    """
    found = []
    for name, values in read.parsed(_Demo, (), read.content).values.items():
        place = ("values", name)
        read.require(place, "policy parameter", name, known)
        found += _checked(read, place, name, known[name].of_value, values)
    read.require_unlike("code")
    return tuple(found)


@cache
def _parsed(read: DataFile) -> _Parameters:
    return read.parsed(_Parameters, (), read.content)


def _schemas(schema: Any, place: Place = ()) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield a JSON Schema, those inside it, and where each stands."""
    if isinstance(schema, dict):
        yield place, schema
        for keyword in ("items", "propertyNames", "additionalProperties"):
            yield from _schemas(schema.get(keyword), (*place, keyword))
        inside = schema.get("properties")
        for name, each in inside.items() if isinstance(inside, dict) else ():
            yield from _schemas(each, (*place, "properties", name))


def _checked(
    read: DataFile, place: Place, name: str, schema: Mapping[str, Any], values: Sequence[_Value]
) -> list[ParameterValue]:
    fits = Draft202012Validator(schema)
    in_order = sorted(enumerate(values), key=lambda each: (each[1].region_code, each[1].valid_from))
    for position, each in in_order:
        # A key mistyped is also a key missing: the slip is the one to show.
        errors = sorted(
            fits.iter_errors(each.value), key=lambda error: error.validator == "required"
        )
        for error in errors:
            where = (*place, position, "value", *error.absolute_path)
            raise read.refusal(where, _sentence(name, error))
    for (_, before), (position, after) in pairwise(in_order):
        region, until = after.region_code, before.valid_until or date.max
        if before.region_code == region and until >= after.valid_from:
            raise read.refusal(
                (*place, position, "valid_from"),
                f"{name} in {region}: the periods from {before.valid_from}"
                f" and from {after.valid_from} overlap",
            )
    return [ParameterValue(name, **dict(each)) for each in values]


def _sentence(name: str, error: ValidationError) -> str:
    said: Any = error.instance
    asked: Any = error.schema
    if error.validator == "additionalProperties":
        known = asked.get("properties", {})
        return unknown("key", next(key for key in said if key not in known), known)
    if error.validator == "enum":
        return unknown(f"value of {name}", said, asked["enum"])
    return f"{name}: {error.message}"
