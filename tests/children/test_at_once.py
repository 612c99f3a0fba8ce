"""A phone that sends a new child several times at one moment: one file, one answer."""

import asyncio

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.at_once import at_once
from tests.children.conftest import OTHER_COUNTY_VILLAGE, VILLAGE
from tests.children.factories import a_file, with_check_digit
from tests.conftest import calling
from tests.regions.factories import some_regions


@pytest.fixture
async def places(live_database) -> None:
    """On real connections, instead of those of the other tests."""
    await some_regions(live_database, VILLAGE)


@pytest.fixture
async def director(live_database, settings):
    return await a_caller(live_database, settings, "village_director", VILLAGE)


async def _count(database, table: str) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval(f"SELECT count(*) FROM {table}")


async def test_the_same_new_child_is_one_file_and_no_referral(
    app, settings, live_database, database_urls, director
) -> None:
    body = a_file(VILLAGE, id=str(new_id()))
    async with calling(app, settings, live_database) as client:

        async def send():
            return await client.post("/v1/children", json=body, headers=director.headers)

        answers = await at_once(live_database, database_urls.owner, send, send)
    assert [answer.status_code for answer in answers] == [201, 200], answers[1].text
    assert [answer.json()["id"] for answer in answers] == [body["id"]] * 2
    assert await _count(live_database, "duplicate_referrals") == 0


async def test_one_id_for_two_counties_is_one_file_and_a_referral(
    app, settings, live_database, database_urls, director
) -> None:
    # The keys hold an id within its county alone: what is sent at one moment meets at its lock.
    await some_regions(live_database, OTHER_COUNTY_VILLAGE)
    stranger = await a_caller(live_database, settings, "village_director", OTHER_COUNTY_VILLAGE)
    chosen, sent = str(new_id()), []
    for caller, village in ((director, VILLAGE), (stranger, OTHER_COUNTY_VILLAGE)):
        identity = {**a_file(village)["identity"], "name": f"样{village}", "resident_id": None}
        sent.append((caller, a_file(village, id=chosen, identity=identity)))
    async with calling(app, settings, live_database) as client:

        def sends(caller, body):
            return lambda: client.post("/v1/children", json=body, headers=caller.headers)

        first, second = await at_once(
            live_database, database_urls.owner, *(sends(*each) for each in sent)
        )
    assert (first.status_code, second.status_code) == (201, 202), second.text
    async with live_database.begin(SYSTEM) as tx:
        opened = await tx.connection.fetch("SELECT id, home_county FROM children")
        reasons = await tx.connection.fetch("SELECT reason FROM duplicate_referrals")
    assert [(str(row["id"]), row["home_county"]) for row in opened] == [(chosen, 120119000000)]
    assert [row["reason"] for row in reasons] == ["id"]


async def test_two_ids_of_one_number_are_one_file(
    app, settings, live_database, database_urls, director
) -> None:
    number = with_check_digit("12000020160301902")
    identity = {**a_file(VILLAGE)["identity"], "resident_id": number}
    bodies = [a_file(VILLAGE, id=str(new_id()), identity=identity) for _ in range(2)]
    async with calling(app, settings, live_database) as client:

        def sends(body):
            return lambda: client.post("/v1/children", json=body, headers=director.headers)

        first, second = await at_once(live_database, database_urls.owner, *map(sends, bodies))
    assert (first.status_code, second.status_code) == (201, 409), second.text
    assert second.headers["location"] == f"/v1/children/{bodies[0]['id']}"
    assert await _count(live_database, "duplicate_referrals") == 0


async def test_a_duplicate_is_refused_each_time(app, settings, live_database, director) -> None:
    async with calling(app, settings, live_database) as client:

        async def send(body):
            return await client.post("/v1/children", json=body, headers=director.headers)

        opened = await send(a_file(VILLAGE))
        for _ in range(3):
            body = a_file(VILLAGE, id=str(new_id()))
            answers = await asyncio.gather(*(send(body) for _ in range(5)))
            assert [answer.status_code for answer in answers] == [409] * 5
            read = await client.get(f"/v1/children/{body['id']}", headers=director.headers)
            assert read.json()["id"] == opened.json()["id"]
    assert await _count(live_database, "child_aliases") == 3


async def test_ten_at_once_are_one_file_and_no_duplicate_of_themselves(
    app, settings, live_database, director
) -> None:
    async with calling(app, settings, live_database) as client:
        for number in range(3):
            identity = {**a_file(VILLAGE)["identity"], "name": f"样{number}", "resident_id": None}
            body = a_file(VILLAGE, id=str(new_id()), identity=identity)
            answers = await asyncio.gather(
                *(
                    client.post("/v1/children", json=body, headers=director.headers)
                    for _ in range(10)
                )
            )
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses == [*[200] * 9, 201], [each.text for each in answers]
