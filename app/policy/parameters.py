"""Load and check the policy parameters that ship with Tonghu.

`data/parameters.yaml` declares every parameter (JSON Schema of its value, what it settles) and
gives the values that the sources state for real places. `data/demo_parameters.yaml` adds the rules
of a district whose name its source masks, on a place chosen for the demo.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any, Final, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.core import data_files
from app.core.data_files import DataFile, Place, Text, unknown
from app.policy.rules import ParameterValue
from app.regions.rules import NATION, is_valid_code

_KEYWORDS: Final = Draft202012Validator.VALIDATORS


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a parameter is: its name, titles, what to know about it and its value's JSON Schema."""

    name: str
    title_zh: str
    title_en: str
    note: str
    schema: Mapping[str, Any]


class _Part(BaseModel):
    """A part of the files; see the head of `parameters.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Value(_Part):
    model_config = ConfigDict(strict=True)

    region: int
    valid_from: date
    valid_until: date | None = None
    value: Any
    citation: Text

    @field_validator("region")
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


class _Declaration(_Part):
    title_zh: Text
    title_en: Text
    note: Text = ""
    of_value: dict[str, Any] = Field(alias="schema")
    values: list[_Value]


class _Parameters(_Part):
    contradictions: dict[str, Any]
    parameters: dict[str, _Declaration]


class _Demo(_Part):
    values: dict[str, list[_Value]]


@cache
def file() -> DataFile:
    """Read `parameters.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/parameters.yaml")


@cache
def demo_file() -> DataFile:
    """Read `demo_parameters.yaml`. Raises BadDataFile."""
    return data_files.read("app.policy", "data/demo_parameters.yaml")


def declared() -> tuple[Parameter, ...]:
    """Return all parameters, in the order of the file. Raises BadDataFile."""
    return declared_in(file())


def shipped_parameters() -> tuple[ParameterValue, ...]:
    """Return the values the sources give for the nation and for named places. Raises
    BadDataFile.
    """
    return values_in(file())


def demo_parameters() -> tuple[ParameterValue, ...]:
    """Return the values that stand on a place they were not written for. Not for production.
    Raises BadDataFile.
    """
    return demo_values_in(demo_file(), declared())


def contradictions() -> Mapping[str, str | list[str]]:
    """Return, for each of the 30 contradictions of the sources, its parameters or where it went."""
    return _parsed(file()).contradictions


def check(read: DataFile, demo: DataFile) -> None:
    """Raise BadDataFile unless the files say what their heads describe, and all that the
    contradictions and the demo name is declared.
    """
    declarations = declared_in(read)
    names = {each.name for each in declarations}
    for number, answer in _parsed(read).contradictions.items():
        place = ("contradictions", number)
        if not answer:
            raise read.refusal(place, f"nothing is said of {number}")
        for position, name in enumerate(answer if isinstance(answer, list) else ()):
            read.require((*place, position), "policy parameter", name, names)
    values_in(read)
    demo_values_in(demo, declarations)


@cache
def declared_in(read: DataFile) -> tuple[Parameter, ...]:
    """Return the parameters of a file, each with a JSON Schema. Raises BadDataFile."""
    found = []
    for name, said in _parsed(read).parameters.items():
        place = ("parameters", name, "schema")
        for inside, schema in _schemas(said.of_value):
            for keyword in schema:
                read.require((*place, *inside, keyword), "keyword", keyword, _KEYWORDS)
        try:
            Draft202012Validator.check_schema(said.of_value)
        except SchemaError as error:
            raise read.refusal((*place, *error.path), f"{name}: {error.message}") from None
        found.append(Parameter(name, said.title_zh, said.title_en, said.note, said.of_value))
    return tuple(found)


@cache
def values_in(read: DataFile) -> tuple[ParameterValue, ...]:
    """Return the values of a file that declares their parameters. Raises BadDataFile.

    Refused, here as in the demo: a value its schema refuses, a code given twice in one list, two
    periods of one parameter that overlap in one region. Here also: none for the nation.
    """
    found = []
    for parameter in declared_in(read):
        place = ("parameters", parameter.name, "values")
        values = _parsed(read).parameters[parameter.name].values
        if not any(each.region == NATION for each in values):
            raise read.refusal(place, f"{parameter.name} has no value for the nation")
        found += _checked(read, place, parameter, values)
    read.require_unlike("code")
    return tuple(found)


def demo_values_in(
    read: DataFile, declarations: Collection[Parameter]
) -> tuple[ParameterValue, ...]:
    """Return the values of a file whose parameters another declares. Raises BadDataFile."""
    known = {each.name: each for each in declarations}
    found = []
    for name, values in read.parsed(_Demo, (), read.content).values.items():
        place = ("values", name)
        read.require(place, "policy parameter", name, known)
        found += _checked(read, place, known[name], values)
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
    read: DataFile, place: Place, parameter: Parameter, values: Iterable[_Value]
) -> list[ParameterValue]:
    fits = Draft202012Validator(parameter.schema)
    name = parameter.name
    in_order = sorted(enumerate(values), key=lambda each: (each[1].region, each[1].valid_from))
    for position, each in in_order:
        # A key mistyped is also a key missing: the slip is the one to show.
        errors = sorted(
            fits.iter_errors(each.value), key=lambda error: error.validator == "required"
        )
        for error in errors:
            where = (*place, position, "value", *error.absolute_path)
            raise read.refusal(where, _sentence(name, error))
    for (_, before), (position, after) in pairwise(in_order):
        if before.region == after.region and (before.valid_until or date.max) >= after.valid_from:
            raise read.refusal(
                (*place, position, "valid_from"),
                f"{name} in {after.region}: the periods from {before.valid_from}"
                f" and from {after.valid_from} overlap",
            )
    return [
        ParameterValue(
            name, each.region, each.valid_from, each.valid_until, each.value, each.citation
        )
        for each in values
    ]


def _sentence(name: str, error: ValidationError) -> str:
    said: Any = error.instance
    asked: Any = error.schema
    if error.validator == "additionalProperties":
        known = asked.get("properties", {})
        return unknown("key", next(key for key in said if key not in known), known)
    if error.validator == "enum":
        return unknown(f"value of {name}", said, asked["enum"])
    return f"{name}: {error.message}"
