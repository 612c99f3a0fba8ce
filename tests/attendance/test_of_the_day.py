"""What happened on a day is told by the school of that day, wherever the pupil is now (ADR 19)."""

from uuid import uuid4

import pytest

from tests.attendance.factories import TOWNSHIP, VILLAGE, a_school, an_event, push, statuses
from tests.children.enrolling import NUMBER, a_pupil
from tests.regions.factories import some_regions

FAR = 120118101201
MONDAY, TUESDAY, WEDNESDAY = "2026-11-16", "2026-11-17", "2026-11-18"


@pytest.fixture
async def schools(database, settings):
    await some_regions(database, VILLAGE, FAR)
    return [await a_school(database, settings, place) for place in (TOWNSHIP, 120118101000)]


@pytest.fixture
async def moved(client, database, settings, schools):
    """A pupil who lives in another county since today, and is at a school there since Wednesday."""
    old, new = schools
    pupil = await a_pupil(client, database, settings, old.id, since="2026-09-01")
    await pupil.change(
        residence={"region_code": str(FAR)},
        education={"school_id": str(new.id), "since": WEDNESDAY},
    )
    return pupil


async def test_the_former_school_tells_its_days_and_no_later(client, schools, moved) -> None:
    old, _ = schools
    days = [an_event(moved.id, day) for day in (MONDAY, TUESDAY)]
    assert statuses(await push(client, old, *days)) == ["accepted"] * 2
    assert statuses(await push(client, old, *days)) == ["duplicate"] * 2


async def test_by_number_likewise(client, schools, moved) -> None:
    old, _ = schools
    answer = await push(client, old, an_event(moved.id, MONDAY, student=NUMBER))
    assert statuses(answer) == ["accepted"]
    unknown = an_event(moved.id, MONDAY, student={**NUMBER, "number": "G-2"})
    assert statuses(await push(client, old, unknown)) == ["unresolved"]


async def test_what_the_register_believed_on_the_day_counts_too(client, schools, moved) -> None:
    """On Wednesday it still had the child at the old school: whose list has it missing."""
    old, _ = schools
    answer = await push(client, old, an_event(moved.id, WEDNESDAY))
    assert statuses(answer) == ["accepted"]


async def test_not_of_days_after_it_left(client, database, settings, schools) -> None:
    old, new = schools
    pupil = await a_pupil(client, database, settings, new.id, since="2026-09-01")
    assert statuses(await push(client, old, an_event(pupil.id, MONDAY))) == ["unresolved"]
    stranger = an_event(uuid4(), MONDAY)
    assert statuses(await push(client, old, stranger)) == ["unresolved"]


async def test_it_reads_its_own_again_and_the_new_school_all(client, schools, moved) -> None:
    old, new = schools
    await push(client, old, an_event(moved.id, MONDAY))
    await push(client, new, an_event(moved.id, WEDNESDAY, category="present"))

    async def days(school) -> list[str]:
        answer = await client.get(
            "/v1/attendance-events",
            headers=school.system.headers,
            params={"child_id": str(moved.id)},
        )
        assert answer.status_code == 200, answer.text
        return [item["school_day"] for item in answer.json()["items"]]

    assert await days(old) == [MONDAY]
    assert await days(new) == [WEDNESDAY, MONDAY]


async def test_a_school_it_never_was_at_reads_nothing(
    client, database, settings, schools, moved
) -> None:
    third = await a_school(database, settings)
    params = {"child_id": str(moved.id)}
    url = "/v1/attendance-events"
    answer = await client.get(url, headers=third.system.headers, params=params)
    assert answer.status_code == 404
