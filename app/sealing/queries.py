"""Reads of checkpoints, proofs and witnesses."""

from base64 import b64encode
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.sealing import merkle, reading, schemas

_CHECKPOINTS: Final = """
SELECT c.id, c.size, c.root, c.made_at, c.log_key,
    (SELECT count(*) FROM audit_cosignatures s WHERE s.size = c.size) AS cosigned
FROM audit_checkpoints c"""
_LARGEST: Final = paging.Order({"c.size": int}, descending=True)
_CHECKPOINT: Final = f"{_CHECKPOINTS.replace('SELECT', 'SELECT c.note,', 1)} WHERE c.id = $1"
_LINES: Final = """
SELECT s.line FROM audit_cosignatures s WHERE s.size = $1 ORDER BY s.received_at, s.witness_id
"""
_LEAF: Final = "SELECT n, hash FROM audit_leaves WHERE entry_id = $1"
_WITNESSES: Final = """
SELECT w.id, w.agency_id, w.key, w.registered_by, w.registered_at, w.ended_at,
    k.size AS cosigned_size, k.received_at AS cosigned_at, a.region_code AS agency_region
FROM audit_witnesses w JOIN agencies a ON a.id = w.agency_id LEFT JOIN LATERAL (
    SELECT s.* FROM audit_cosignatures s
    WHERE (s.witness_id, s.size) <= (w.id, 9223372036854775807)
    ORDER BY s.witness_id DESC, s.size DESC LIMIT 1
) AS k ON k.witness_id = w.id"""
_NEWEST: Final = paging.Order({"w.id": UUID}, descending=True)


async def list_checkpoints(tx: Tx, window: paging.Window) -> paging.Rows:
    """List checkpoints, the largest first."""
    return await paging.fetch(tx, _CHECKPOINTS, Where("c.size > 0"), _LARGEST, window)


async def find_checkpoint(tx: Tx, principal: Principal, checkpoint_id: UUID) -> asyncpg.Record:
    """Find a checkpoint; whoever may read any may read all."""
    return await tx.connection.fetchrow(_CHECKPOINT, checkpoint_id)


async def lines(tx: Tx, size: int) -> list[str]:
    """Return the lines by which witnesses signed a checkpoint."""
    return [row["line"] for row in await tx.connection.fetch(_LINES, size)]


async def consistency(tx: Tx, since: int, size: int) -> list[str]:
    """Return the proof that the log at a size begins with what it was at another, not larger."""
    if since == 0:
        return []
    found = await reading.ranges(tx.connection, merkle.consistency(since, size))
    return [text_of(each) for each in found]


async def inclusion(tx: Tx, entry_id: UUID, size: int) -> schemas.Inclusion | None:
    """Return the proof that an entry is sealed in the log at a size; None: it is not."""
    leaf = await tx.connection.fetchrow(_LEAF, entry_id)
    if leaf is None or leaf["n"] >= size:
        return None
    path = await reading.ranges(tx.connection, merkle.inclusion(leaf["n"], size))
    return schemas.Inclusion(
        leaf=leaf["n"], hash=text_of(leaf["hash"]), path=[text_of(each) for each in path]
    )


async def list_witnesses(tx: Tx, window: paging.Window) -> paging.Rows:
    """List witnesses, also those of before, the newest first."""
    return await paging.fetch(tx, _WITNESSES, Where("true"), _NEWEST, window)


async def find_witness(
    tx: Tx, principal: Principal, witness_id: UUID, *, for_update: bool = False
) -> asyncpg.Record:
    """Find a witness; `for_update`: as it is now, held."""
    held = " FOR NO KEY UPDATE OF w" if for_update else ""
    return await tx.connection.fetchrow(f"{_WITNESSES} WHERE w.id = $1{held}", witness_id)


def text_of(hash_: bytes) -> str:
    return b64encode(hash_).decode()


def shown(row: Any) -> dict[str, Any]:
    """Return a checkpoint's row as on the wire."""
    return {**row, "root": text_of(row["root"])}
