"""Visit to duty, over HTTP and the real queue (VIS-01, VIS-02, VIS-03)."""

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.visits.factories import a_visit, something_wrong


async def _duties(client, caller) -> dict[str, str]:
    answer = await client.get("/v1/duties", headers=caller.headers)
    found = {duty["rule"]: duty["state"] for duty in answer.json()["items"]}
    return {rule: found[rule] for rule in ("VIS-01", "VIS-03") if rule in found}


async def test_a_visit_discharges_the_quarter_and_opens_the_follow_up(
    client, database, director
) -> None:
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "duties.open_period", [{}])
    await run_jobs(database)
    assert await _duties(client, director) == {"VIS-01": "open"}
    first = a_visit(child.id, findings=[something_wrong()])
    kept = (await client.post("/v1/visits", json=first, headers=director.headers)).json()
    assert kept["findings"] == [something_wrong()], "做好走访记录"
    assert kept["policies_explained"] == ["child_welfare"]
    await run_jobs(database)
    assert await _duties(client, director) == {"VIS-01": "discharged", "VIS-03": "open"}
    second = a_visit(child.id, visited_on="2026-11-20")
    await client.post("/v1/visits", json=second, headers=director.headers)
    await run_jobs(database)
    assert await _duties(client, director) == {"VIS-01": "discharged", "VIS-03": "discharged"}
    for visit in (first, second):
        await client.patch(
            f"/v1/visits/{visit['id']}",
            json={"channel": "phone"},
            headers={**director.headers, "if-match": '"1"'},
        )
    await run_jobs(database)
    assert await _duties(client, director) == {"VIS-01": "open", "VIS-03": "open"}
