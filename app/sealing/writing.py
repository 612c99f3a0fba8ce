"""Seal the audit: each entry becomes a leaf, once, in the order in which they were committed.

Which entries are still to be sealed is told by the transaction that wrote them. A pass notes, with
the snapshot it reads under, the number below which all is sealed, and which transactions were still
under way: what these commit later is read by their numbers. So one that stays open for an hour
holds nothing back, nothing that commits late is passed over, and nothing is read twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from app.core.ids import new_id
from app.sealing import leaves, reading
from app.sealing.merkle import Edge
from app.sealing.notes import Signer

BATCH: Final = 5_000
"""Entries of one transaction."""
CHECKPOINT_EVERY: Final = timedelta(seconds=30)


class LogBroken(Exception):
    """What is stored is not what was signed: nothing more is sealed upon it."""


@dataclass(slots=True)
class State:
    """How far the log is. `signed`: the size of the last checkpoint, made at `signed_at`. `gone`:
    the entries came from another server, whose numbers of transactions say nothing here.
    """

    edge: Edge
    next_xid: int
    pending: list[int]
    cluster: str
    signed: int = 0
    signed_at: datetime | None = None
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a pass did. `ats`: when the entries it sealed began; `more`: there may be more at once;
    `checkpoint`: the size it signed, if it did.
    """

    ats: list[datetime]
    more: bool
    checkpoint: int | None


_LAST: Final = "SELECT * FROM audit_checkpoints ORDER BY size DESC LIMIT 1"
_SIZE: Final = "SELECT coalesce(max(n) + 1, 0) FROM audit_leaves"
_CLUSTER: Final = "SELECT system_identifier::text FROM pg_control_system()"
_SNAPSHOT: Final = """
SELECT pg_snapshot_xmax(s)::text::bigint AS xmax,
    ARRAY(SELECT pg_snapshot_xip(s)::text::bigint) AS xip
FROM pg_current_snapshot() AS s
"""
_UNSEALED: Final = "NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry_id = e.id)"
_LATE: Final = f"""
SELECT e.* FROM audit_entries e WHERE e.committed_in = ANY ($1::bigint[]) AND {_UNSEALED}
ORDER BY e.committed_in, e.id
"""
# Below $2: rows that came from another server may have numbers that are not given out here yet.
_FRESH: Final = f"""
SELECT e.* FROM audit_entries e
WHERE e.committed_in >= $1 AND ($2::bigint IS NULL OR e.committed_in < $2) AND {_UNSEALED}
ORDER BY e.committed_in, e.id LIMIT {BATCH}
"""
_SIGN: Final = """
INSERT INTO audit_checkpoints (size, root, note, log_key, made_at, next_xid, pending, cluster, id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def resume(connection: asyncpg.Connection) -> State:
    """Read how far the log is. Raises LogBroken if it is not what was signed last."""
    last = await connection.fetchrow(_LAST)
    size = await connection.fetchval(_SIZE)
    cluster = await connection.fetchval(_CLUSTER)
    if last is None:
        return State(await reading.edge(connection, size), 0, [], cluster)
    if size < last["size"] or await reading.root_at(connection, last["size"]) != last["root"]:
        raise LogBroken(
            f"The audit's log is not what was signed at size {last['size']}: it was changed in the"
            " database. Nothing more is sealed. Keep everything as it is, export it (tonghu audit"
            " export), and check that against the checkpoints of your witnesses."
        )
    moved = last["cluster"] != cluster
    return State(
        await reading.edge(connection, size),
        0 if moved else last["next_xid"],
        [] if moved else last["pending"],
        cluster,
        last["size"],
        last["made_at"],
        moved,
    )


async def seal(
    connection: asyncpg.Connection, state: State, signer: Signer, now: datetime
) -> tuple[State, Sealed]:
    """Seal the next entries in one transaction, and sign if it is time; return the state after."""
    async with connection.transaction(isolation="repeatable_read"):
        seen = await connection.fetchrow(_SNAPSHOT)
        bound = None if state.moved else seen["xmax"]
        late = await connection.fetch(_LATE, state.pending) if state.pending else []
        fresh = await connection.fetch(_FRESH, state.next_xid, bound)
        more = len(fresh) == BATCH
        next_xid = fresh[-1]["committed_in"] if more else seen["xmax"]
        after = State(
            state.edge.copy(),
            next_xid,
            [xid for xid in seen["xip"] if xid < next_xid],
            state.cluster,
            state.signed,
            state.signed_at,
            state.moved and more,
        )
        rows = [*late, *fresh]
        await _add(connection, after.edge, rows)
        signed = await _sign(connection, after, signer, now)
    return after, Sealed([row["at"] for row in rows], more, signed)


async def _add(connection: asyncpg.Connection, edge: Edge, rows: list[Any]) -> None:
    added, nodes = [], []
    for row in rows:
        n = edge.size
        hash_ = leaves.hash_of(n, row)
        added.append((n, row["id"], hash_))
        nodes += edge.append(hash_)
    if added:
        columns = ["n", "entry_id", "hash"]
        await connection.copy_records_to_table("audit_leaves", records=added, columns=columns)
    if nodes:
        columns = ["level", "i", "hash"]
        await connection.copy_records_to_table("audit_nodes", records=nodes, columns=columns)


async def _sign(
    connection: asyncpg.Connection, state: State, signer: Signer, now: datetime
) -> int | None:
    size, root = state.edge.size, state.edge.root()
    waits = state.signed_at is not None and now < state.signed_at + CHECKPOINT_EVERY
    if size == state.signed or waits:
        return None
    note = signer.checkpoint(size, root)
    known = (state.next_xid, state.pending, state.cluster, new_id())
    await connection.execute(_SIGN, size, root, note, str(signer.public), now, *known)
    state.signed, state.signed_at = size, now
    return size
