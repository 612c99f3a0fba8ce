"""How far the audit is sealed, for who looks after it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from app.sealing import passed_over, reading
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
    are. One of the newest that was passed over waits for ever. `unsigned_since`: likewise of what
    is sealed and not signed. `forked`: a witness holds what is not in the log; `unasked`: the
    database was put elsewhere or back, and not all witnesses said since what they hold.
    """

    sealed: int
    waits_since: datetime | None
    unsigned_since: datetime | None
    signed: int
    signed_at: datetime | None
    forked: bool
    unasked: bool
    witnesses: list[Held]

    def troubles(self, now: datetime) -> Iterator[Trouble]:
        """Tell what is wrong."""
        if self.waits_since is not None and now - self.waits_since > LATE:
            yield Trouble.sealing_late
        if self.unsigned_since is not None and now - self.unsigned_since > LATE:
            yield Trouble.signing_late
        if self.forked:
            yield Trouble.forked
        if self.unasked:
            yield Trouble.witnesses_unasked
        lately = [
            each
            for each in self.witnesses
            if each.received_at and (each.behind == 0 or now - each.received_at <= SILENT)
        ]
        if len(lately) < WITNESSES:
            yield Trouble.too_few_witnesses


_SEALED: Final = "SELECT coalesce(max(n) + 1, 0) FROM audit_leaves"
# Ids go by time, on whatever server; numbers of transactions begin anew on another, where what was
# brought along would seem to stand behind all that is new. Of what was sealed last some
# may have come late: the newest of them counts. An entry that somebody took away after it was
# sealed hides nothing: its leaf tells. (Whether one has a leaf is asked so that no plan
# reads all leaves for it.)
_WAITS: Final = """
SELECT (
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
SELECT (SELECT at FROM audit_entries ORDER BY committed_in, id LIMIT 1) AS waits_since
"""
_SIGNED: Final = """
SELECT coalesce(c.size, 0) AS size, c.made_at, (
    SELECT coalesce(e.at, c.made_at)
    FROM audit_leaves l LEFT JOIN audit_entries e ON e.id = l.entry_id
    WHERE l.n >= coalesce(c.size, 0) ORDER BY l.n LIMIT 1
) AS unsigned_since,
EXISTS (
    SELECT FROM audit_presented p WHERE p.log_key = c.goes_on AND NOT p.kept
) AS forked,
coalesce(c.goes_on = c.log_key AND c.place <> $1 AND EXISTS (
    SELECT FROM audit_witnesses w WHERE w.ended_at IS NULL AND NOT EXISTS (
        SELECT FROM audit_presented p
        WHERE p.witness_id = w.id AND p.place = $1 AND p.log_key = c.log_key)
), false) AS unasked
FROM (SELECT) AS one LEFT JOIN (
    SELECT k.*, coalesce((SELECT g.key FROM audit_logs g ORDER BY g.started_at DESC, g.id DESC
        LIMIT 1), k.log_key) AS goes_on
    FROM audit_checkpoints k ORDER BY k.size DESC LIMIT 1
) AS c ON true
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
    signed = await connection.fetchrow(_SIGNED, await reading.place(connection))
    size = signed["size"]
    over = await passed_over.lately(connection)
    held = await connection.fetch(_HELD)
    return Standing(
        await connection.fetchval(_SEALED),
        min((at for at in (over, waits["waits_since"]) if at), default=None),
        signed["unsigned_since"],
        size,
        signed["made_at"],
        signed["forked"],
        signed["unasked"],
        [Held(row["id"], size - (row["size"] or 0), row["received_at"]) for row in held],
    )
