"""Two offices answer, each itself and by a person, also at one moment."""

import asyncio

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.conftest import VILLAGE, calling
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.unresolved.conftest import COUNTY, OTHER_COUNTY, OTHER_COUNTY_VILLAGE, listed

PROVINCE = 120000000000
SAID = {"answer": "same_child", "words": "同一人"}


@pytest.fixture
async def places(live_database) -> None:
    """On real connections, instead of those of the other tests."""
    await some_regions(live_database, VILLAGE, OTHER_COUNTY_VILLAGE)


@pytest.fixture
async def live(app, settings, live_database):
    async with calling(app, settings, live_database) as client:
        yield client


@pytest.fixture
async def offices(live_database, settings):
    return [
        await a_caller(live_database, settings, "civil_affairs", place)
        for place in (COUNTY, OTHER_COUNTY)
    ]


@pytest.fixture
async def asked(live, live_database, settings, offices) -> list[str]:
    """The question of each office."""
    for place, expected in ((OTHER_COUNTY_VILLAGE, 201), (VILLAGE, 202)):
        sender = await a_caller(live_database, settings, "village_director", place)
        body = a_file(place, id=str(new_id()))
        answer = await live.post("/v1/children", json=body, headers=sender.headers)
        assert answer.status_code == expected, answer.text
    await run_jobs(live_database)
    return [(await listed(live, office))[0]["id"] for office in offices]


async def _answer(client, caller, item):
    read = await client.get(f"/v1/unresolved/{item}", headers=caller.headers)
    headers = {**caller.headers, "if-match": read.headers["etag"]}
    return await client.post(f"/v1/unresolved/{item}/answer", json=SAID, headers=headers)


async def test_at_one_moment_neither_waits_for_the_other_in_vain(live, offices, asked) -> None:
    pairs = list(zip(offices, asked, strict=True))
    reads = [
        await live.get(f"/v1/unresolved/{item}", headers=office.headers) for office, item in pairs
    ]

    async def answers(pair, read):
        office, item = pair
        headers = {**office.headers, "if-match": read.headers["etag"]}
        return await live.post(f"/v1/unresolved/{item}/answer", json=SAID, headers=headers)

    both = await asyncio.gather(*map(answers, pairs, reads))
    # The second is told to read what the first has answered.
    assert sorted(answer.status_code for answer in both) == [200, 412]
    for (office, item), answer in zip(pairs, both, strict=True):
        if answer.status_code == 412:
            assert (await _answer(live, office, item)).json()["state"] == "answered"


async def test_no_machine_answers(live, live_database, settings, asked) -> None:
    machine = await a_caller(live_database, settings, "civil_affairs", COUNTY, machine=True)
    answer = await _answer(live, machine, asked[0])
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")


async def test_nobody_above_answers_for_both(live, live_database, settings, asked) -> None:
    province = await a_caller(live_database, settings, "civil_affairs", PROVINCE)
    for item in asked:
        answer = await _answer(live, province, item)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/office-answers")
    assert await listed(live, province, "?permitted=answerUnresolved") == []


async def test_nobody_of_both_answers_twice(live, live_database, offices, asked) -> None:
    ours, theirs = offices
    assert (await _answer(live, ours, asked[0])).json()["state"] == "open"
    # As if the person who answered here held a post in the other office, too.
    async with live_database.begin(SYSTEM) as tx:
        done = await tx.connection.execute(
            "UPDATE unresolved SET their_answered_by = $2 WHERE id = $1 AND their_answered_by = $3",
            asked[1],
            f"staff:{theirs.subject_id}",
            f"staff:{ours.subject_id}",
        )
    assert done == "UPDATE 1"
    answer = await _answer(live, theirs, asked[1])
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/answered-for-the-other")
    assert await listed(live, theirs, "?permitted=answerUnresolved") == []
