"""Cursor paging on `(sort key, id)`, without totals (design D5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import asyncpg
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from app.core.data.db import Tx
from app.core.data.sampling import Place, sample
from app.core.data.sql import Where
from app.core.http.cursors import Cursors, OfRequest, invalid

Item = TypeVar("Item")
Limit = Annotated[int, Query(ge=1, le=200, description="How many items to answer at most.")]
_CURSOR: Final = {"max_length": 400, "pattern": r"^[A-Za-z0-9_-]+$"}
Cursor = Annotated[
    str | None,
    Query(description="Where to go on: `next_cursor` of the page before.", **_CURSOR),
]
CursorText = Annotated[str, Field(**_CURSOR)]


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
    """Which page a caller asks for: how many items at most, after which of their `cursors`. Or,
    instead of a page, into how many `parts` the whole list is to be divided (`partitions`).
    """

    cursors: Cursors
    limit: int = 50
    cursor: str | None = None
    parts: int | None = None

    def after(self, *types: type) -> Sequence[Any] | None:
        """Return the keys to go on after, of the given types. Raises CursorInvalid."""
        return None if self.cursor is None else self.cursors.keys(self.cursor, *types)


async def _window(cursors: OfRequest, limit: Limit = 50, cursor: Cursor = None) -> Window:
    return Window(cursors, limit, cursor)


Paged = Annotated[Window, Depends(_window)]
"""The page asked for, from the query parameters `limit` and `cursor`."""


class Order(NamedTuple):
    """How a list is sorted: its columns with the types of their values, the last one unique."""

    keys: Mapping[str, type]
    descending: bool = False

    @property
    def of_several_tables(self) -> bool:
        """Whether no index holds all of it; then one of the first column finds where to go on."""
        return len({name.partition(".")[0] for name in self.keys if "." in name}) > 1


class Rows(NamedTuple):
    """One page of rows, and the cursor of the next; or no rows, and the cursor of each part."""

    rows: Sequence[Any]
    next_cursor: str | None
    parts: Sequence[str] = ()

    def shown(self, show: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the page as on the wire, each row as `show` makes it."""
        page = {"items": [show(row) for row in self.rows], "next_cursor": self.next_cursor}
        return page | {"cursors": self.parts} if self.parts else page


class Span(NamedTuple):
    """What of a list a cursor goes on with: after these keys, up to and with those; None: to the
    end of the list that lies there.
    """

    after: Sequence[Any] | None = None
    until: Sequence[Any] | None = None


async def fetch(
    tx: Tx,
    select: str,
    where: Where,
    order: Order,
    window: Window,
    arms: Sequence[str] = (),
    place: Place | None = None,
) -> Rows:
    """Fetch a page of a SELECT, from the cursor on. Raises CursorInvalid. One statement.

    `arms`: conditions, bound in `where`, of which one at least must hold as well. Each is asked for
    a page of its own, by an index of its own, and these are merged: an OR would read all of them.
    `place`: of a list that may be divided, where its rows lie (`partitions`).
    """
    if window.parts is not None:
        bounds = await _parts(tx, select, where, order, window.parts, arms, place)
        return Rows([], None, [window.cursors.seal(each) for each in bounds])
    span = _span(window, order, divided=place is not None)
    names = ", ".join(order.keys)
    behind, up_to = ("<", ">=") if order.descending else (">", "<=")
    for sign, keys in ((behind, span.after), (up_to, span.until)):
        if keys is not None:
            where.add(f"({names}) {sign} ({', '.join(map(where.bind, keys))})")
    if span.after is not None and order.of_several_tables:
        where.add(f"{next(iter(order.keys))} {behind}= {{}}", span.after[0])
    statement = _statement(select, where, order, window.limit + 1, arms)
    try:
        rows = await tx.connection.fetch(statement, *where.arguments)
    # Such as a number no column of this type holds.
    except asyncpg.DataError as error:  # pragma: no cover  of a cursor somebody made up
        raise error if span == Span() else invalid() from None
    shown = rows[: window.limit]
    if len(rows) <= window.limit:
        return Rows(shown, None)
    last = [shown[-1][name] for name in _bare(order)]
    return Rows(shown, window.cursors.seal(last if span.until is None else (last, span.until)))


def _bare(order: Order) -> list[str]:
    return [name.rpartition(".")[2] for name in order.keys]


def _statement(select: str, where: Where, order: Order, limit: int, arms: Sequence[str]) -> str:
    names = ", ".join(order.keys)
    sort = ", ".join(f"{name} DESC" if order.descending else name for name in order.keys)
    cut = f"ORDER BY {sort} LIMIT {int(limit)}"
    if not arms:
        return f"{select} WHERE {where} {cut}"
    pages = " UNION ALL ".join(f"({select} WHERE ({arm}) AND {where} {cut})" for arm in arms)
    alias = next(iter(order.keys)).partition(".")[0]
    return f"SELECT DISTINCT ON ({names}) * FROM ({pages}) AS {alias} {cut}"


FEW: Final = 512
"""Rows of a list that are all looked at to divide it; of more a sample is."""
A_PART: Final = 16
"""Rows of a sample that make a part: that one holds twice as many as another was drawn for is
rare then.
"""


async def _parts(
    tx: Tx,
    select: str,
    where: Where,
    order: Order,
    number: int,
    arms: Sequence[str],
    place: Place | None,
) -> list[Span]:
    """Return the bounds of parts of about the same size, that hold the list between them. One
    statement, and up to three for a list that is long.
    """
    if place is None:
        raise TypeError("a list that is divided says where its rows lie")
    statement = _statement(select, where, order, FEW + 1, arms)
    whole = f"SELECT {', '.join(_bare(order))} FROM ({statement}) AS whole"
    points = [tuple(row) for row in await tx.connection.fetch(whole, *where.arguments)]
    if len(points) > FEW:
        either = " OR ".join(f"({arm})" for arm in arms) or "true"
        points = await sample(
            tx.connection,
            place,
            list(order.keys),
            f"{where} AND ({either})",
            where.arguments,
            A_PART * number,
        )
        number = min(number, len(points) // A_PART)
    points.sort(reverse=order.descending)
    number = max(1, min(number, len(points)))
    bounds = [points[len(points) * part // number - 1] for part in range(1, number)]
    return [*map(Span, (None, *bounds), (*bounds, None))]


def cut(items: Sequence[Any], window: Window, key: Callable[[Any], str]) -> Rows:
    """Cut one page out of a list in memory; `key` tells its items apart. Raises CursorInvalid."""
    start = 0
    if (after := window.after(str)) is not None:
        places = {key(item): place for place, item in enumerate(items, 1)}
        if after[0] not in places:
            raise invalid()
        start = places[after[0]]
    end = start + window.limit
    shown = items[start:end]
    return Rows(shown, window.cursors.seal([key(shown[-1])]) if len(items) > end else None)


def _span(window: Window, order: Order, *, divided: bool) -> Span:
    """Read back the cursor of a page, or of a part of a list that may be `divided`, or of a page of
    a part. Raises CursorInvalid.
    """
    if window.cursor is None:
        return Span()
    types = order.keys.values()
    found = (window.cursors.span if divided else window.cursors.keys)(window.cursor, *types)
    if isinstance(found[-1], tuple | None):
        after, until = found
        if after and until and (after == until or (after < until) is order.descending):
            raise invalid()
        return Span(after, until)
    return Span(found)
