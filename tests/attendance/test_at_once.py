"""The same batch twice at one moment: each event is stored once, whoever comes first (I3)."""

import asyncio
from collections import Counter

from app.core.data.db import SYSTEM
from tests.attendance.factories import a_school, an_event, push
from tests.children.factories import a_child
from tests.conftest import calling


async def test_equal_batches_at_one_moment_store_each_event_once(
    app, live_database, settings
) -> None:
    school = await a_school(live_database, settings)
    pupil = await school.pupil(live_database)
    events = [an_event(pupil.id, f"2026-11-{n % 20 + 1:02}") for n in range(200)]
    async with calling(app, settings, live_database) as client:
        answers = await asyncio.gather(
            *(push(client, school, *each) for each in (events, events[::-1], events))
        )
    assert [answer.status_code for answer in answers] == [202] * 3
    said = Counter(each["status"] for answer in answers for each in answer.json()["results"])
    assert said == {"accepted": 200, "duplicate": 400}
    async with live_database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM attendance_events") == 200


async def test_one_origin_names_one_event_whichever_counties_its_pupils_are_of(
    app, live_database, settings
) -> None:
    school = await a_school(live_database, settings)
    here = await school.pupil(live_database)
    there = await a_child(live_database, 120118000000, school_id=school.id)
    said = an_event(here.id)
    other = {**said, "student": {"child_id": str(there.id)}}
    async with calling(app, settings, live_database) as client:
        answers = await asyncio.gather(push(client, school, said), push(client, school, other))
    told = Counter(each["status"] for answer in answers for each in answer.json()["results"])
    assert told == {"accepted": 1, "conflict": 1}
