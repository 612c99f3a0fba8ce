"""Whether what would be lost with the server is kept elsewhere, as the database itself knows it."""

from typing import Final

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge

_MADE: Final = """
SELECT kind, max(extract(epoch FROM m.taken_at))::float8 AS taken_at
FROM unnest('{base,archive}'::text[]) AS kind LEFT JOIN backups_made m USING (kind) GROUP BY kind
"""
_KEPT: Final = """
SELECT bool_or(active AND wal_status <> 'lost') AS active,
    max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::float8 AS behind
FROM pg_replication_slots WHERE slot_name = 'tonghu_wal'
"""


@gauge(
    "tonghu_backup_made_seconds",
    "When the newest whole backup of a kind was begun, since 1970; 0: there is none.",
    "kind",
)
async def made(tx: Tx) -> list[Sample]:
    rows = await tx.connection.fetch(_MADE)
    return [((row["kind"],), row["taken_at"] or 0.0) for row in rows]


@gauge("tonghu_wal_kept", "1 if `tonghu wal` keeps what is written, as it is written.")
async def kept(tx: Tx) -> list[Sample]:
    row = await tx.connection.fetchrow(_KEPT)
    return [((), float(row["active"] or False))]


@gauge("tonghu_wal_behind_bytes", "What is written and not kept yet; all of it waits on the disk.")
async def behind(tx: Tx) -> list[Sample]:
    row = await tx.connection.fetchrow(_KEPT)
    return [((), row["behind"] or 0.0)]
