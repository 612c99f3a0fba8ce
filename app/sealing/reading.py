"""Read the log: hashes of subtrees, proofs, and the entries behind the leaves."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from app.sealing import merkle
from app.sealing.merkle import Edge, Kept, Whole

_LEAVES: Final = """
SELECT r.turn, k.hash FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY
    AS r (begins, ends, turn)
CROSS JOIN LATERAL (
    SELECT l.hash FROM audit_leaves l WHERE l.n >= r.begins AND l.n < r.ends ORDER BY l.n
) AS k
"""
_NODES: Final = """
SELECT r.turn, k.hash FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY
    AS r (begins, ends, level, turn)
CROSS JOIN LATERAL (
    SELECT o.hash FROM audit_nodes o
    WHERE o.level = r.level AND o.i >= r.begins AND o.i < r.ends ORDER BY o.i
) AS k
"""


async def hashes(connection: asyncpg.Connection, subtrees: Sequence[Whole]) -> list[bytes]:
    """Return the hashes of whole subtrees that lie in the log: each takes at most 128 that are
    kept. Of one that somebody took hashes out of, nothing: no hash.
    """
    wanted = [merkle.kept_of(each) for each in subtrees]
    found: dict[Kept, list[bytes]] = {each: [] for each in wanted}
    of_leaves = [each for each in found if each.level == 0]
    of_nodes = [each for each in found if each.level > 0]
    for runs, statement, levels in (
        (of_leaves, _LEAVES, []),
        (of_nodes, _NODES, [[each.level for each in of_nodes]]),
    ):
        if runs:
            bounds = [each.begins for each in runs], [each.ends for each in runs]
            for row in await connection.fetch(statement, *bounds, *levels):
                found[runs[row["turn"] - 1]].append(row["hash"])
    whole = [len(found[each]) == each.ends - each.begins for each in wanted]
    return [
        merkle.fold(found[each]) if is_whole else b""
        for each, is_whole in zip(wanted, whole, strict=True)
    ]


async def edge(connection: asyncpg.Connection, size: int) -> Edge:
    """Return the right edge of the log at a size."""
    return Edge(size, await hashes(connection, merkle.wholes(0, size)))


async def root_at(connection: asyncpg.Connection, size: int) -> bytes:
    """Return the root of the log at a size, as it is stored now."""
    return (await edge(connection, size)).root()


async def ranges(connection: asyncpg.Connection, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the hashes of subtrees of a proof, each a range of leaves."""
    divided = [merkle.wholes(*each) for each in wanted]
    found = iter(await hashes(connection, [one for each in divided for one in each]))
    return [merkle.root([next(found) for _ in each]) for each in divided]


_SIZE: Final = "SELECT coalesce(max(n) + 1, 0) FROM audit_leaves"
_PLACE: Final = """
SELECT system_identifier::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
FROM pg_control_system()
"""


async def size(connection: asyncpg.Connection) -> int:
    """Return how many leaves there are."""
    return int(await connection.fetchval(_SIZE))


async def holds(connection: asyncpg.Connection, at: int, root: bytes) -> bool:
    """Tell whether the log, as it is stored now, had this root at a size."""
    return at <= await size(connection) and await root_at(connection, at) == root


async def place(connection: asyncpg.Connection) -> str:
    """Return which server this is, and which of its histories: every restore begins another."""
    return str(await connection.fetchval(_PLACE))


_ENTRIES: Final = """
SELECT l.n, l.hash, e.* FROM audit_leaves l LEFT JOIN audit_entries e ON e.id = l.entry_id
WHERE l.n >= $1 AND l.n < $2 ORDER BY l.n
"""


async def entries(connection: asyncpg.Connection, begins: int, ends: int) -> list[asyncpg.Record]:
    """Return leaves with their entries; the id of an entry that is gone is null."""
    rows: list[asyncpg.Record] = await connection.fetch(_ENTRIES, begins, ends)
    return rows
