"""A row written while its child moves ends up where the child is, whoever comes first."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest

from app.core.data.db import SYSTEM
from tests.attendance.factories import an_event, push
from tests.below.conftest import Town, with_alert
from tests.below.places import rows, strays
from tests.jobs import run_jobs


async def _open_alert(town: Town) -> None:
    await run_jobs(town.database)


async def _absent_before(town: Town) -> None:
    days = ("2026-11-18", "2026-11-19", "2026-11-20")
    await push(town.client, town.school, *(an_event(town.child, day) for day in days))


async def _nothing(town: Town) -> None:
    pass


WRITES: dict[str, tuple[Callable[[Town], Awaitable[None]], Callable[[Town], Awaitable[object]]]] = {
    "visits": (_nothing, Town.record_visit),
    "visit_versions": (_nothing, Town.correct_visit),
    "attendance_events": (_nothing, Town.push_absence),
    "attendance_slots": (_nothing, Town.push_absence_by_number),
    "dropout_alerts": (_absent_before, _open_alert),
    "dropout_persuasions": (with_alert, Town.persuade),
}


@pytest.mark.parametrize("first", ["move", "write"])
@pytest.mark.parametrize("table", WRITES)
async def test_a_row_and_a_move_wait_for_each_other(town, database_urls, table, first) -> None:
    before, write = WRITES[table]
    await before(town)
    held = (await rows(town.database))[table]
    waiters = (
        [town.move, lambda: write(town)] if first == "move" else [lambda: write(town), town.move]
    )
    async with AsyncExitStack() as stack:
        owner = await asyncpg.connect(database_urls.owner)
        stack.push_async_callback(owner.close)
        gate = owner.transaction()
        await gate.start()
        # Both write their audit row last: behind the gate, with all their locks.
        await owner.execute("LOCK TABLE audit_entries IN SHARE MODE")
        tasks = []
        for waiting, begin in enumerate(waiters, start=1):
            tasks.append(asyncio.ensure_future(begin()))
            await _until(town, tasks, waiting)
        await gate.commit()
        answers = await asyncio.gather(*tasks)
    assert [a.status_code for a in answers if a is not None and a.status_code >= 300] == []
    assert (await rows(town.database))[table] == held + 1
    assert await strays(town.database) == {}


async def _until(town: Town, tasks: list[asyncio.Future], number: int) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(60):
        while True:
            async with town.database.begin(SYSTEM) as tx:
                if await tx.connection.fetchval(waiting) == number:
                    return
            assert not any(task.done() for task in tasks), "somebody did not wait"
