"""What a field of a file says of itself, where it is defined.

A field is sealed, encrypted at rest, unless it is `Counted`: kept plain because a statistic, a rule
or a filter reads it. A field that holds parts is sealed or counted as a whole, and the fields of
the parts must say the same. Closed sets of codes carry their names as `Codes`; a day that cannot
lie ahead is a `PastDay`; `FilteredBy` names the filter of the list that reads the field. The
field's group (AZ-5) is the section it stands in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, EnumType
from functools import cache
from inspect import signature
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.core.data_files import Words, unknown
from app.core.http.wire import Day
from app.core.text import HAN
from app.policy.codelists import Codelist, Entry
from app.policy.schemas import Code as Served
from app.policy.schemas import ListName

T = TypeVar("T")
Kind = TypeVar("Kind", bound="Section")


class Mark(Enum):
    """A mark that needs no words of its own."""

    counted = "counted"
    past = "past"


Counted = Annotated[T, Mark.counted]
"""Kept plain."""

PastDay = Annotated[Day, Mark.past]
"""A day that has come."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """The code list of a type: what its title and each code are called, code → (zh, en)."""

    name: str
    zh: str
    en: str
    source: str
    labels: Mapping[str, tuple[str, str]]

    def served(self) -> Codelist:
        """Return the list as it is looked up."""
        items = tuple(Entry(code=code, zh=zh, en=en) for code, (zh, en) in self.labels.items())
        title = Words(zh=self.zh, en=self.en)
        return Codelist(title=title, source=self.source, items=items)


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
_SERVED: Final = TypeAdapter(Served)
_LIST_NAME: Final = TypeAdapter[str](ListName)


@cache
def marked(model: type[BaseModel], mark: Mark) -> frozenset[str]:
    """Name the fields of a model that bear a mark."""
    return frozenset(each.name for each in _types(model) if mark in each.said)


def filters(model: type[BaseModel]) -> frozenset[str]:
    """Name the filters of lists that read a field of the model."""
    return frozenset(
        mark.filter for each in _types(model) for mark in each.said if isinstance(mark, FilteredBy)
    )


def codelists(models: Iterable[type[BaseModel]]) -> dict[str, Codelist]:
    """Return the code lists of the fields of models and their parts, in their order.

    Raises BadField if two lists share a name.
    """
    found: dict[str, Codes] = {}
    for each in _types_within(models):
        for mark in each.said:
            if isinstance(mark, Codes) and found.setdefault(mark.name, mark) is not mark:
                raise each.bad(f"another code list is named {mark.name}")
    return {name: codes.served() for name, codes in found.items()}


def blank(section: type[Kind]) -> Kind:
    """Return a section of which nothing is known. Raises BadField if its fields are not right."""
    check(section)
    return section()


@cache
def parts(model: type[BaseModel]) -> Mapping[str, type[Part]]:
    """Return, for each field of a model that holds parts, of what kind they are."""
    return {
        each.name: each.kind
        for each in _types(model)
        if isinstance(each.kind, type) and issubclass(each.kind, Part)
    }


def filled(part: type[Part], kept: Any) -> Any:
    """Fill what is kept of a part, or of a list of them, with the fields that it has got since, as
    they are while nothing is known: who kept it knew none of them.
    """
    if isinstance(kept, list):
        return [filled(part, each) for each in kept]
    if kept is None:
        return None
    inside = parts(part)
    known = {
        name: filled(inside[name], value) if name in inside else value
        for name, value in kept.items()
    }
    return {**_defaults(part), **known}


@cache
def _defaults(part: type[Part]) -> Mapping[str, Any]:
    fields = part.model_fields.items()
    return {name: field.get_default() for name, field in fields if not field.is_required()}


def check(section: type[BaseModel]) -> None:
    """Raise BadField if a field of a section, or of a part inside it, contradicts itself."""
    found = [*_types_within([section])]
    plain = {(each.model, each.name) for each in found if Mark.counted in each.said}
    for each in found:
        counted = Mark.counted in each.said
        if not counted and (each.model, each.name) in plain:
            raise each.bad("is Counted in part: write Counted[…] around its whole type")
        if each.held_plain is None and section.model_fields[each.name].is_required():
            raise each.bad("give it a default: a file begins with blank sections")
        if each.held_plain is False and counted:
            raise each.bad("is Counted, but the field that holds it is sealed as a whole")
        if each.held_plain is True and not counted:
            raise each.bad("is not Counted, but the field that holds it is kept plain as a whole")
        if Mark.past in each.said and each.kind is not date:
            raise each.bad("is a PastDay, but no day")
        if not counted and any(isinstance(mark, FilteredBy) for mark in each.said):
            raise each.bad("lists are filtered by it, which only a Counted field allows")
        if get_origin(each.kind) is not Literal and not (
            isinstance(each.kind, type) and issubclass(each.kind, (*_STORABLE, Part))
        ):
            raise each.bad(f"{each.kind} can be kept neither plain nor sealed")
        for wrong in _wrong(each):
            raise each.bad(wrong)


@dataclass(frozen=True, slots=True)
class _Typed:
    """A field's type, or one of those it is made of, and what is said of it.

    `held_plain`: whether the field of a section that holds the part is Counted, None outside parts.
    """

    model: type[BaseModel]
    name: str
    kind: object
    said: tuple[object, ...]
    held_plain: bool | None = None

    def bad(self, what: str) -> BadField:
        return BadField(f"{self.model.__name__}.{self.name}: {what}")


def _wrong(typed: _Typed) -> Iterator[str]:
    field = typed.model.model_fields[typed.name]
    said = (field, *typed.said)
    if not any(getattr(each, "description", None) for each in said):
        yield "give it a description: the document shows it"
    for each in said:
        for word in getattr(each, "json_schema_extra", None) or ():
            yield unknown("argument of Field", word, signature(Field).parameters)
    yield from _wrong_codes(typed)
    if not field.is_required():
        of_type = _adapter(field.annotation, *field.metadata)
        if wrong := _refused(of_type, field.get_default()):
            yield f"its default: {wrong}"
    if typed.kind is str and "maxLength" not in _adapter(str, *typed.said).json_schema():
        yield "give it a max_length"
    if typed.kind is int and _refused(_adapter(int, *typed.said), "7") is None:
        yield 'a plain int takes "7", and true for 1: say StrictInt'


def _wrong_codes(typed: _Typed) -> Iterator[str]:
    accepted = get_args(typed.kind) if get_origin(typed.kind) is Literal else ()
    if isinstance(typed.kind, EnumType):
        accepted = tuple(typed.kind)
    lists = [mark for mark in typed.said if isinstance(mark, Codes)]
    if accepted and not lists:
        yield "its codes have no names: add Codes(...) to its type"
    for codes in lists:
        yield from _wrong_words(codes, accepted)
        yield from _swapped(codes)
        of_type = _adapter(typed.kind, *typed.said)
        for code in codes.labels:
            if wrong := _refused(of_type, code):
                yield f"the code {code} of {codes.name}: {wrong}"


def _wrong_words(codes: Codes, accepted: tuple[str, ...]) -> Iterator[str]:
    if wrong := _refused(_LIST_NAME, codes.name):
        yield f"the name of its code list {codes.name}: {wrong}"
    if not _said(codes.zh, codes.en, codes.source):
        yield f"the code list {codes.name} needs zh, en and a source"
    for code in accepted:
        if code not in codes.labels:
            yield f"the code {code} of {codes.name} has no label"
    for code, label in codes.labels.items():
        if not isinstance(label, tuple) or len(label) != len(("zh", "en")) or not _said(*label):
            yield f"the code {code} of {codes.name} needs two labels, zh and en"
        if wrong := _refused(_SERVED, {"code": code, "zh": label[0], "en": label[1]}):
            yield f"the code {code} of {codes.name}: {wrong}"
    for position, language in enumerate(("zh", "en")):
        if len({label[position] for label in codes.labels.values()}) != len(codes.labels):
            yield f"two codes of {codes.name} have one label in {language}"


def _swapped(codes: Codes) -> Iterator[str]:
    """Say which Chinese is none, and which English is Chinese. A label may be a sign of both."""
    if not HAN.search(codes.zh):
        yield f"the code list {codes.name}: its Chinese name {codes.zh} is not Chinese"
    for english in (codes.en, *(label[1] for label in codes.labels.values())):
        if HAN.search(english):
            yield f"the code list {codes.name}: its English {english} is Chinese"


def _adapter(kind: Any, *said: object) -> TypeAdapter[Any]:
    exact: Any = Annotated[kind, None, *said]
    return TypeAdapter(exact)


def _said(*words: object) -> bool:
    return all(isinstance(each, str) and each.strip() for each in words)


def _refused(of_type: TypeAdapter[Any], value: object) -> str | None:
    """Say why a value does not fit a type; None if it does."""
    try:
        of_type.validate_python(value)
    except ValidationError as refused:
        return refused.errors()[0]["msg"]
    return None


def _types_within(
    models: Iterable[type[BaseModel]], *, held: bool | None = None
) -> Iterator[_Typed]:
    for model in models:
        for each in _types(model, held=held):
            yield each
            if isinstance(each.kind, type) and issubclass(each.kind, Part):
                plain = Mark.counted in each.said if held is None else held
                yield from _types_within([each.kind], held=plain)


def _types(model: type[BaseModel], *, held: bool | None = None) -> Iterator[_Typed]:
    # Through unions and lists, not into parts.
    for name, field in model.model_fields.items():
        for kind, said in _unwrapped(field.annotation, tuple(field.metadata)):
            yield _Typed(model, name, kind, said, held)


def _unwrapped(
    kind: object, said: tuple[object, ...]
) -> Iterator[tuple[object, tuple[object, ...]]]:
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        yield from _unwrapped(inner, (*said, *more))
    elif get_origin(kind) in {Union, UnionType, list}:
        if get_origin(kind) is list:  # its length says nothing of its items
            said = tuple(mark for mark in said if isinstance(mark, Mark | Codes | FilteredBy))
        for each in get_args(kind):
            yield from _unwrapped(each, said)
    elif kind is not NoneType:
        yield kind, said
