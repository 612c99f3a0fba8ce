"""A report under an id that a phone made reaches the child's file, whenever and however the file
comes to answer to that id.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.children import duplicates
from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, a_report, filed, the_offices
from tests.police_reports.test_chain import ASSESS, AT, CLOSE, DISPOSE, URL, step
from tests.regions.factories import some_regions
from tests.unresolved.conftest import act, listed  # noqa: F401
from tests.visits.factories import a_visit

AWAY = 120118000000
AWAY_VILLAGE = 120118101201
NEXT_TOWNSHIP = 120119102000

World = dict[str, Any]
Appear = Callable[[World], Awaitable[str]]


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def world(client, database, settings, offices, act) -> World:  # noqa: F811
    """Everybody, and the id that the village director's phone made."""
    await some_regions(database, AWAY_VILLAGE, NEXT_TOWNSHIP + 200)
    return {
        "client": client,
        "database": database,
        "offices": offices,
        "act": act,
        "mine": str(uuid4()),
        "director": offices.village,
        "away": await a_caller(database, settings, "civil_affairs", AWAY),
        "home": await a_caller(database, settings, "township_supervisor", NEXT_TOWNSHIP),
        "county": await a_caller(database, settings, "civil_affairs", 120119000000),
    }


async def _open(world: World, by: str, place: int, **fields: Any) -> Any:
    answer = await world["client"].post(
        "/v1/children", json=a_file(place, **fields), headers=world[by].headers
    )
    await run_jobs(world["database"])
    return answer


async def _opened(world: World) -> str:
    answer = await _open(world, "director", VILLAGE, id=world["mine"])
    assert answer.status_code == 201, answer.text
    return world["mine"]


async def _answered_409(world: World) -> str:
    first = await _open(world, "director", VILLAGE)
    again = await _open(world, "director", VILLAGE, id=world["mine"])
    assert (first.status_code, again.status_code) == (201, 409)
    return first.json()["id"]


async def _same_child(world: World) -> str:
    away = await _open(world, "away", AWAY_VILLAGE)
    refused = await _open(world, "director", VILLAGE, id=world["mine"])
    assert refused.status_code == 202, refused.text
    for office in ("county", "away"):
        [item] = await listed(world["client"], world[office], "?kind=referral")
        said = await world["act"](
            world[office], item["id"], "answer", answer="same_child", words="同一人。"
        )
        assert said.status_code == 200, said.text
    await run_jobs(world["database"])
    return away.json()["id"]


async def _attached(world: World) -> str:
    """A visit under the same id is said to be about a child who has a file."""
    child = await a_child(world["database"], VILLAGE)
    visit = await world["client"].post(
        "/v1/visits", json=a_visit(world["mine"]), headers=world["director"].headers
    )
    assert visit.status_code == 202, visit.text
    item = visit.json()["unresolved_id"]
    township = world["offices"].township
    said = await world["act"](township, item, "attachment", child_id=str(child.id))
    assert said.status_code == 200, said.text
    await run_jobs(world["database"])
    return str(child.id)


@pytest.mark.parametrize("appear", [_opened, _answered_409, _same_child, _attached])
@pytest.mark.parametrize("first", ["report", "file"])
async def test_it_hangs_on_the_file_that_answers_to_the_id(
    client, database, offices, world, appear: Appear, first
) -> None:
    """REP-01; what was stored under an id made offline is redirected to the file."""
    if first == "file":
        child_id = await appear(world)
    report_id = await filed(client, offices.village, child_id=world["mine"])
    await run_jobs(database)
    if first == "report":
        assert [i["state"] for i in await listed(client, offices.county, "?kind=report")] == [
            "open"
        ]
        child_id = await appear(world)
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["child_id"] == child_id
    states = [item["state"] for item in await listed(client, offices.county, "?kind=report")]
    assert states == (["attached"] if first == "report" else [])
    if appear is _same_child:  # the offices of its home are party
        seen = await client.get(f"{URL}/{report_id}", headers=world["away"].headers)
        assert (seen.status_code, seen.json()["child_id"]) == (200, child_id)
        hidden = await client.get(f"{URL}/{report_id}", headers=offices.village.headers)
        assert child_id not in hidden.text, "its reporter does not see the file"


async def test_a_report_filed_while_the_file_is_opened_reaches_it(
    client, database, offices, world
) -> None:
    report_id = await filed(client, offices.village, child_id=world["mine"])
    opened = await client.post(
        "/v1/children", json=a_file(VILLAGE, id=world["mine"]), headers=offices.village.headers
    )
    assert opened.status_code == 201
    await run_jobs(database)  # what either announced comes after both
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["child_id"] == world["mine"]
    assert await listed(client, offices.county, "?kind=report") == []


async def test_the_step_names_nobody_and_is_taken_once(client, database, offices, world) -> None:
    report_id = await filed(client, offices.village, child_id=world["mine"])
    await _opened(world)
    for _ in range(2):
        await _open(world, "director", VILLAGE, id=world["mine"])
    chain = await client.get(f"{URL}/{report_id}/chain", headers=offices.township.headers)
    [said] = [each for each in chain.json()["steps"] if each["step"] == "identified"]
    assert said["agency_id"] is None, "in a small place who reported is a person"


async def test_a_closed_case_is_opened_again(client, database, offices, world) -> None:
    report_id = await filed(client, offices.village, child_id=world["mine"])
    for caller, path, body in (
        (offices.police, "dispositions", DISPOSE),
        (offices.township, "assessment", ASSESS),
        (offices.township, "closure", CLOSE),
    ):
        answer = await step(client, caller, report_id, path, body)
        assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "closed"
    await _opened(world)
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert (read.json()["child_id"], read.json()["closed_at"]) == (world["mine"], None)


async def test_another_agencys_name_of_a_file_says_nothing(
    client, database, offices, world
) -> None:
    report_id = await filed(client, offices.school, child_id=world["mine"])
    await _answered_409(world)
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["child_id"] is None


async def test_what_a_person_took_back_does_not_come_back_by_itself(
    client, database, settings, offices, world
) -> None:
    report_id = await filed(client, offices.village, child_id=world["mine"])
    await _answered_409(world)
    body = {"withdrawn_at": AT, "basis": "认错了。"}
    taken = await step(client, offices.township, report_id, "child/withdrawal", body)
    assert taken.status_code == 201, taken.text
    await _open(world, "director", VILLAGE, id=world["mine"])
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["child_id"] is None


async def test_a_correction_takes_the_id_over(client, database, offices, world) -> None:
    first = await filed(client, offices.village, child_id=world["mine"])
    again = await step(client, offices.village, first, "supersession", a_report())
    assert again.status_code == 201, again.text
    await _opened(world)
    for report_id in (first, again.json()["id"]):
        read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
        assert read.json()["child_id"] == world["mine"]


@pytest.mark.parametrize("by", ["township", "police"])
async def test_whoever_identifies_the_child_may_say_what_the_reporter_called_it(
    client, database, offices, world, by
) -> None:
    """By its reporter's name of the file, though it be none to the office."""
    child_id = await _answered_409(world)
    report_id = await filed(client, offices.village)
    body = {"identified_at": AT, "child_id": world["mine"], "basis": "村主任手机上的编号。"}
    said = await step(client, getattr(offices, by), report_id, "child", body)
    assert (said.status_code, said.json()["step"]) == (201, "identified"), said.text
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["child_id"] == child_id
    other = await filed(client, offices.school)
    refused = await step(client, offices.police, other, "child", body)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "child_unknown")


async def test_an_office_that_calls_another_child_so_means_its_own(
    client, database, offices, world
) -> None:
    """One id may have been made by two phones: each knows whom it called so."""
    await _answered_409(world)
    theirs = await a_child(database, VILLAGE)
    async with database.begin(SYSTEM) as tx:
        alias = UUID(world["mine"])
        await duplicates.adopt(tx, offices.township.agency_id, alias, theirs.id)
    report_id = await filed(client, offices.village)
    body = {"identified_at": AT, "child_id": world["mine"], "basis": "本所系统中的编号。"}
    said = await step(client, offices.township, report_id, "child", body)
    assert said.status_code == 201, said.text
    read = await client.get(f"{URL}/{report_id}", headers=offices.township.headers)
    assert read.json()["child_id"] == str(theirs.id)
