"""Two workers at once do each thing once: what one has in hand the other leaves."""

import asyncio

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
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


_ANSWERED = """
INSERT INTO unresolved (id, twin_id, answer, kind, reason, region_code, owner_role, state, abnormal,
    due_at, received_at, updated_at, version)
SELECT id, twin, said, 'referral', 'id', $3::bigint, 'civil_affairs', 'open', false, $4, $4, $4, 1
FROM (VALUES ($1::uuid, $2::uuid, 'another_child'), ($2, $1, NULL)) AS asked (id, twin, said)
"""


async def test_two_workers_let_an_answer_stand_once(live_database) -> None:
    """What one has in hand the other leaves, and waits for nothing."""
    step = queue.REGISTRY["unresolved.ask_again"].handler
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute(_ANSWERED, new_id(), new_id(), TOWNSHIP, tx.now)
    async with asyncio.timeout(PATIENCE), live_database.begin(SYSTEM) as one:
        await step(one, {})
        async with live_database.begin(SYSTEM) as other:
            await step(other, {})
    async with live_database.begin(SYSTEM) as tx:
        told = "SELECT count(*) FROM events WHERE wire_name = 'unresolved.settled'"
        left = "SELECT count(*) FROM unresolved WHERE state = 'open'"
        assert [await tx.connection.fetchval(sql) for sql in (told, left)] == [2, 0]
