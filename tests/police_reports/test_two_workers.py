"""Two workers at once do each thing once: what one has in hand the other leaves."""

import asyncio

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, an_endpoint, filed, police_at, rows
from tests.waiting import PATIENCE


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("police_reports.route_waiting", "police_reports.filed"),
        ("police_reports.ask_again", "unresolved.report_unresolved"),
        ("police_reports.mark_overdue", "police_reports.delivery_overdue"),
        ("webhooks.announce_overdue", "webhooks.delivery_overdue"),
    ],
)
async def test_each_thing_is_done_once(app, settings, live_database, job, told) -> None:
    database = live_database
    has_one = job.startswith("webhooks")
    station = await police_at(database, TOWNSHIP, endpoint=has_one)
    reporter = await a_caller(database, settings, "hospital", TOWNSHIP)
    async with calling(app, settings, database) as client:
        await filed(client, reporter, suspect_agency_id="民政局的人")
    await run_jobs(database)
    if not has_one:
        await an_endpoint(database, station, TOWNSHIP)
    await a_caller(database, settings, "civil_affairs", 120000000000)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_deliveries SET created_at = 'epoch'")
        await tx.connection.execute("UPDATE police_reports SET deliver_alarm_at = 'epoch'")
    before = await _told(database, told)
    handler = queue.REGISTRY[job].handler
    async with asyncio.timeout(PATIENCE), database.begin(SYSTEM) as one:
        await handler(one, {})
        async with database.begin(SYSTEM) as other:
            await handler(other, {})
    if job == "police_reports.route_waiting":
        assert len(await rows(database, "webhook_deliveries")) == 1
    else:
        assert await _told(database, told) == before + 1


async def _told(database, wire_name: str) -> int:
    return sum(row["wire_name"] == wire_name for row in await rows(database, "events"))
