"""Seal the audit: each entry becomes a leaf, once, in the order in which they were committed.

Which entries are still to be sealed is told by the transaction that wrote them. A pass notes, with
the snapshot it reads under, the number below which all is sealed, and which transactions were still
under way: what these commit later is read by their numbers. So one that stays open for an hour
holds nothing back, nothing that commits late is passed over, and nothing is read twice.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from app.core.ids import new_id
from app.sealing import continuing, leaves, notes, reading
from app.sealing.merkle import Edge
from app.sealing.notes import Signer, VerifierKey

BATCH: Final = 5_000
"""Entries of one transaction."""
CHECKPOINT_EVERY: Final = timedelta(seconds=30)


class LogBroken(Exception):
    """What is stored is not what was signed: nothing more is sealed upon it."""


@dataclass(slots=True)
class State:
    """How far the log is. `signed`: the size of the last checkpoint, made at `signed_at`. `moved`:
    the entries came from another server, whose numbers of transactions say nothing here. `place`:
    where the database stands; `to_ask`: it did not stand here when it was signed last, so that
    witnesses are asked first. `continues`: the line that names the log before this one.
    """

    edge: Edge
    next_xid: int
    pending: list[int]
    cluster: str
    signed: int = 0
    signed_at: datetime | None = None
    moved: bool = False
    place: str = ""
    to_ask: bool = False
    continues: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a pass did. `ats`: when the entries it sealed began; `more`: there may be more at once;
    `checkpoint`: the size it signed, if it did; `awaits`: witnesses who have to say first what they
    hold.
    """

    ats: list[datetime]
    more: bool
    checkpoint: int | None
    awaits: list[str] = field(default_factory=list)


_LAST: Final = "SELECT * FROM audit_checkpoints ORDER BY size DESC LIMIT 1"
_BEGUN: Final = "SELECT * FROM audit_logs ORDER BY started_at DESC, id DESC LIMIT 1"
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
INSERT INTO audit_checkpoints
    (size, root, note, log_key, made_at, next_xid, pending, cluster, place, id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def resume(connection: asyncpg.Connection, log: VerifierKey) -> State:
    """Read how far the log is. Raises LogBroken if it is not what was signed last, or not by this
    key.
    """
    last = await connection.fetchrow(_LAST)
    size = await reading.size(connection)
    cluster = await connection.fetchval(_CLUSTER)
    place = await reading.place(connection)
    if last is None:
        return State(await reading.edge(connection, size), 0, [], cluster, place=place)
    continues = await _continues(connection, last["log_key"], log)
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
        place,
        last["log_key"] == str(log) and last["place"] not in {None, place},
        continues,
    )


async def _continues(connection: asyncpg.Connection, last: str, log: VerifierKey) -> str:
    """Return the line that names the log before this one; none, if this is the first. Raises
    LogBroken if another log is the one that goes on.
    """
    begun = await connection.fetchrow(_BEGUN)
    goes_on = last if begun is None else begun["key"]
    if goes_on != str(log):
        raise LogBroken(
            f"The log that goes on is {goes_on}, and this key is {log}'s: two operators begin"
            " another log (docs/backup.md), or the file TONGHU_AUDIT_KEY_FILE is the wrong one."
        )
    if begun is None:
        return ""
    old = VerifierKey.read(begun["old_key"], notes.LOG).name
    return notes.continues(old, begun["old_size"], begun["old_root"])


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
        after = replace(
            state,
            edge=state.edge.copy(),
            next_xid=next_xid,
            pending=[xid for xid in seen["xip"] if xid < next_xid],
            moved=state.moved and more,
        )
        rows = [*late, *fresh]
        await _add(connection, after.edge, rows)
        signed, awaits = await _sign(connection, after, signer, now)
    return after, Sealed([row["at"] for row in rows], more, signed, awaits)


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
) -> tuple[int | None, list[str]]:
    size, root = state.edge.size, state.edge.root()
    waits = state.signed_at is not None and now < state.signed_at + CHECKPOINT_EVERY
    if size == state.signed or waits:
        return None, []
    await _continues(connection, str(signer.public), signer.public)
    await continuing.refuse_forks(connection, signer.public)
    if state.to_ask:
        awaits = await continuing.unasked(connection, signer.public, state.place)
        if awaits:
            return None, awaits
    note = signer.checkpoint(size, root, state.continues)
    known = (state.next_xid, state.pending, state.cluster, state.place, new_id())
    await connection.execute(_SIGN, size, root, note, str(signer.public), now, *known)
    state.signed, state.signed_at, state.to_ask = size, now, False
    return size, []
