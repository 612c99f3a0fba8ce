"""Samples of a large table that an index each holds: of sixteen rows one, of 256, of 4096.

Which rows are in them a hash of the id says, so nobody chooses, and nothing is kept up but the
indexes. They are by region: whoever sees a county looks at its rows only.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy import Index, text

_PLACE: Final = re.compile(r"\$([0-9]+)")
_SPARSEST: Final = 12
_STEP: Final = 4
_BITS: Final = range(_SPARSEST, 0, -_STEP)
"""Of a hash, that are zero for the rows of a sample: the smallest sample first."""
MOST: Final = 8192
"""Rows that a sample may be expected to have for it to be looked at."""


class Place(NamedTuple):
    """Where the rows lie that a sample is taken of: a table with its alias, and the codes of
    regions, half-open.
    """

    table: str
    lo: int
    hi: int


def indexes(table: str) -> Iterator[Index]:
    """Declare the samples of a table that has an `id` and a `region_code`."""
    for bits in _BITS:
        yield Index(
            f"ix_{table}_one_of_{2**bits}", "region_code", postgresql_where=text(_drawn("id", bits))
        )


def _drawn(column: str, bits: int) -> str:
    return f"uuid_hash({column}) & {2**bits - 1} = 0"


def _only_used(text: str, arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """Leave out the arguments that a text does not name: PostgreSQL would know no type of them."""
    places = {number: place for place, number in enumerate(dict.fromkeys(_PLACE.findall(text)), 1)}
    told = _PLACE.sub(lambda found: f"${places[found[1]]}", text)
    return told, [arguments[int(number) - 1] for number in places]


async def sample(
    connection: asyncpg.Connection,
    place: Place,
    columns: Sequence[str],
    condition: str,
    arguments: Sequence[Any],
    wanted: int,
) -> list[tuple[Any, ...]]:
    """Return those of a sample that meet a condition, of the first that has as many as `wanted`: by
    these columns, of which the last is the id. If none has, of the largest that is small enough.
    Up to three statements.
    """
    condition, used = _only_used(condition, arguments)
    first = len(used) + 1
    alias = place.table.partition(" ")[2]
    for bits in _BITS:
        # The condition is asked of each row that is found by the sample, not searched for: most of
        # those that do not meet it are as many as the sample has, and so are counted.
        rows = await connection.fetch(
            f"SELECT {', '.join(columns)}, ({condition}) IS TRUE AS met FROM {place.table}"
            f" WHERE {_drawn(columns[-1], bits)} AND {alias}.region_code >= ${first}"
            f" AND {alias}.region_code < ${first + 1}",
            *used,
            place.lo,
            place.hi,
        )
        met = [tuple(row)[:-1] for row in rows if row["met"]]
        if len(met) >= wanted or len(rows) << _STEP > MOST:
            break
    return met
