"""What a field of a file says of itself, where it is defined.

A field is sealed, encrypted at rest, unless it is `Counted`: kept plain because a statistic, a rule
or a filter reads it. A field that holds parts is sealed or counted as a whole, so a mark inside a
part is refused. Closed sets of codes carry their names as `Codes`; a day that cannot lie ahead is a
`PastDay`; `FilteredBy` names the filter of the list that reads the field. The field's group (AZ-5)
is the section it stands in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.core.http.wire import Day
from app.policy.codelists import Codelist, Entry

T = TypeVar("T")


class Mark(Enum):
    """A mark that needs no words of its own."""

    counted = "counted"
    past = "past"


Counted = Annotated[T, Mark.counted]
"""Kept plain."""

PastDay = Annotated[Day, Mark.past]
"""A day that has come."""

Phone = Annotated[
    str,
    Field(
        min_length=5,
        max_length=20,
        pattern=r"^\+?[0-9][0-9 -]{3,18}$",
        description="Telephone number.",
        examples=["+86 10 5550 0101"],
    ),
]


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The code list of a type: what its title and each code are called, code → (zh, en)."""

    name: str
    zh: str
    en: str
    source: str
    labels: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FilteredBy:
    """The filter of lists that reads this field."""

    filter: str


class Part(BaseModel):
    """Something inside a section."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )


class Section(Part):
    """A section of a file. `dated`: what it was is kept as facts with the days they held."""

    dated: ClassVar[bool] = False


class BadField(TypeError):
    """A field of a file contradicts itself; the message names it."""


_STORABLE: Final = (str, bool, int, date, UUID)


@cache
def marked(model: type[BaseModel], mark: Mark) -> frozenset[str]:
    """Name the fields of a model that bear a mark."""
    return frozenset(name for name, _, said in _types(model) if mark in said)


def filters(model: type[BaseModel]) -> frozenset[str]:
    """Name the filters of lists that read a field of the model."""
    return frozenset(
        mark.filter for _, _, said in _types(model) for mark in said if isinstance(mark, FilteredBy)
    )


def codelists(models: Iterable[type[BaseModel]]) -> dict[str, Codelist]:
    """Return the code lists of the fields of models and their parts, in their order.

    Raises BadField if two lists share a name.
    """
    found: dict[str, Codes] = {}
    for model, name, _, said in _types_within(models):
        for mark in said:
            if isinstance(mark, Codes) and found.setdefault(mark.name, mark) != mark:
                raise _bad(model, name, f"another code list is named {mark.name}")
    return {
        name: Codelist(
            name,
            codes.zh,
            codes.en,
            codes.source,
            None,
            tuple(Entry(code, zh, en) for code, (zh, en) in codes.labels.items()),
        )
        for name, codes in found.items()
    }


def check(section: type[BaseModel]) -> None:
    """Raise BadField if a field of a section, or of a part inside it, contradicts itself."""
    for model, name, kind, said in _types_within([section]):
        counted = Mark.counted in said
        if model is section and model.model_fields[name].is_required():
            raise _bad(model, name, "give it a default: a file begins with blank sections")
        if model is not section and counted:
            raise _bad(model, name, "only a field of a section is Counted; parts are kept whole")
        if not counted and any(isinstance(mark, FilteredBy) for mark in said):
            raise _bad(model, name, "lists are filtered by it, which only a Counted field allows")
        if get_origin(kind) is not Literal and not (
            isinstance(kind, type) and issubclass(kind, (*_STORABLE, Part))
        ):
            raise _bad(model, name, f"{kind} can be kept neither plain nor sealed")
        if wrong := _wrong_codes(kind, said):
            raise _bad(model, name, wrong)


def _wrong_codes(kind: Any, said: tuple[Any, ...]) -> str | None:
    lists = [mark for mark in said if isinstance(mark, Codes)]
    accepted = get_args(kind) if get_origin(kind) is Literal else ()
    if not lists:
        return "its codes have no names: add Codes(...) to its type" if accepted else None
    (codes,) = lists
    for code in accepted:
        if code not in codes.labels:
            return f"the code {code} of {codes.name} has no label"
    for code, label in codes.labels.items():
        named = isinstance(label, tuple) and len(label) == len(("zh", "en"))
        if not named or not all(isinstance(each, str) and each.strip() for each in label):
            return f"the code {code} of {codes.name} needs two labels, zh and en"
        try:
            TypeAdapter(Annotated[kind, *said]).validate_python(code)
        except ValidationError:
            return f"the code {code} of {codes.name} is not of its type"
    if len({zh for zh, _ in codes.labels.values()}) != len(codes.labels):
        return f"two codes of {codes.name} have one label in zh"
    return None


def _types_within(
    models: Iterable[type[BaseModel]],
) -> Iterator[tuple[type[BaseModel], str, Any, tuple[Any, ...]]]:
    for model in models:
        for name, kind, said in _types(model):
            yield model, name, kind, said
            if isinstance(kind, type) and issubclass(kind, Part):
                yield from _types_within([kind])


def _types(model: type[BaseModel]) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Yield field, type and what is said of it, through unions and lists, not into parts."""
    for name, field in model.model_fields.items():
        for kind, said in _unwrapped(field.annotation, tuple(field.metadata)):
            yield name, kind, said


def _unwrapped(kind: Any, said: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        yield from _unwrapped(inner, (*said, *more))
    elif get_origin(kind) in {Union, UnionType, list}:
        # The length of a list says nothing of its items.
        marks = tuple(mark for mark in said if isinstance(mark, Mark | Codes | FilteredBy))
        for each in get_args(kind):
            yield from _unwrapped(each, marks)
    elif kind is not NoneType:
        yield kind, said


def _bad(model: type[BaseModel], name: str, what: str) -> BadField:
    return BadField(f"{model.__name__}.{name}: {what}")
