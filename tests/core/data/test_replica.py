"""What a replica must have before it is read: all that anybody may have been told of (ADR 39)."""

from app.core.data.db import SYSTEM
from app.core.data.replica import _WRITTEN

_WRITE = "INSERT INTO job_schedules (name, cron, next_at) SELECT $1, '', now()"
_PLACES = "SELECT pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn()::text"
_REACHES = "SELECT $1::text::pg_lsn >= $2::text::pg_lsn"


async def test_what_is_seen_before_it_reaches_the_disk_is_waited_for_too(live_database) -> None:
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute("SET LOCAL synchronous_commit = 'off'")
        await tx.connection.execute(_WRITE, "unflushed")
        written, _ = await tx.connection.fetchrow(_PLACES)
        wanted = await tx.connection.fetchval(_WRITTEN)
        assert await tx.connection.fetchval(_REACHES, wanted, written)


async def test_what_no_replica_can_have_yet_is_not(live_database) -> None:
    """What is written and not flushed is nobody's to see: to wait for it is to read no replica."""
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute("SET LOCAL synchronous_commit = 'on'")
        await tx.connection.execute(_WRITE, "flushed")
        wanted = await tx.connection.fetchval(_WRITTEN)
        _, flushed = await tx.connection.fetchrow(_PLACES)
        assert await tx.connection.fetchval(_REACHES, flushed, wanted)
