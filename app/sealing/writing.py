"""Seal the audit: each entry becomes a leaf, once, in the order in which they were committed.

Which entries are still to be sealed is told by the transaction that wrote them. A pass notes, with
the snapshot it reads under, the number below which all is sealed, and which transactions were still
under way: what these commit later is read by their numbers. So one that stays open for an hour
holds nothing back, nothing that commits late is passed over, and nothing is read twice.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.core.ids import new_id
from app.sealing import continuing, leaves, notes, reading
from app.sealing.merkle import Edge
from app.sealing.notes import Signer, VerifierKey

BATCH: Final = 5_000
"""Entries that are sealed in one transaction."""
LOOKED_AT: Final = 50_000
"""Entries that are looked at in one transaction, sealed before or not."""
CHECKPOINT_EVERY: Final = timedelta(seconds=30)


class LogBroken(Exception):
    """What is stored is not what was signed: nothing more is sealed upon it."""


@dataclass(frozen=True, slots=True)
class Moved:
    """That the entries came from another server, whose numbers of transactions say nothing here:
    each is looked at once. `reached`: the last that was. `cluster`, `next_xid`, `pending`: this
    server, and how it stood when that began: what is committed later is told by its number again.
    """

    cluster: str
    next_xid: int
    pending: list[int]
    reached: tuple[int, UUID] = (-1, UUID(int=0))


@dataclass(slots=True)
class State:
    """How far the log is. `signed`: the size of the last checkpoint, made at `signed_at`. `moved`:
    until all entries of another server are looked at, `next_xid`, `pending` and `cluster` stay that
    server's, so that who begins anew looks anew. `place`: where the database stands; `to_ask`: it
    did not stand here when it was signed last, so that witnesses are asked first. `continues`: the
    line that names the log before this one.
    """

    edge: Edge
    next_xid: int
    pending: list[int]
    cluster: str
    signed: int = 0
    signed_at: datetime | None = None
    moved: Moved | None = None
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
_FRESH: Final = f"""
SELECT e.* FROM audit_entries e
WHERE e.committed_in >= $1 AND e.committed_in < $2 AND {_UNSEALED}
ORDER BY e.committed_in, e.id LIMIT {BATCH}
"""
_LOOKED_AT: Final = f"""
SELECT committed_in, id FROM audit_entries WHERE (committed_in, id) > ($1, $2)
ORDER BY committed_in, id OFFSET {LOOKED_AT - 1} LIMIT 1
"""
_MOVED: Final = f"""
SELECT e.* FROM audit_entries e
WHERE (e.committed_in, e.id) > ($1, $2) AND (e.committed_in, e.id) <= ($3, $4) AND {_UNSEALED}
ORDER BY e.committed_in, e.id LIMIT {BATCH}
"""
_END: Final = (2**63 - 1, UUID(int=2**128 - 1))
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
    seen = await connection.fetchrow(_SNAPSHOT)
    moved = Moved(cluster, seen["xmax"], seen["xip"])
    if last is None:
        return State(await reading.edge(connection, size), 0, [], "", moved=moved, place=place)
    continues = await _continues(connection, last["log_key"], log)
    if size < last["size"] or await reading.root_at(connection, last["size"]) != last["root"]:
        raise LogBroken(
            f"The audit's log is not what was signed at size {last['size']}: it was changed in the"
            " database. Nothing more is sealed. Keep everything as it is, export it (tonghu audit"
            " export), and check that against the checkpoints of your witnesses."
        )
    return State(
        await reading.edge(connection, size),
        last["next_xid"],
        last["pending"],
        last["cluster"],
        last["size"],
        last["made_at"],
        moved if last["cluster"] != cluster else None,
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
        next_rows = _next if state.moved is None else _next_of_moved
        after, rows, more = await next_rows(connection, replace(state, edge=state.edge.copy()))
        await _add(connection, after.edge, rows)
        signed, awaits = await _sign(connection, after, signer, now)
    return after, Sealed([row["at"] for row in rows], more, signed, awaits)


_Next = tuple[State, list[asyncpg.Record], bool]
"""The state after, the rows that are to be sealed, and whether there may be more at once."""


async def _next(connection: asyncpg.Connection, state: State) -> _Next:
    seen = await connection.fetchrow(_SNAPSHOT)
    late = await connection.fetch(_LATE, state.pending) if state.pending else []
    fresh = await connection.fetch(_FRESH, state.next_xid, seen["xmax"])
    more = len(fresh) == BATCH
    next_xid = fresh[-1]["committed_in"] if more else seen["xmax"]
    pending = [xid for xid in seen["xip"] if xid < next_xid]
    return replace(state, next_xid=next_xid, pending=pending), [*late, *fresh], more


async def _next_of_moved(connection: asyncpg.Connection, state: State) -> _Next:
    """Look at the next entries of a server that it is not any more, sealed or not."""
    moved = state.moved
    assert moved is not None  # noqa: S101  who calls has looked
    upto = tuple(await connection.fetchrow(_LOOKED_AT, *moved.reached) or _END)
    rows = await connection.fetch(_MOVED, *moved.reached, *upto)
    if len(rows) == BATCH:
        upto = rows[-1]["committed_in"], rows[-1]["id"]
    if upto != _END:
        return replace(state, moved=replace(moved, reached=upto)), rows, True
    here = replace(state, cluster=moved.cluster, next_xid=moved.next_xid, pending=moved.pending)
    return replace(here, moved=None), rows, True


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
