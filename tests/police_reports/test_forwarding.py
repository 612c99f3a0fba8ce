"""What a report's past police leave behind when it is forwarded: nothing that hides lateness."""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    delivered,
    filed,
    police_at,
    the_offices,
)
from tests.police_reports.test_chain import AT, URL, step

LATE_TO_DELIVER = 6
LATE_TO_ACCEPT = 31
"""Minutes after which the alarms sound."""


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def target(database, settings):
    agency = await police_at(database, COUNTY)
    return await a_caller(database, settings, "police", COUNTY, agency_id=agency)


@pytest.fixture
def clock(database, monkeypatch, now):
    def at(minutes: int) -> None:
        monkeypatch.setattr(database, "clock", lambda: now + timedelta(minutes=minutes))

    return at


async def forward(client, report_id: str, sender, receiver) -> None:
    body = {"forwarded_at": AT, "police_agency_id": str(receiver.agency_id)}
    answer = await step(client, sender, report_id, "forwarding", body)
    assert answer.status_code == 201, answer.text


async def alarms(database) -> dict[str, int]:
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.mark_overdue"].handler(tx, {})
        rows = await tx.connection.fetch(
            "SELECT wire_name, count(*) FROM events WHERE wire_name LIKE 'police_reports.%overdue'"
            " GROUP BY 1"
        )
    return {row["wire_name"].partition(".")[2]: row["count"] for row in rows}


async def test_both_alarms_sound_again_for_the_police_it_was_forwarded_to(
    client, database, settings, offices, target, clock
) -> None:
    report_id = await filed(client, offices.school)
    clock(LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}
    by_now = await a_caller(
        database, settings, "police", TOWNSHIP, agency_id=offices.police.agency_id
    )
    await forward(client, report_id, by_now, target)
    assert await alarms(database) == {"delivery_overdue": 1, "acknowledgement_overdue": 1}
    clock(LATE_TO_ACCEPT + LATE_TO_DELIVER)
    assert await alarms(database) == {"delivery_overdue": 2, "acknowledgement_overdue": 1}
    clock(2 * LATE_TO_ACCEPT)
    assert await alarms(database) == {"delivery_overdue": 2, "acknowledgement_overdue": 2}


async def test_delivery_to_the_police_before_proves_nothing_for_those_it_was_forwarded_to(
    client, database, offices, target, clock
) -> None:
    report_id = await filed(client, offices.school)
    await forward(client, report_id, offices.police, target)
    await delivered(database, report_id, to=offices.police.agency_id)
    await run_jobs(database)
    read = (await client.get(f"{URL}/{report_id}", headers=offices.school.headers)).json()
    assert (read["state"], read["delivered_at"]) == ("filed", None)
    assert {taken["step"] for taken in read["steps"]} == {"forwarded", "delivered"}
    clock(LATE_TO_DELIVER)
    assert await alarms(database) == {"delivery_overdue": 1}
    await delivered(database, report_id, to=target.agency_id)
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        report = await tx.connection.fetchrow("SELECT state, delivered_at FROM police_reports")
        assert tuple(report) == ("delivered", tx.now)
