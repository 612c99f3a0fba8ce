"""A place gets another code: what waits there is owed and tried again under the new one."""

from datetime import date
from uuid import uuid4

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.unresolved.conftest import COUNTY, listed
from tests.visits.factories import a_visit

NEW = 120120000000
SHIFT = NEW - COUNTY


async def test_it_is_owed_and_stored_at_the_new_code(client, database, settings, director) -> None:
    chosen = new_id()
    for body in (a_visit(chosen), a_visit(uuid4())):
        answer = await client.post("/v1/visits", json=body, headers=director.headers)
        assert answer.status_code == 202, answer.text
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, NEW, date(2026, 7, 1))
    township = await a_caller(database, settings, "township_supervisor", 120119101000 + SHIFT)
    items = await listed(client, township, "?state=open")
    assert {item["region_code"] for item in items} == {f"{120119101000 + SHIFT}"}
    assert {item["sender"]["region_code"] for item in items} == {f"{VILLAGE + SHIFT}"}
    assert len(items) == 2
    opened = await client.post(
        "/v1/children", json=a_file(VILLAGE + SHIFT, id=str(chosen)), headers=township.headers
    )
    assert opened.status_code == 201, opened.text
    await run_jobs(database)
    (stored,) = await listed(client, township, "?state=attached")
    assert stored["child_id"] == str(chosen)
