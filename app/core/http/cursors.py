"""Cursors: where a caller goes on in a list, sealed for this caller and this list ([ADR 56]).

A cursor holds the sort keys of the last item: codes, days and ids that its holder need not be able
to read. Whoever else has it, or asks another list with it, is answered as if it were made up.

[ADR 56]: docs/decisions/0056-what-leaks-by-the-way.md
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import GenericAlias
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Request
from pydantic import AwareDatetime, Field, TypeAdapter

from app.core.data.crypto import Keyring
from app.core.data.envelopes import DecryptionRefused
from app.core.problems import Problem


class CursorInvalid(Problem, status=400):
    """The cursor was not made by this list for this caller."""

    title = "The cursor is not one this list has given you"
    title_zh = "游标不是本列表给您的"


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals cursors and opens them again. `whose`: tells list and caller; asked when a cursor is
    made or read, for by then it is known who calls.
    """

    keyring: Keyring
    whose: Callable[[], str]

    def seal(self, keys: Iterable[Any]) -> str:
        """Make a cursor of the sort keys of the last item shown."""
        text = orjson.dumps(list(keys), default=str)
        return _written(self.keyring.seal_alike(f"cursor {self.whose()}", text))

    def keys(self, cursor: str, *types: type) -> tuple[Any, ...]:
        """Read back keys of the given types (`int`, `UUID`, `date`…). Raises CursorInvalid."""
        return self._read(cursor, _keys(*types))

    def span(self, cursor: str, *types: type) -> tuple[Any, ...]:
        """Read back keys, or of a part of a list those after which and up to which it goes."""
        return self._read(cursor, _spans(*types))

    def _read(self, cursor: str, shape: TypeAdapter[tuple[Any, ...]]) -> tuple[Any, ...]:
        try:
            text = self.keyring.unseal_alike(f"cursor {self.whose()}", _bytes_of(cursor))
            return shape.validate_json(text, strict=True)
        except (ValueError, DecryptionRefused):
            raise invalid() from None


def _bytes_of(cursor: str) -> bytes:
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    if _written(sealed) != cursor:
        raise ValueError("the last bits of it say nothing")
    return sealed


def _written(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def invalid() -> CursorInvalid:
    return CursorInvalid.at("cursor", "cursor_invalid", "Start without one.")


def of(request: Request, list_name: str | None = None) -> Cursors:
    """Return the cursors of the list a request asks for (or of another) and of who asks."""

    def whose() -> str:
        name = list_name or request.scope["route"].name
        return f"{name} {request.scope['caller'].subject}"

    return Cursors(request.state.database.keyring, whose)


async def _of_request(request: Request) -> Cursors:
    return of(request)


OfRequest = Annotated[Cursors, Depends(_of_request)]
"""The cursors of the list that is asked for, for who asks."""

_STRICTER: Final[Mapping[type, Any]] = {
    int: Annotated[int, Field(ge=-(2**63), lt=2**63)],
    datetime: AwareDatetime,
}


@cache
def _keys(*types: type) -> TypeAdapter[tuple[Any, ...]]:
    return TypeAdapter(_shape(types))


@cache
def _spans(*types: type) -> TypeAdapter[tuple[Any, ...]]:
    keys = _shape(types)
    return TypeAdapter(keys | GenericAlias(tuple, (keys | None, keys | None)))


def _shape(types: Sequence[type]) -> Any:
    return GenericAlias(tuple, tuple(_STRICTER.get(each, each) for each in types))
