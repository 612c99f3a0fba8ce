"""Keys of their own: of each child, each report and who made it, wrapped by the newest data key of
the file (ADR 63). Whoever deletes one makes all unreadable that was sealed under it.

A transaction holds those it has looked for (`Keyring.opened`). Most statements bring them along
(`with_key`); for what others found, `of_rows` loads what is lacking in one statement.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import ERASED as ERASED_TEXT
from app.core.data.envelopes import Erased, Owner, Whose, owner_of

_KEY_BYTES: Final = 32
ERASED: Final = b""
"""What stands in the place of a key that was erased: none is made again."""


class Kept(NamedTuple):
    """Where the keys of one kind lie: a table by `home_county` and an id, wrapped in a column; and
    the table `of` those whose they are.
    """

    table: str
    column: str
    wrapped: str
    of: str

    @property
    def place(self) -> str:
        return f"{self.table}.{self.wrapped}"


KEPT: Final[dict[Whose, Kept]] = {}


def kept_in(whose: Whose, kept: Kept) -> None:
    """Say, beside its model, in which table the keys of one kind lie."""
    KEPT[whose] = kept


def with_key(whose: Whose, county: str, column: str) -> str:
    """Return what a statement selects to bring a row's key along, as `child_key` or the like."""
    kept = KEPT[whose]
    return (
        f"(SELECT k.{kept.wrapped} FROM {kept.table} k"
        f" WHERE k.home_county = {county} AND k.{kept.column} = {column}) AS {whose.name}_key"
    )


def wait(keyring: Keyring, *owners: Owner) -> None:
    """Let there be no keys of these yet: what is sealed of them is, under the file's."""
    keyring.opened.update(dict.fromkeys((owner.named for owner in owners), None))


def make(keyring: Keyring, owner: Owner) -> bytes:
    """Make a key and open it; return it wrapped, to be stored in the same transaction. Not while
    the release before may run, which cannot read what is sealed under it (`former`).
    """
    place = KEPT[owner.whose].place
    wrapped = keyring.seal(place, owner.id, os.urandom(_KEY_BYTES))
    keyring.open(owner, place, wrapped)
    return wrapped


def brought(keyring: Keyring, owner: Owner, row: Mapping[str, Any]) -> None:
    """Open the key that a row brought along (`with_key`), unless it is open or there is none."""
    name = f"{owner.whose.name}_key"
    if keyring.opened.get(owner.named) is None and name in row:
        keyring.open(owner, KEPT[owner.whose].place, row[name])


async def load(tx: Tx, owners: Iterable[Owner], county: int | None = None) -> None:
    """Look for the keys of these owners, and open those there are. `county`: the one by which all
    of them lie. One statement; none if all are open.
    """
    opened = tx.keyring.opened
    lacking: dict[Whose, set[UUID]] = {}
    for owner in owners:
        if owner.named not in opened:
            opened[owner.named] = None
            lacking.setdefault(owner.whose, set()).add(owner.id)
    if not lacking:
        return
    arguments: list[Any] = [[*ids] for ids in lacking.values()]
    by = "" if county is None else f" AND home_county = ${len(arguments) + 1}"
    found = await tx.connection.fetch(
        " UNION ALL ".join(
            _SELECT.format(int(whose), KEPT[whose], f"${place}") + by
            for place, whose in enumerate(lacking, 1)
        ),
        *arguments,
        *([] if county is None else [county]),
    )
    for row in found:
        owner = Owner(Whose(row["whose"]), row["id"])
        tx.keyring.open(owner, KEPT[owner.whose].place, row["key"])


_SELECT: Final = (
    "SELECT {0} AS whose, {1.column} AS id, {1.wrapped} AS key FROM {1.table}"
    " WHERE {1.column} = ANY ({2}::uuid[])"
)


async def of_rows(tx: Tx, rows: Iterable[Mapping[str, Any] | None]) -> None:
    """Open the keys that the sealed values of rows name. One statement; none if all are open."""
    named = {
        value[1:18]: value
        for row in rows
        if row is not None
        for value in row.values()
        if isinstance(value, bytes) and value[:1] == b"\x04"
    }
    owners = (owner_of(value) for value in named.values())
    await load(tx, [owner for owner in owners if owner is not None])


def text_of(keyring: Keyring, place: str, row: UUID | str, sealed: bytes) -> str:
    """Return a sealed text, or what is shown where one stood that was erased. Its key is open."""
    try:
        return keyring.unseal(place, row, sealed)
    except Erased:
        return ERASED_TEXT


async def of_values(tx: Tx, *values: bytes | None) -> None:
    """Open the keys that sealed values name. One statement; none if all are open."""
    await of_rows(tx, [{"": value} for value in values])
