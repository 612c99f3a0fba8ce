"""Visit to duty, over HTTP and the real queue (VIS-01, VIS-02, VIS-03)."""

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.jobs import run_jobs, told
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
    found = [something_wrong(), something_wrong(domain="health", type="ill", refer_to=[])]
    normal = {"domain": "life", "abnormal": False}
    first = a_visit(child.id, findings=[*found, normal])
    kept = (await client.post("/v1/visits", json=first, headers=director.headers)).json()
    assert kept["findings"][:2] == found, "做好走访记录"
    assert kept["policies_explained"] == ["child_welfare"]
    await run_jobs(database)
    assert await _duties(client, director) == {"VIS-01": "discharged", "VIS-03": "open"}
    nothing = a_visit(child.id, visited_on="2026-11-19")
    await client.post("/v1/visits", json=nothing, headers=director.headers)
    await run_jobs(database)
    assert (await _duties(client, director))["VIS-03"] == "open", "重点关注: nothing was looked at"
    looked = [{"domain": name, "abnormal": False} for name in ("guardianship", "study", "health")]
    some_day = a_visit(child.id, visited_on="前几天", findings=looked)
    await client.post("/v1/visits", json=some_day, headers=director.headers)
    await run_jobs(database)
    assert (await _duties(client, director))["VIS-03"] == "open", "nobody said when"
    second = a_visit(child.id, visited_on="2026-11-19", findings=looked[:2])
    third = a_visit(child.id, visited_on="2026-11-20", findings=looked[2:])
    for later, state in ((second, "open"), (third, "discharged")):  # 予以重点关注, to all of it
        await client.post("/v1/visits", json=later, headers=director.headers)
        await run_jobs(database)
        assert await _duties(client, director) == {"VIS-01": "discharged", "VIS-03": state}
    [left] = await told(database, "visits.finding_left_open")
    assert left["data"]["left"] == ["health"]
    for visit in (first, nothing, second, third):
        await client.patch(
            f"/v1/visits/{visit['id']}",
            json={"channel": "phone"},
            headers={**director.headers, "if-match": '"1"'},
        )
    await run_jobs(database)
    assert await _duties(client, director) == {"VIS-01": "open", "VIS-03": "open"}


async def test_law_and_policy_are_explained_where_something_was_found(
    client, database, director
) -> None:
    """VIS-03: 积极宣传儿童福利和儿童保护相关法律法规和政策措施; on that visit or a later one."""
    for explained, state in (([], "open"), (["child_protection"], "discharged")):
        child = await a_child(database, VILLAGE)
        body = a_visit(child.id, findings=[something_wrong()], policies_explained=explained)
        await client.post("/v1/visits", json=body, headers=director.headers)
        await run_jobs(database)
        asked = {"rule": "VIS-03.explain", "child_id": str(child.id)}
        answer = await client.get("/v1/duties", params=asked, headers=director.headers)
        assert [duty["state"] for duty in answer.json()["items"]] == [state]
