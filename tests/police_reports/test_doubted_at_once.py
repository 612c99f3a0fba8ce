"""A school that is accused learns nothing of what its word is held against, whichever was written
first: that the report is hidden from it, or that its word is doubted (EDU-01, AZ-8).
"""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from app.attendance import presence
from app.core.data.db import SYSTEM, Reach, Tx
from app.police_reports.operations import hidden
from tests.access.factories import an_agency
from tests.at_once import all_waiting
from tests.attendance.factories import a_school, an_event, push
from tests.children.enrolling import a_pupil
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, filed, rows, the_offices
from tests.police_reports.test_chain import step
from tests.police_reports.test_dispositions import ESCORT, PAPER
from tests.waiting import PATIENCE


@pytest.mark.parametrize("hidden_first", [True, False])
async def test_of_two_the_second_sees_the_first(app, settings, live_database, hidden_first) -> None:
    database = live_database
    offices = await the_offices(database, settings)
    async with calling(app, settings, database) as client:
        school = await a_school(database, settings)
        pupil = await a_pupil(
            client, database, settings, school.id, class_name="一班", since="2026-09-01"
        )
        said = {"child_id": str(pupil.id), "situations": ["guardian_failure"]}
        report_id = await filed(client, offices.village, **said)
        deed = {key: value for key, value in ESCORT.items() if key != "placed_with_name"} | {
            "placed_with_agency_id": str(await an_agency(database, "rescue_institution", COUNTY)),
            "hand_over": {**PAPER, "handed_over_on": "2026-11-18"},
        }
        answer = await step(client, offices.police, report_id, "dispositions", deed)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        answer = await push(client, school, an_event(pupil.id, "2026-11-19", category="present"))
        assert answer.status_code == 202, answer.text
    async with database.begin(SYSTEM) as tx:  # so far nobody has looked at that word
        await tx.connection.execute("DELETE FROM jobs")

    async def hide(tx: Tx) -> None:
        await hidden.hide(tx, UUID(report_id), [school.id])

    async def doubt(tx: Tx) -> None:
        await presence.look_after_sighting(tx, pupil.id)

    async def alone(does: Callable[[Tx], Awaitable[None]]) -> None:
        async with database.begin(SYSTEM) as tx:
            await does(tx)

    one, other = (hide, doubt) if hidden_first else (doubt, hide)
    async with asyncio.timeout(PATIENCE):
        async with database.begin(SYSTEM) as tx:
            await one(tx)
            second = asyncio.ensure_future(alone(other))
            await all_waiting(database, [second], 1)
        await second
    [row] = await rows(database, "presence_doubts")
    assert row["hidden_from"] == [school.id]
    async with database.begin(Reach(0, 10**12, agency=school.id, school=school.id)) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM presence_doubts") == 0
