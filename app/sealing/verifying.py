"""Whether the log in a database is what was signed, entry by entry: for `tonghu verify`.

It trusts what is signed by the log's keys as they stand in the database; who holds checkpoints
elsewhere checks an export against those (clients/verify).
"""

from typing import Final
from uuid import UUID

import asyncpg

from app.core.data.backups import Look, look_at
from app.sealing import leaves, notes, passed_over
from app.sealing.merkle import Edge
from app.sealing.notes import BadNote, VerifierKey

_CHUNK: Final = 5_000
_UPTO: Final = "SELECT max(size) FROM audit_checkpoints"
_ROWS: Final = """
SELECT l.n, l.hash, l.entry_id, k.child_ids AS found_by, e.*
FROM audit_leaves l LEFT JOIN audit_entries e ON e.id = l.entry_id
LEFT JOIN audit_children k ON k.entry_id = l.entry_id
WHERE l.n >= $1 AND l.n < $2 ORDER BY l.n
"""
_CHECKPOINTS: Final = """
SELECT size, root, note, log_key FROM audit_checkpoints WHERE size > $1 AND size <= $2
ORDER BY size
"""
_BEYOND: Final = """
SELECT w.name, s.size FROM audit_cosignatures s JOIN audit_witnesses w ON w.id = s.witness_id
WHERE NOT EXISTS (SELECT FROM audit_checkpoints c WHERE c.size = s.size)
ORDER BY s.size DESC LIMIT 1
"""
_NOT_OF_A_LEAF: Final = ("n", "hash", "entry_id", "found_by")


class _Bad(Exception):
    """The first thing that is not right."""


@look_at("audit")
async def look(connection: asyncpg.Connection) -> Look:
    """Make every leaf anew from its entry, and compare the root at each checkpoint with what was
    signed; and by which children an entry is found with whom its leaf names. Then look for entries
    that are no leaf and should be.
    """
    upto = await connection.fetchval(_UPTO)
    if upto is None:
        return Look(good=True, found="nothing was signed yet")
    edge, signed, key = Edge(0, []), 0, ""
    try:
        for begins in range(0, upto, _CHUNK):
            ends = min(begins + _CHUNK, upto)
            checkpoints = {
                row["size"]: row for row in await connection.fetch(_CHECKPOINTS, begins, ends)
            }
            for row in await connection.fetch(_ROWS, begins, ends):
                edge.append(_leaf(row, edge.size))
                if edge.size in checkpoints:
                    key = _compare(edge, checkpoints[edge.size])
                    signed += 1
        _whole(edge, upto, await connection.fetchrow(_BEYOND))
        await _none_passed_over(connection)
    except _Bad as bad:
        return Look(good=False, found=str(bad))
    said = f"{upto:,} entries are what {signed:,} checkpoints were signed for, the last by {key}"
    return Look(good=True, found=said)


def _whole(edge: Edge, upto: int, beyond: asyncpg.Record | None) -> None:
    if edge.size != upto:
        raise _Bad(f"leaf {edge.size} is missing, and {upto} were signed")
    if beyond is not None:
        raise _Bad(f"{beyond['name']} countersigned size {beyond['size']}, which is not here")


async def _none_passed_over(connection: asyncpg.Connection) -> None:
    looked = await passed_over.after(connection, UUID(int=0))
    while looked.upto is not None:
        if looked.entry_id is not None:
            raise _Bad(f"the entry {looked.entry_id} was passed over: it is no leaf")
        looked = await passed_over.after(connection, looked.upto)


def _leaf(row: asyncpg.Record, n: int) -> bytes:
    if row["n"] != n:
        raise _Bad(f"leaf {n} is missing")
    if row["id"] is None:
        raise _Bad(f"the entry {row['entry_id']} of leaf {n} is missing")
    said = {name: value for name, value in row.items() if name not in _NOT_OF_A_LEAF}
    hash_ = leaves.hash_of(n, said)
    if hash_ != row["hash"]:
        raise _Bad(f"the entry {row['id']} of leaf {n} was changed")
    if {*(row["found_by"] or ())} != {*row["child_ids"]}:
        raise _Bad(f"the entry {row['id']} of leaf {n} is not found by the children that it names")
    return hash_


def _compare(edge: Edge, checkpoint: asyncpg.Record) -> str:
    key = VerifierKey.read(checkpoint["log_key"], notes.LOG)
    try:
        said = notes.signed(checkpoint["note"], key)
    except BadNote:
        raise _Bad(f"the checkpoint at size {edge.size} is not signed by its key") from None
    if said != (edge.size, edge.root()):
        raise _Bad(f"the log is another than was signed at size {edge.size}")
    return str(key)
