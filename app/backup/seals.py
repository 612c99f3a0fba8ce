"""Whether what is sealed opens with the keys at hand: one value of each column, under each key."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.core.data.crypto import DecryptionRefused, Keyring

_COLUMNS: Final = """
SELECT c.relname::text AS name, a.attname::text AS column,
    (SELECT array_agg(k.attname::text ORDER BY k.attnum) FROM pg_index i
     JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
     WHERE i.indrelid = c.oid AND i.indisprimary) AS key
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.atttypid = 'bytea'::regtype AND a.attname ~ '(^|_)sealed$' AND NOT a.attisdropped
ORDER BY 1, 2
"""
# The first bytes name the kind of seal and the key.
_ONE_OF_EACH: Final = """
SELECT DISTINCT ON (substring("{column}" FROM 1 FOR 5)) {key}, "{column}" AS sealed
FROM public."{name}" WHERE "{column}" IS NOT NULL ORDER BY substring("{column}" FROM 1 FOR 5)
"""


async def opened(connection: asyncpg.Connection, keyring: Keyring) -> tuple[int, list[str]]:
    """Open one value of each column under each key; return how many opened, and the columns of
    which one did not.
    """
    good, shut = 0, []
    for column in await connection.fetch(_COLUMNS):
        place = f"{column['name']}.{column['column']}"
        key = ", ".join(f'"{name}"' for name in column["key"])
        asked = _ONE_OF_EACH.format(name=column["name"], column=column["column"], key=key)
        for row in await connection.fetch(asked):
            *identities, sealed = row.values()
            if any(_opens(keyring, where, who, sealed) for where, who in _ways(place, identities)):
                good += 1
            else:
                shut.append(place)
    return good, shut


def _ways(place: str, identities: list[Any]) -> Iterator[tuple[str, UUID | str]]:
    """Yield under which names a value may be sealed: of its column, by a part of its row's key."""
    for each in identities:
        who = each.hex() if isinstance(each, bytes) else each
        yield place, who
        yield place.removesuffix("_sealed"), who


def _opens(keyring: Keyring, place: str, who: UUID | str, sealed: bytes) -> bool:
    for unseal in (keyring.unseal_bytes, keyring.unseal_away):
        with suppress(DecryptionRefused):
            unseal(place, who, sealed)
            return True
    return False
