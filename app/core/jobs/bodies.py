"""What an event may say: ids, codes and times, whole numbers that count, and places (R5).

Everything else is fetched by who is told, under the field groups of their role (AZ-5). So no field
of an event has a type in which free text, a name or the number of a person or a telephone would
fit; a class that has one is refused as it is loaded.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from itertools import chain
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from pydantic.fields import FieldInfo

_MOST: Final = 1_000_000
"""A number that counts is no longer: no telephone has so few digits."""
_PROVINCES: Final = range(11, 100)
_BEYOND: Final = 10**12


def _a_place(code: int) -> int:
    if code not in {0, _BEYOND} and code // 10**10 not in _PROVINCES:
        raise ValueError("no division begins like this")
    return code


_IS_PLACE: Final = AfterValidator(_a_place)
Place = Annotated[int, Field(ge=0, lt=_BEYOND), _IS_PLACE]
"""A division, by its 12 digits: 0 is the nation. No telephone number begins like one."""
Bound = Annotated[int, Field(ge=0, le=_BEYOND), _IS_PLACE]
"""Where a range of divisions ends."""
_IS_DISTANCE: Final = AfterValidator(lambda codes: codes)
Distance = Annotated[int, Field(gt=-_BEYOND, lt=_BEYOND), _IS_DISTANCE]
"""From one division to another."""

WORD: Final = r"^[a-z]+([_.]([a-z]+|[0-9]{1,3}))*$"
_FORMS: Final = {
    WORD: "a code of a list",
    r"^[a-z_]+\.[a-z_]+$": "what an event is called",
    r"^[a-z]+([A-Z][a-z]+)+$": "what an operation is called",
    r"^[A-Z]{2,4}-[0-9]{2}(\.[a-z_]{1,32})?$": "a rule",
    r"^/v1/police-reports/[0-9a-f-]{36}$": "a path that ends in an id",
}
_LONGEST: Final = 60
_NOTHING: Final = (type(None), ...)
Code = Annotated[str, Field(max_length=40, pattern=WORD)]
"""A code of a list, a role: a word on the wire, since a receiver must take one that came later."""
WireName = Annotated[str, Field(max_length=_LONGEST, pattern=r"^[a-z_]+\.[a-z_]+$")]
"""What an event is called."""
OperationId = Annotated[str, Field(max_length=_LONGEST, pattern=r"^[a-z]+([A-Z][a-z]+)+$")]
"""What an operation is called."""


def says_too_much(kind: type[BaseModel]) -> list[str]:
    """Name the fields of an event's class that could hold what no event may say, and why."""
    return [
        f"{name}: {wrong}"
        for name, field in kind.model_fields.items()
        for wrong in _faults(field.annotation, field.metadata)
    ]


def _faults(said: Any, limits: Sequence[Any]) -> Iterator[str]:
    origin, within = get_origin(said), [each for each in get_args(said) if each not in _NOTHING]
    if origin is Annotated:
        told = (each.metadata if isinstance(each, FieldInfo) else [each] for each in within[1:])
        yield from _faults(within[0], [*limits, *chain.from_iterable(told)])
    elif origin in {Union, UnionType}:
        yield from chain.from_iterable(_faults(each, limits) for each in within)
    elif origin in {list, tuple, dict}:
        yield from chain.from_iterable(_faults(each, ()) for each in within)
    elif said is str:
        yield from _of_text(limits)
    elif said is int:
        yield from _of_number(limits)
    elif origin is not Literal and not _is_plain(said):
        yield f"{said} could hold anything"


def _is_plain(said: Any) -> bool:
    return said in {UUID, bool, date, datetime} or (
        isinstance(said, type) and issubclass(said, StrEnum)
    )


def _of_text(limits: Sequence[Any]) -> Iterator[str]:
    forms = {each.pattern for each in limits if getattr(each, "pattern", None)}
    longest = min((each.max_length for each in limits if hasattr(each, "max_length")), default=None)
    if not forms & _FORMS.keys():
        yield f"text that is none of: {', '.join(_FORMS.values())}"
    elif longest is None or longest > _LONGEST:
        yield f"text of more than {_LONGEST} characters"


def _of_number(limits: Sequence[Any]) -> Iterator[str]:
    bounds = (getattr(each, "le", getattr(each, "lt", None)) for each in limits)
    most = min((bound for bound in bounds if bound is not None), default=_BEYOND)
    if most > _MOST and not {_IS_PLACE, _IS_DISTANCE}.intersection(limits):
        yield f"a number that may be more than {_MOST:,} and is no place"
