"""How far the audit is sealed, for who looks after it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from app.sealing.events import Trouble

LATE: Final = timedelta(minutes=5)
"""How long an entry may wait to be sealed before somebody is told (AUD-5)."""
SILENT: Final = timedelta(days=1)
"""Within which each witness countersigns something, if there is something."""
WITNESSES: Final = 2
"""So many agencies at least hold what was signed."""


class Held(NamedTuple):
    """What a witness holds: how many entries fewer than the newest checkpoint, since when."""

    witness_id: UUID
    behind: int
    received_at: datetime | None


class Standing(NamedTuple):
    """How it stands. `waits_since`: when the oldest entry was made that is not sealed; None: all
    are. `unsigned_since`: likewise of what is sealed and not signed.
    """

    sealed: int
    waits_since: datetime | None
    unsigned_since: datetime | None
    signed: int
    signed_at: datetime | None
    witnesses: list[Held]

    def troubles(self, now: datetime) -> Iterator[Trouble]:
        """Tell what is wrong."""
        if self.waits_since is not None and now - self.waits_since > LATE:
            yield Trouble.sealing_late
        if self.unsigned_since is not None and now - self.unsigned_since > LATE:
            yield Trouble.signing_late
        lately = [
            each
            for each in self.witnesses
            if each.received_at and (each.behind == 0 or now - each.received_at <= SILENT)
        ]
        if len(lately) < WITNESSES:
            yield Trouble.too_few_witnesses


# Ids go by time, on whatever server; numbers of transactions begin anew on another, where what was
# brought along would seem to stand behind all that is new. Of what was sealed last some
# may have come late: the newest of them counts. (Whether one has a leaf is asked so that no plan
# reads all leaves for it.)
_WAITS: Final = """
SELECT l.n + 1 AS sealed, (
    SELECT n.at FROM audit_entries n WHERE n.id > (
        SELECT k.entry_id FROM (
            SELECT entry_id FROM audit_leaves ORDER BY n DESC LIMIT 1000
        ) AS k ORDER BY k.entry_id DESC LIMIT 1
    ) AND (SELECT k.n FROM audit_leaves k WHERE k.entry_id = n.id) IS NULL
    ORDER BY n.id LIMIT 1
) AS waits_since
FROM audit_leaves l ORDER BY l.n DESC LIMIT 1
"""
_WAITS_FIRST: Final = """
SELECT 0 AS sealed, (SELECT at FROM audit_entries ORDER BY committed_in, id LIMIT 1) AS waits_since
"""
_SIGNED: Final = """
SELECT c.size, c.made_at, (
    SELECT e.at FROM audit_leaves l JOIN audit_entries e ON e.id = l.entry_id WHERE l.n = c.size
) AS unsigned_since
FROM audit_checkpoints c ORDER BY c.size DESC LIMIT 1
"""
# One step in the primary key, also for who has signed nothing: by size alone all would be read.
_HELD: Final = """
SELECT w.id, k.size, k.received_at FROM audit_witnesses w
LEFT JOIN LATERAL (
    SELECT s.* FROM audit_cosignatures s
    WHERE (s.witness_id, s.size) <= (w.id, 9223372036854775807)
    ORDER BY s.witness_id DESC, s.size DESC LIMIT 1
) AS k ON k.witness_id = w.id
WHERE w.ended_at IS NULL ORDER BY w.id
"""


async def standing(connection: asyncpg.Connection) -> Standing:
    """Return how the sealing stands, in SYSTEM's reach. Reads a few pages of each month."""
    waits = await connection.fetchrow(_WAITS) or await connection.fetchrow(_WAITS_FIRST)
    signed = await connection.fetchrow(_SIGNED)
    size = signed["size"] if signed else 0
    held = await connection.fetch(_HELD)
    return Standing(
        waits["sealed"],
        waits["waits_since"],
        signed and signed["unsigned_since"],
        size,
        signed and signed["made_at"],
        [Held(row["id"], size - (row["size"] or 0), row["received_at"]) for row in held],
    )
