"""Write out a part of the sealed audit, so that it can be checked without the database.

The first line says what it is and holds the hashes of what lies before and after the part, up to
the newest checkpoint; each line after it a leaf: its hash as it is kept, and what it says.
"""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import orjson

from app.core.jobs.queue import Begin
from app.sealing import leaves, merkle, reading

FORMAT: Final = "tonghu-audit-export/1"
_CHUNK: Final = 2_000
_NEWEST: Final = "SELECT size, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1"
_SKIPPED: Final = ("n", "hash")


class NothingSealed(Exception):
    """There is no such part of the log, or no checkpoint yet; the text says which."""


async def lines(begin: Begin, begins: int, ends: int | None) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the export of the leaves from `begins` and before `ends`, or before the newest
    checkpoint: each line with how many leaves were written by then. Raises NothingSealed.
    """
    async with begin() as tx:
        newest = await tx.connection.fetchrow(_NEWEST)
        if newest is None:
            raise NothingSealed("Nothing is sealed yet: is `tonghu sealer` running?")
        size = newest["size"]
        ends = size if ends is None else ends
        if not begins < ends <= size:
            raise NothingSealed(f"There are leaves from 0 and before {size}.")
        before = await reading.hashes(tx.connection, merkle.wholes(0, begins))
        after = await _after(tx.connection, ends, size)
    head = {
        "format": FORMAT,
        "from": begins,
        "to": ends,
        "before": [each.hex() for each in before],
        "after": after,
        "checkpoint": newest["note"],
    }
    yield 0, orjson.dumps(head)
    for at in range(begins, ends, _CHUNK):
        upto = min(at + _CHUNK, ends)
        async with begin() as tx:
            rows = await reading.entries(tx.connection, at, upto)
        for row in rows:
            if row["id"] is not None:  # the entry may be gone: the verifier says so
                yield row["n"] + 1 - begins, _line(row)


def _line(row: asyncpg.Record) -> bytes:
    said = {name: value for name, value in row.items() if name not in _SKIPPED}
    leaf = leaves.content(row["n"], said)
    return leaves.text({"hash": row["hash"].hex(), "leaf": leaf})


async def _after(connection: asyncpg.Connection, begins: int, size: int) -> list[tuple[int, str]]:
    """Return the heights and hashes of the whole subtrees from a leaf to the end of the log."""
    found = []
    while begins < size:
        aligned = (begins & -begins).bit_length() - 1 if begins else size.bit_length()
        height = min(aligned, (size - begins).bit_length() - 1)
        found.append(merkle.Whole(height, begins >> height))
        begins += 1 << height
    hashes = await reading.hashes(connection, found)
    return [(each.height, hash_.hex()) for each, hash_ in zip(found, hashes, strict=True)]
