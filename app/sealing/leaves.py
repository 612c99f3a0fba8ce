"""What of an audit entry is hashed: one text for one entry, whoever writes it (ADR 65).

JSON with its names in order, no spaces, UTF-8; ids and times as text, times in UTC with six digits
or none of the second. What is null or an empty list is left out, so that a column that comes later
changes no leaf of before. `n` is the entry's place in the log: a row that is moved is another leaf.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from app.sealing import merkle

_EMPTY: Final[tuple[None, list[Any]]] = (None, [])


def content(n: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a leaf says."""
    return {"n": n, **{name: value for name, value in entry.items() if value not in _EMPTY}}


def text(said: Mapping[str, Any]) -> bytes:
    """Write it in the one form."""
    return orjson.dumps(said, default=str, option=orjson.OPT_SORT_KEYS)  # ids are asyncpg's own


def hash_of(n: int, entry: Mapping[str, Any]) -> bytes:
    """Return the hash of the leaf."""
    return merkle.leaf_hash(text(content(n, entry)))
