"""Who settles a number nobody knows for a school that has nothing but its system."""

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.attendance.factories import push
from tests.jobs import run_jobs
from tests.unresolved.conftest import COUNTY, listed, of_number, slots

MAY = ["attachUnresolved", "correctUnresolved", "dismissUnresolved"]


@pytest.fixture
async def asked(client, database, school) -> None:
    await push(client, school, of_number())
    await run_jobs(database)


async def permitted(client, caller) -> list[list[str]]:
    return [item["permitted"] for item in await listed(client, caller, "?kind=attendance")]


async def owed(client, caller) -> list[str]:
    answer = await client.get("/v1/duties?rule=EDU-01", headers=caller.headers)
    return [duty["state"] for duty in answer.json()["items"]]


async def test_the_township_where_there_is_no_office_above(
    client, database, pupil, township, asked, act
) -> None:
    assert await permitted(client, township) == [MAY]
    assert await owed(client, township) == ["open"]
    (item,) = await listed(client, township, "?permitted=attachUnresolved")
    answer = await act(township, item["id"], "attachment", child_id=str(pupil.id))
    assert answer.json()["state"] == "attached", answer.text
    await run_jobs(database)
    assert [row["child_id"] for row in await slots(database)] == [pupil.id]
    assert await owed(client, township) == ["discharged"]


async def test_civil_affairs_where_there_is_no_education_authority(
    client, township, county, asked
) -> None:
    assert await permitted(client, county) == [MAY]
    assert await owed(client, county) == ["open"]
    assert await permitted(client, township) == []
    assert asked is None


@pytest.mark.parametrize("place", [COUNTY, 120000000000])
async def test_the_education_authority_as_soon_as_there_is_one(
    client, database, settings, township, county, asked, place
) -> None:
    bureau = await a_caller(database, settings, "education_authority", place)
    assert await permitted(client, bureau) == [MAY]
    assert await owed(client, bureau) == ["open"]
    for caller in (county, township):
        assert await permitted(client, caller) == []
        assert await listed(client, caller, "?permitted=attachUnresolved") == []
    province = await a_caller(database, settings, "civil_affairs", 120000000000)
    assert await permitted(client, province) == []
    async with database.begin(SYSTEM) as tx:  # closed, it leaves nothing in nobody's hands
        close = "UPDATE agencies SET active = false WHERE id = $1"
        await tx.connection.execute(close, bureau.agency_id)
    assert await permitted(client, county) == [MAY]
    assert asked is None


async def test_whoever_is_asked_is_told(client, database, county, township, school) -> None:
    await push(client, school, of_number())
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetchval(
            "SELECT told_to::text FROM events WHERE wire_name = 'unresolved.attendance_unresolved'"
        )
    assert str(county.agency_id) in told
    assert str(township.agency_id) not in told
