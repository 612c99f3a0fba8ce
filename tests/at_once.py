"""Several changes at once, on real connections: each at its end, with all its locks, before any."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from app.core.data.db import SYSTEM, Database
from tests.waiting import PATIENCE, until


async def at_once(
    database: Database, owner_url: str, *begin: Callable[[], Awaitable[Any]]
) -> list[Any]:
    """Begin each when the one before waits, let all end together, and return what they answer.

    A change writes its audit row last: that is where it is held up, with no look why.
    """
    patience, database.recording.patience = database.recording.patience, PATIENCE
    owner = await asyncpg.connect(owner_url)
    gate = owner.transaction()
    await gate.start()
    await owner.execute("LOCK TABLE audit_entries IN SHARE MODE")
    tasks: list[asyncio.Future[Any]] = []
    for waiting, each in enumerate(begin, start=1):
        tasks.append(asyncio.ensure_future(each()))
        await all_waiting(database, tasks, waiting)
    await gate.commit()
    answers = await asyncio.gather(*tasks)
    await owner.close()
    database.recording.patience = patience
    return answers


async def behind(database: Database, held: str, *begin: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Begin each when the one before waits, while the rows of a statement are held; let them go,
    and return what all answer.
    """
    tasks: list[asyncio.Future[Any]] = []
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(held)
        for waiting, each in enumerate(begin, start=1):
            tasks.append(asyncio.ensure_future(each()))
            await all_waiting(database, tasks, waiting)
    return await asyncio.gather(*tasks)


@asynccontextmanager
async def stuck(
    database: Database, held: str, begin: Callable[[], Awaitable[Any]]
) -> AsyncIterator[asyncio.Future[Any]]:
    """Let something wait inside for the rows of a statement, with whatever it holds by then. What
    it answers at last tells whether it still waited at the end.
    """
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(held)
        task = asyncio.ensure_future(begin())
        await all_waiting(database, [task], 1)
        yield task
    await task


async def all_waiting(database: Database, tasks: list[asyncio.Future[Any]], number: int) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def all_wait() -> bool:
        async with database.begin(SYSTEM) as tx:
            found = await tx.connection.fetchval(waiting)
        if found == number:
            return True
        assert not any(task.done() for task in tasks), "somebody did not wait"
        return False

    await until(all_wait)
