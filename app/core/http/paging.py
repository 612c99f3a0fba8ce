"""Cursor paging on `(sort key, id)`, without totals (design D5)."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, Field

from app.core.problems import FieldError, Problem

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


class CursorInvalid(Problem):
    """The cursor was not made by this list."""

    status = 400
    title = "The cursor is not one this list has given out"
    title_zh = "游标不是本列表给出的"


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: Annotated[list[Item], Field(max_length=200, description="The items, in order.")]
    next_cursor: Annotated[
        str | None,
        Field(
            max_length=400,
            pattern=r"^[A-Za-z0-9_-]+$",
            description="Pass as `cursor` for the next page; null on the last.",
        ),
    ]


def encode(*keys: int | str) -> str:
    """Make an opaque cursor from the sort keys of the last item shown."""
    return base64.urlsafe_b64encode(orjson.dumps(keys)).decode().rstrip("=")


def decode(cursor: str | None, *types: type) -> Sequence[Any] | None:
    """Read a cursor back into keys of the given types (`int`, `str`, `UUID`, `date`…).

    Returns None without a cursor; raises CursorInvalid for one of another shape.
    """
    if cursor is None:
        return None
    problem = CursorInvalid(
        errors=[FieldError(pointer="cursor", code="cursor_invalid", detail="Start without one.")]
    )
    try:
        keys = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(keys, list) or len(keys) != len(types):
            raise problem
        return [_convert(key, kind) for key, kind in zip(keys, types, strict=True)]
    except (ValueError, TypeError, binascii.Error, AttributeError, OverflowError):
        raise problem from None


def _convert(key: Any, kind: Any) -> Any:
    if kind in {int, str}:
        if type(key) is not kind or (kind is int and abs(key) >= 2**63):
            raise ValueError
        return key
    if hasattr(kind, "fromisoformat"):
        return kind.fromisoformat(key)
    return kind(key)
