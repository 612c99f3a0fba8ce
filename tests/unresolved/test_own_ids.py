"""No file's own id is another child's name."""

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.children.factories import a_child, a_file, moved
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report
from tests.unresolved.conftest import OTHER_COUNTY_VILLAGE, count, listed
from tests.visits.factories import a_visit


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


@pytest.fixture
async def real(database):
    return await a_child(database, OTHER_COUNTY_VILLAGE, name="真实甲")


@pytest.fixture
async def misattached(client, director, township, child, real, act) -> None:
    item = (await _record(client, director, a_visit(real.id))).json()["unresolved_id"]
    answer = await act(township, item, "attachment", child_id=str(child.id))
    assert answer.json()["state"] == "attached"


@pytest.mark.usefixtures("misattached")
async def test_does_not_become_another_childs_name(client, database, director, real) -> None:
    assert await count(database, "child_aliases") == 0
    read = await client.get(f"/v1/children/{real.id}", headers=director.headers)
    assert read.status_code == 404
    report = a_report(child_id=str(real.id), region_code=f"{VILLAGE}")
    filed = await client.post("/v1/police-reports", json=report, headers=director.headers)
    assert filed.status_code == 201, filed.text
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT child_id FROM police_reports") == real.id


@pytest.mark.usefixtures("misattached")
async def test_is_asked_about_each_time(client, database, director, township, real) -> None:
    await _record(client, director, a_visit(real.id, visited_on="2026-11-19"))
    await run_jobs(database)
    assert len(await listed(client, township, "?state=open")) == 1


async def test_names_that_file_once_it_is_opened(client, database, director, alias) -> None:
    identity = {"name": "新来的", "sex": "male", "birth_date": "2017-01-02"}
    opened = await client.post(
        "/v1/children",
        json=a_file(VILLAGE, id=alias, identity={**identity, "ethnic_group": "01"}),
        headers=director.headers,
    )
    assert opened.status_code == 201, opened.text
    await run_jobs(database)
    await moved(database, opened.json()["id"], region_code=OTHER_COUNTY_VILLAGE)
    read = await client.get(f"/v1/children/{alias}", headers=director.headers)
    assert read.status_code == 404, "not the other child"


async def test_what_waits_under_it_is_stored_when_the_child_comes_back(
    client, database, settings, director
) -> None:
    """The phone's id was answered 409; the child moves away, is visited, and moves back."""
    file = await client.post("/v1/children", json=a_file(VILLAGE), headers=director.headers)
    chosen = str(new_id())
    refused = await client.post(
        "/v1/children", json=a_file(VILLAGE, id=chosen), headers=director.headers
    )
    assert refused.status_code == 409
    await moved(database, file.json()["id"], region_code=OTHER_COUNTY_VILLAGE)
    body = a_visit(chosen)
    assert (await _record(client, director, body)).status_code == 202
    await run_jobs(database)
    assert await count(database, "visits") == 0
    province = await a_caller(database, settings, "civil_affairs", 120000000000)
    url = f"/v1/children/{file.json()['id']}"
    read = await client.get(url, headers=province.headers)
    back = await client.patch(
        url,
        json={"residence": {"region_code": str(VILLAGE + 1)}},
        headers={**province.headers, "if-match": read.headers["etag"]},
    )
    assert back.status_code == 200, back.text
    await moved(database, file.json()["id"], region_code=VILLAGE)
    await run_jobs(database)
    visit = await client.get(f"/v1/visits/{body['id']}", headers=director.headers)
    assert visit.json()["child_id"] == file.json()["id"]
