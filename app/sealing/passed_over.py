"""Entries that never become a leaf though nothing is late: somebody who owns the database made one
seem to be of a transaction that was sealed already.

All transactions below a checkpoint's number but those that were under way then are sealed by it.
So an entry of such a transaction without a leaf was put there, or moved there, later.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from app.core.data import months

CHUNK: Final = 20_000
NEWEST: Final = 300
"""So many entries are looked at whenever it is asked how the sealing stands."""
BACK: Final = timedelta(days=2)
"""So far back is looked each night; who looks at all asks `tonghu verify`."""
# The entries are chosen first; whether one has a leaf is asked so that no plan reads all leaves.
_OF: Final = """
SELECT e.id, e.at FROM (
    SELECT next_xid, pending FROM audit_checkpoints WHERE size = (
        SELECT size FROM audit_checkpoints ORDER BY size DESC LIMIT 1
    ) AND cluster = (SELECT system_identifier::text FROM pg_control_system())
) AS c CROSS JOIN LATERAL ({entries} OFFSET 0) AS e
WHERE e.committed_in < c.next_xid AND e.committed_in <> ALL (c.pending)
    AND (SELECT k.n FROM audit_leaves k WHERE k.entry_id = e.id) IS NULL
ORDER BY e.id LIMIT 1
"""
_ENTRIES: Final = "SELECT id, at, committed_in FROM audit_entries"
_LATELY: Final = _OF.format(entries=f"{_ENTRIES} ORDER BY id DESC LIMIT {NEWEST}")
_BETWEEN: Final = _OF.format(entries=f"{_ENTRIES} WHERE id > $1 AND id <= $2")
_UPTO: Final = f"""
SELECT id FROM (SELECT id FROM audit_entries WHERE id > $1 ORDER BY id LIMIT {CHUNK}) AS e
ORDER BY id DESC LIMIT 1
"""


class Found(NamedTuple):
    """Up to which entry was looked, None: there are no more; and the first that was passed over."""

    upto: UUID | None
    entry_id: UUID | None


async def lately(connection: asyncpg.Connection) -> datetime | None:
    """Return when an entry of the newest was made that was passed over; None: none was."""
    row = await connection.fetchrow(_LATELY)
    return None if row is None else row["at"]


async def after(connection: asyncpg.Connection, entry_id: UUID) -> Found:
    """Look at the entries that follow one, as many as are looked at in one go."""
    upto = await connection.fetchval(_UPTO, entry_id)
    if upto is None:
        return Found(None, None)
    return Found(upto, await connection.fetchval(_BETWEEN, entry_id, upto))


def since(now: datetime) -> UUID:
    """Return the id behind which each night is looked."""
    return months.first_id(now - BACK)
