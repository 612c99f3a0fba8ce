"""Whether what is sealed opens with the keys at hand: one value of each column, under each kind of
key.
"""

from typing import Final, NamedTuple

import asyncpg

from app.core.data import keys, sealed
from app.core.data.crypto import Keyring
from app.core.data.envelopes import DecryptionRefused, Erased, owner_of

# The first bytes name the kind of seal and the key; of a key of its own, whose it is.
_KIND: Final = "substring(t.{0} FROM 1 FOR CASE get_byte(t.{0}, 0) WHEN 4 THEN 2 ELSE 5 END)"
_ONE_OF_EACH: Final = f"""
SELECT DISTINCT ON ({_KIND}) {{1}} AS row, t.{{0}} AS sealed FROM {{2}} t
WHERE t.{{0}} IS NOT NULL AND t.{{0}} <> '' ORDER BY {_KIND}
"""


class Opened(NamedTuple):
    """How many kinds of values opened, of how many the own key is not here, and the columns in
    which one did not open.
    """

    good: int
    apart: int
    shut: list[str]


async def opened(connection: asyncpg.Connection, keyring: Keyring) -> Opened:
    """Open one value of each kind in each column that is declared to hold what is sealed."""
    good, apart, shut = 0, 0, []
    for table in sealed.lasting():
        for column, place in table.places.items():
            asked = _ONE_OF_EACH.format(column, table.row, table.table)
            for row in await connection.fetch(asked):
                try:
                    await _open(connection, keyring, place, row)
                except Erased:
                    apart += 1
                except DecryptionRefused:
                    shut.append(f"{table.table}.{column}")
                else:
                    good += 1
    return Opened(good, apart, shut)


async def _open(
    connection: asyncpg.Connection, keyring: Keyring, place: str, row: asyncpg.Record
) -> None:
    """Open one value. Raises Erased if its own key is not here, DecryptionRefused."""
    owner = owner_of(row["sealed"])
    if owner is not None:
        kept = keys.KEPT[owner.whose]
        lies = f"SELECT {kept.wrapped} FROM {kept.table} WHERE {kept.column} = $1"
        keyring.open(owner, kept.place, await connection.fetchval(lies, owner.id))
    keyring.unseal_bytes(place, row["row"], row["sealed"])
