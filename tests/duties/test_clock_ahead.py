"""A deed does not count before its day: the clock that dated it may have run ahead."""

from datetime import timedelta

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.visits.factories import a_visit


async def _state(client, caller) -> str:
    duties = (await client.get("/v1/duties?rule=VIS-01", headers=caller.headers)).json()["items"]
    (duty,) = duties
    return duty["state"]


async def _nightly(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.open_period", [{}])
    await run_jobs(database)


async def test_a_visit_of_tomorrow_counts_from_tomorrow(
    client, database, settings, director, now
) -> None:
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    body = a_visit(child.id, visited_on="2026-11-21")
    answer = await client.post("/v1/visits", json=body, headers=director.headers)
    assert answer.status_code == 201, answer.text
    await _nightly(database)
    assert await _state(client, director) == "open"
    database.clock = lambda: now + timedelta(days=1)
    later = await a_caller(
        database, settings, "village_director", VILLAGE, agency_id=director.agency_id
    )
    await _nightly(database)
    assert await _state(client, later) == "discharged"


async def test_corrected_to_a_day_to_come_it_counts_no_more(client, database, director) -> None:
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    body = a_visit(child.id)
    await client.post("/v1/visits", json=body, headers=director.headers)
    await run_jobs(database)
    assert await _state(client, director) == "discharged"
    await client.patch(
        f"/v1/visits/{body['id']}",
        json={"visited_on": "2026-11-29"},
        headers={**director.headers, "if-match": '"1"'},
    )
    await run_jobs(database)
    assert await _state(client, director) == "open"


async def test_a_visit_of_todays_date_counts_today(client, database, director) -> None:
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    body = a_visit(child.id, visited_on="2026-11-20")
    await client.post("/v1/visits", json=body, headers=director.headers)
    await run_jobs(database)
    assert await _state(client, director) == "discharged"
