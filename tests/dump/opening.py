"""What every column that is declared as sealed holds, opened again: each of its words is looked for
in what was stolen, without anybody listing the columns. What goes by itself after some days is sent
on in other forms, and is not opened.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from re import fullmatch
from typing import Any

import asyncpg

from app.core.data import keys, sealed
from app.core.data.db import SYSTEM, Database
from app.core.data.envelopes import SUITES

_NUMBER = r"[0-9]{11}|[0-9]{17}[0-9X]"
"""Of a telephone, or of a person."""


@dataclass
class Opened:
    """`words`: what people wrote, and their numbers, each with where it was sealed. `empty`:
    columns in which nothing was.
    """

    words: dict[str, str] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)


async def opened(database: Database, superuser: asyncpg.Connection) -> Opened:
    """Open each value of each column of which a table says that it is sealed."""
    found, there = Opened(), set[str]()
    for table in sealed.TABLES:
        if table.days is not None:
            continue
        rows = await superuser.fetch(
            f"SELECT {table.row} AS row_name, {', '.join(table.places)} FROM {table.table} t"
        )
        async with database.begin(SYSTEM) as tx:
            await keys.of_rows(tx, rows)
            for column, place in table.places.items():
                where = f"{table.table}.{column}"
                found.empty.add(where)
                for row in rows:
                    if row[column] and row[column][0] in SUITES:  # else it says nothing of a case
                        there.add(where)
                        raw = tx.keyring.unseal_bytes(place, row["row_name"], row[column])
                        found.words.update((word, where) for word in _words(raw))
    found.empty -= there
    return found


def _words(raw: bytes) -> Iterator[str]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # a key
        return
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    for word in _strings(said):
        if not word.isascii() or fullmatch(_NUMBER, word):
            yield word


def _strings(said: Any) -> Iterator[str]:
    if isinstance(said, dict):
        for each in said.values():
            yield from _strings(each)
    elif isinstance(said, list):
        for each in said:
            yield from _strings(each)
    elif isinstance(said, str):
        yield said
