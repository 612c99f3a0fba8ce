"""The same morning pushed five times at once, on real connections with real commits."""

import asyncio
import os
from collections.abc import AsyncIterator
from random import Random
from uuid import UUID

import httpx
import pytest

from app import main
from app.attendance.events import AbsencesRecorded
from app.core.data import db
from app.core.data.db import SYSTEM
from app.dropout_alerts.addressing import address_later
from app.dropout_alerts.jobs import reassess
from tests import schema
from tests.access.factories import an_agency
from tests.attendance.factories import TOWNSHIP, a_school, an_event, push, statuses


@pytest.fixture
async def crowded(pg, worker_id, settings, keyring, now) -> AsyncIterator[db.Database]:
    """A database of its own, since what is committed here stays."""
    name = f"tonghu_crowded_{os.getpid()}_{worker_id}"
    urls = await asyncio.to_thread(schema.make, pg, name)
    database = db.Database(db.open_engine(urls.app, settings.database), keyring, lambda: now)
    yield database
    await database.close()
    await schema.drop(pg, name)


async def test_five_at_once_store_once_and_open_one_alert_each(app, settings, crowded) -> None:
    school = await a_school(crowded, settings)
    pupils = [await school.pupil(crowded) for _ in range(20)]
    events = [an_event(pupil.id, day) for pupil in pupils for day in ("2026-11-19", "2026-11-20")]
    orders = [Random(seed).sample(events, len(events)) for seed in range(5)]

    async with main.state(settings, crowded) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answers = await asyncio.gather(*(push(client, school, *order) for order in orders))

    assert [answer.status_code for answer in answers] == [202] * 5
    said = [status for answer in answers for status in statuses(answer)]
    assert (said.count("accepted"), said.count("duplicate")) == (40, 160)

    async with crowded.begin(SYSTEM) as tx:
        announced = await tx.connection.fetchval(
            "SELECT data::text FROM events WHERE wire_name = 'attendance.absences_recorded'"
        )
    event = AbsencesRecorded.model_validate_json(announced)

    async def run() -> None:
        async with crowded.begin(SYSTEM) as tx:
            await reassess(tx, event)

    await asyncio.gather(*(run() for _ in range(5)))
    async with crowded.begin(SYSTEM) as tx:
        found = await tx.connection.fetch("SELECT child_id, unexcused_days FROM dropout_alerts")
        opened = await tx.connection.fetchval(
            "SELECT count(*) FROM events WHERE wire_name = 'dropout_alerts.alert_opened'"
        )
    assert sorted(found) == sorted((pupil.id, 2) for pupil in pupils)
    assert opened == 20
    await _one_that_is_held_stops_no_other(crowded)


async def _one_that_is_held_stops_no_other(crowded: db.Database) -> None:
    """EDU-05: an office that was registered since learns of the others, of it the next time."""
    office = await an_agency(crowded, "education", TOWNSHIP // 10**6 * 10**6)
    async with crowded.begin(SYSTEM) as tx, crowded.begin(SYSTEM) as other:
        await tx.connection.execute("SELECT FROM dropout_alerts ORDER BY id LIMIT 1 FOR UPDATE")
        await other.connection.execute("SET LOCAL lock_timeout = '20ms'")
        await address_later(other, UUID(int=0))
    async with crowded.begin(SYSTEM) as tx:
        told = "SELECT count(*) FROM dropout_alerts WHERE $1 = ANY (known_to)"
        assert await tx.connection.fetchval(told, office) == 19
