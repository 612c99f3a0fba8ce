"""What the tests of the queue share: a worker in this process, and conditions to wait for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from app.core.clock import utc_now
from app.core.data.db import Database, Tx
from app.core.jobs import queue, runner
from app.core.jobs.runner import Limits
from app.embedded import postgres
from tests.waiting import PATIENCE

QUICK = Limits(
    poll=timedelta(seconds=0.1),
    lease=timedelta(seconds=0.6),
    failures=3,
    crashes=2,
    backoff=timedelta(milliseconds=10),
    grace=timedelta(seconds=PATIENCE),
)
"""The lease is short, so that the dead are missed soon; so it suits one worker at a time."""

ATTENTIVE = Limits(poll=timedelta(seconds=0.1), lease=timedelta(seconds=PATIENCE))
"""Looks often, and is not taken for dead however slow the machine."""

DROWSY = Limits(poll=timedelta(hours=1), lease=timedelta(hours=3))
"""Looks at nothing by itself before the test is over."""


@contextlib.asynccontextmanager
async def working(
    server: postgres.Server,
    database: Database,
    limits: Limits = QUICK,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[asyncio.Event]:
    """Run a worker; leaving the block stops it and waits for its end."""
    stop = asyncio.Event()
    worker = asyncio.create_task(
        runner.run(
            lambda: asyncpg.connect(server.app_url),
            begin=database.begin,
            clock=clock,
            stop=stop,
            limits=limits,
        )
    )
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await worker


async def count(connection: asyncpg.Connection, where: str = "true") -> int:
    number: int = await connection.fetchval(f"SELECT count(*) FROM jobs WHERE {where}")
    return number


def collecting(name: str, goal: int = 1) -> tuple[list[dict[str, Any]], asyncio.Event]:
    """Register a job that collects its payloads; the event is set when there are `goal` of them."""
    seen: list[dict[str, Any]] = []
    enough = asyncio.Event()

    @queue.job(name)
    async def collect(tx: Tx, payload: dict[str, Any]) -> None:
        seen.append(payload)
        if len(seen) >= goal:
            enough.set()

    return seen, enough


async def empty(connection: asyncpg.Connection) -> bool:
    return await count(connection) == 0


async def one_left(connection: asyncpg.Connection) -> bool:
    return await count(connection) == 1


async def one_held(connection: asyncpg.Connection) -> bool:
    return await count(connection, "status = 'held'") == 1


async def failed_again(connection: asyncpg.Connection) -> bool:
    return await count(connection, "failures = 4") == 1


async def leased_until(connection: asyncpg.Connection) -> datetime | None:
    until: datetime | None = await connection.fetchval("SELECT lease_until FROM jobs")
    return until


async def listening(connection: asyncpg.Connection) -> object:
    """Say whether the worker has found nothing to do and waits to be told."""
    return await connection.fetchval(
        "SELECT true FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database() AND state = 'idle' AND query LIKE '%min(run_at)%'"
    )


async def scheduled(connection: asyncpg.Connection, when: datetime) -> bool:
    return bool(await connection.fetchval("SELECT max(next_at) FROM job_schedules") == when)


async def postmaster(server: postgres.Server) -> int:
    admin = await asyncpg.connect(server.superuser_url)
    await admin.execute("CHECKPOINT")  # a throwaway server may lose what it wrote last
    status: str = await admin.fetchval("SELECT pg_read_file('postmaster.pid')")
    await admin.close()
    return int(status.split(maxsplit=1)[0])


async def reconnected(server: postgres.Server) -> asyncpg.Connection:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await asyncpg.connect(server.app_url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
