"""Reading visits: remit, filters, paging, audit, budgets."""

from app.core.data.db import SYSTEM, Reach
from app.visits.acts import ACTS
from tests.access.factories import a_caller
from tests.children.factories import a_child, moved
from tests.conftest import VILLAGE
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit, something_wrong

TOWNSHIP = 120119101000


async def _record(client, caller, *bodies):
    for body in bodies:
        answer = await client.post("/v1/visits", json=body, headers=caller.headers)
        assert answer.status_code == 201, answer.text


async def _list(client, caller, query=""):
    answer = await client.get(f"/v1/visits{query}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_reads_one_within_budget(client, queries, director, child) -> None:
    body = a_visit(child.id, note="一句话")
    await _record(client, director, body)
    queries.clear()
    answer = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
    assert (answer.status_code, answer.json()["note"]) == (200, "一句话")
    assert answer.headers["etag"] == '"1"'
    assert len(queries) == 3, queries.statements


async def test_lists_latest_first_in_pages(client, director, child) -> None:
    days = ["2026-11-03", "2026-11-18", "2026-11-18", "2026-10-01", "2026-11-09"]
    bodies = [a_visit(child.id, visited_on=day) for day in days]
    await _record(client, director, *bodies)
    seen, cursor = [], ""
    while cursor is not None:
        page = await _list(client, director, f"?limit=2{cursor and '&cursor=' + cursor}")
        seen += [(item["visited_on"], item["id"]) for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == sorted(((b["visited_on"], b["id"]) for b in bodies), reverse=True)


async def test_filters(client, database, settings, director, neighbour, child) -> None:
    other = await a_child(database, VILLAGE + 1)
    wrong = a_visit(child.id, findings=[something_wrong()], visited_on="2026-10-05")
    fine = a_visit(child.id, findings=[{"domain": "study", "abnormal": False}])
    beyond = a_visit(other.id, visited_on="2026-10-06")
    await _record(client, director, wrong, fine)
    await _record(client, neighbour, beyond)
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP)

    async def ids(query: str) -> set[str]:
        return {item["id"] for item in (await _list(client, township, query))["items"]}

    await some_regions(database, VILLAGE, 130000000000)
    assert await ids("") == {wrong["id"], fine["id"], beyond["id"]}
    assert await ids("?abnormal=true") == {wrong["id"]}
    assert await ids("?visited_from=2026-10-06") == {fine["id"], beyond["id"]}
    assert await ids("?visited_until=2026-10-05") == {wrong["id"]}
    assert await ids(f"?child_id={other.id}") == {beyond["id"]}
    assert await ids(f"?region_code={VILLAGE}") == {wrong["id"], fine["id"]}
    assert (await _list(client, director))["items"] != []
    assert await ids("?region_code=130000000000") == set()


async def test_bad_parameters(client, director) -> None:
    async def problem(query: str) -> str:
        answer = await client.get(f"/v1/visits?{query}", headers=director.headers)
        assert answer.status_code == 400, answer.text
        return answer.json()["type"].removeprefix("/problems/")

    assert await problem("region_code=999999999999") == "region-code-invalid"
    assert await problem("visited_from=yesterday") == "parameter-invalid"
    assert await problem("cursor=AAAA") == "cursor-invalid"
    for query in ("name=x", "abnormal=true&abnormal=false"):
        assert await problem(query) == "malformed-request"


async def test_list_is_audited_with_every_child_shown(
    client, database, queries, director, child
) -> None:
    second = await a_child(database, VILLAGE)
    await _record(client, director, a_visit(child.id), a_visit(second.id), a_visit(child.id))
    queries.clear()
    await _list(client, director)
    assert len(queries) == 3, queries.statements
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT * FROM audit_entries WHERE operation = 'listVisits'"
        )
    assert set(row["child_ids"]) == {child.id, second.id}
    assert (row["purpose"], row["field_groups"]) == (str(director.purpose), ["visits"])
    assert row["since"].isoformat() == a_visit(child.id)["visited_on"]


async def test_visits_of_a_child(client, queries, director, neighbour, child) -> None:
    body = a_visit(child.id)
    await _record(client, director, body)
    queries.clear()
    url = f"/v1/children/{child.id}/visits"
    answer = await client.get(url, headers=director.headers)
    assert [item["id"] for item in answer.json()["items"]] == [body["id"]]
    assert len(queries) == 4, queries.statements
    hidden = await client.get(url, headers=neighbour.headers)
    assert (hidden.status_code, hidden.json()["type"]) == (404, "/problems/child-not-found")


async def test_a_visit_follows_the_child_who_moved(
    client, database, director, neighbour, child
) -> None:
    body = a_visit(child.id)
    await _record(client, director, body)
    await moved(database, child.id, region_code=VILLAGE + 1)
    assert (await _list(client, director))["items"] == []
    (item,) = (await _list(client, neighbour))["items"]
    assert item["region_code"] == str(VILLAGE)


async def test_row_level_security_hides_visits_by_itself(client, database, director, child) -> None:
    await _record(client, director, a_visit(child.id))
    async with database.begin(Reach(VILLAGE + 1, VILLAGE + 2)) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM visits") == 0
    async with database.begin(Reach(VILLAGE, VILLAGE + 1)) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM visits") == 1


async def test_an_operation_that_visits_do_not_have_is_answered_with_those_they_have(
    client, director
) -> None:
    answer = await client.get("/v1/visits?permitted=readVisits", headers=director.headers)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "permitted"
    assert error["detail"] == f"The text has the wrong form: ^({'|'.join(sorted(ACTS))})$"
