"""Two visits that are possibly one are both kept, marked, and settled by one act."""

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import listed
from tests.visits.factories import a_visit


async def _record(client, caller, body):
    answer = await client.post("/v1/visits", json=body, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def _read(client, caller, visit):
    return (await client.get(f"/v1/visits/{visit}", headers=caller.headers)).json()


@pytest.fixture
async def two(client, database, director, child) -> tuple[str, str]:
    first, second = a_visit(child.id), a_visit(child.id, place="school")
    ids = (await _record(client, director, first), await _record(client, director, second))
    await run_jobs(database)
    return ids


async def test_both_are_kept_and_the_later_is_marked(client, director, two) -> None:
    first, second = [await _read(client, director, each) for each in two]
    assert (first["possibly_same_as"], second["possibly_same_as"]) == (None, first["id"])
    assert (first["place"], second["place"]) == ("home", "school")
    items = (await client.get("/v1/visits", headers=director.headers)).json()["items"]
    assert {item["id"] for item in items} == set(two)


async def test_the_township_owes_an_answer(client, director, township, child, two) -> None:
    (item,) = await listed(client, township)
    assert (item["kind"], item["id"], item["child_id"]) == ("two_entries", two[1], str(child.id))
    assert item["permitted"] == ["answerUnresolved"]
    assert await listed(client, director) == []
    duties = (await client.get("/v1/duties", headers=township.headers)).json()["items"]
    assert [duty["rule"] for duty in duties if duty["subject_id"] == two[1]] == ["REG-11"]


@pytest.mark.parametrize(("answer", "is_one"), [("one_visit", True), ("two_visits", False)])
async def test_one_act_settles_it(client, director, township, two, act, answer, is_one) -> None:
    settled = await act(township, two[1], "answer", answer=answer, words="已向主任核实")
    assert (settled.status_code, settled.json()["state"]) == (200, "answered")
    second = await _read(client, director, two[1])
    assert second["possibly_same_as"] is None
    assert second["same_as"] == (two[0] if is_one else None)


async def test_settled_it_is_not_asked_again(
    client, database, director, township, two, act
) -> None:
    await act(township, two[1], "answer", answer="two_visits", words="上午下午各一次")
    corrected = await client.patch(
        f"/v1/visits/{two[1]}",
        json={"note": "补充"},
        headers={**director.headers, "if-match": '"1"'},
    )
    assert corrected.status_code == 200, corrected.text
    await run_jobs(database)
    assert await listed(client, township, "?state=open") == []


async def test_sent_twice_is_not_two(client, database, director, township, child) -> None:
    body = a_visit(child.id)
    for _ in range(2):
        await client.post("/v1/visits", json=body, headers=director.headers)
    await run_jobs(database)
    assert await listed(client, township) == []


@pytest.mark.parametrize("other", ["another day", "another visitor", "another child"])
async def test_what_differs_is_no_twin(
    client, database, settings, director, township, child, other
) -> None:
    await _record(client, director, a_visit(child.id))
    visitor, body = director, a_visit(child.id)
    if other == "another day":
        body["visited_on"] = "2026-11-17"
    elif other == "another visitor":
        visitor = await a_caller(
            database, settings, "village_director", VILLAGE, agency_id=director.agency_id
        )
    else:
        body["child_id"] = str((await a_child(database, VILLAGE)).id)
    await _record(client, visitor, body)
    await run_jobs(database)
    assert await listed(client, township) == []
    async with database.begin(SYSTEM) as tx:
        marked = await tx.connection.fetchval(
            "SELECT count(*) FROM visits WHERE possibly_same_as IS NOT NULL"
        )
    assert marked == 0


async def test_a_correction_to_the_same_day_is_noticed(
    client, database, director, township, child
) -> None:
    await _record(client, director, a_visit(child.id))
    second = await _record(client, director, a_visit(child.id, visited_on="2026-11-17"))
    await run_jobs(database)
    assert await listed(client, township) == []
    await client.patch(
        f"/v1/visits/{second}",
        json={"visited_on": "2026-11-18"},
        headers={**director.headers, "if-match": '"1"'},
    )
    await run_jobs(database)
    assert [item["id"] for item in await listed(client, township)] == [second]
