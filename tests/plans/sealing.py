"""The log of the register's audit: a leaf for each entry, inner nodes, a checkpoint for each, two
witnesses who signed half of them. The hashes are none of a tree; what is read does not ask.
"""

from datetime import datetime
from typing import Final

import asyncpg

from app.sealing.notes import LOG, WITNESS, VerifierKey

_LEAVES: Final = """
INSERT INTO audit_leaves (n, entry_id, hash)
SELECT row_number() OVER (ORDER BY committed_in, id) - 1, id, sha256(uuid_send(id))
FROM audit_entries
"""
_NODES: Final = """
INSERT INTO audit_nodes (level, i, hash)
SELECT level, i, sha256(convert_to(level || '/' || i, 'UTF8'))
FROM (SELECT count(*) AS size FROM audit_leaves) s, generate_series(1, 3) level,
    generate_series(0, (size >> (8 * level)::int) - 1) i
"""
_CHECKPOINTS: Final = """
INSERT INTO audit_checkpoints (id, size, root, note, log_key, made_at, next_xid, cluster)
SELECT gen_random_uuid(), l.n + 1, l.hash, 'plans.example/audit' || repeat('x', 200), $2,
    $1::timestamptz - (s.size - l.n) * interval '30 seconds', e.committed_in + 1,
    (SELECT system_identifier::text FROM pg_control_system())
FROM audit_leaves l JOIN audit_entries e ON e.id = l.entry_id,
    (SELECT count(*) AS size FROM audit_leaves) s
"""
_WITNESSES: Final = """
INSERT INTO audit_witnesses (id, agency_id, name, key, registered_by, registered_at, ended_at,
    announced)
SELECT gen_random_uuid(), a.id, 'w' || a.n, $2, 'test', $1::timestamptz,
    CASE WHEN a.n > 2 THEN $1::timestamptz END, (SELECT max(size) FROM audit_checkpoints)
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM agencies ORDER BY id LIMIT 5) a
"""
_COSIGNATURES: Final = """
INSERT INTO audit_cosignatures (witness_id, size, line, said_at, received_at)
SELECT w.id, c.size, repeat('x', 120), c.made_at, c.made_at
FROM audit_checkpoints c, audit_witnesses w WHERE w.ended_at IS NULL AND c.size % 2 = 0
"""
_EMPTY: Final = """
TRUNCATE audit_leaves, audit_nodes, audit_checkpoints, audit_witnesses, audit_cosignatures,
    audit_presented
"""
_KEY: Final = str(VerifierKey("plans.example/audit", LOG, bytes(32)))
_WITNESS: Final = str(VerifierKey("witness.example", WITNESS, bytes(32)))


async def seal(connection: asyncpg.Connection, now: datetime) -> None:
    """Fill the log of all entries there are."""
    await connection.execute(_EMPTY)
    await connection.execute(_LEAVES)
    await connection.execute(_NODES)
    await connection.execute(_CHECKPOINTS, now, _KEY)
    await connection.execute(_WITNESSES, now, _WITNESS)
    await connection.execute(_COSIGNATURES)
