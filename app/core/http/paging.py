"""Cursor paging on `(sort key, id)`, without totals (design D5)."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import GenericAlias
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import asyncpg
import orjson
from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.problems import Problem

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=200, description="How many items to answer at most.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=400,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Where to go on: `next_cursor` of the page before.",
    ),
]


class CursorInvalid(Problem, status=400):
    """The cursor was not made by this list."""

    title = "The cursor is not one this list has given out"
    title_zh = "游标不是本列表给出的"


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item] = Field(max_length=200, description="The items, in order.")
    next_cursor: str | None = Field(
        max_length=400,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Pass as `cursor` for the next page; null on the last.",
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Which page a caller asks for: how many items at most, after which cursor."""

    limit: int = 50
    cursor: str | None = None


async def _window(limit: Limit = 50, cursor: Cursor = None) -> Window:
    return Window(limit, cursor)


Paged = Annotated[Window, Depends(_window)]
"""The page asked for, from the query parameters `limit` and `cursor`."""


class Order(NamedTuple):
    """How a list is sorted: its columns with the types of their values, the last one unique."""

    keys: Mapping[str, type]
    descending: bool = False


class Rows(NamedTuple):
    """One page of rows, and the cursor of the next."""

    rows: Sequence[Any]
    next_cursor: str | None

    def shown(self, show: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the page as on the wire, each row as `show` makes it."""
        return {"items": [show(row) for row in self.rows], "next_cursor": self.next_cursor}


async def fetch(
    tx: Tx, select: str, where: Where, order: Order, window: Window, arms: Sequence[str] = ()
) -> Rows:
    """Fetch a page of a SELECT, from the cursor on. Raises CursorInvalid. One statement.

    `arms`: conditions, bound in `where`, of which one at least must hold as well. Each is asked for
    a page of its own, by an index of its own, and these are merged: an OR would read all of them.
    """
    values = decode(window.cursor, order.keys.values())
    names = ", ".join(order.keys)
    if values is not None:
        places = ", ".join(map(where.bind, values))
        where.add(f"({names}) {'<' if order.descending else '>'} ({places})")
    sort = ", ".join(f"{name} DESC" if order.descending else name for name in order.keys)
    cut = f"ORDER BY {sort} LIMIT {int(window.limit) + 1}"
    statement = f"{select} WHERE {where} {cut}"
    if arms:
        pages = " UNION ALL ".join(f"({select} WHERE ({arm}) AND {where} {cut})" for arm in arms)
        alias = next(iter(order.keys)).partition(".")[0]
        statement = f"SELECT DISTINCT ON ({names}) * FROM ({pages}) AS {alias} {cut}"
    try:
        rows = await tx.connection.fetch(statement, *where.arguments)
    # Such as a number no column of this type holds.
    except asyncpg.DataError as error:  # pragma: no cover  of a cursor somebody made up
        raise error if values is None else _invalid() from None
    shown = rows[: window.limit]
    if len(rows) <= window.limit:
        return Rows(shown, None)
    last = shown[-1]
    return Rows(shown, encode(last[name.rpartition(".")[2]] for name in order.keys))


def cut(items: Sequence[Any], window: Window, key: Callable[[Any], str]) -> Rows:
    """Cut one page out of a list in memory; `key` tells its items apart. Raises CursorInvalid."""
    start = 0
    if (after := decode(window.cursor, [str])) is not None:
        places = {key(item): place for place, item in enumerate(items, 1)}
        if after[0] not in places:
            raise _invalid()
        start = places[after[0]]
    end = start + window.limit
    shown = items[start:end]
    return Rows(shown, encode([key(shown[-1])]) if len(items) > end else None)


def encode(keys: Iterable[Any]) -> str:
    """Make an opaque cursor from the sort keys of the last item shown."""
    text = orjson.dumps(list(keys), default=str)
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode(cursor: str | None, types: Iterable[type]) -> Sequence[Any] | None:
    """Read a cursor back into keys of the given types (`int`, `str`, `UUID`, `date`…). Returns None
    without a cursor; raises CursorInvalid for one of another shape.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return _keys(*types).validate_json(text, strict=True)
    except ValueError:
        raise _invalid() from None


_STRICTER: Final[Mapping[type, Any]] = {
    int: Annotated[int, Field(ge=-(2**63), lt=2**63)],
    datetime: AwareDatetime,
}


@cache
def _keys(*types: type) -> TypeAdapter[tuple[Any, ...]]:
    shape: Any = GenericAlias(tuple, tuple(_STRICTER.get(each, each) for each in types))
    return TypeAdapter(shape)


def _invalid() -> CursorInvalid:
    return CursorInvalid.at("cursor", "cursor_invalid", "Start without one.")
