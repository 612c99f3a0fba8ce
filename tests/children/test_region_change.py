from datetime import date

from app.core.data.db import SYSTEM
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

VILLAGE, COUNTY = 120119101200, 120119000000


async def test_a_place_with_another_code_keeps_its_children_and_their_workers(
    client, database, settings
) -> None:
    await some_regions(database, VILLAGE)
    child = await a_child(database, VILLAGE)
    system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    director = await a_caller(database, settings, "village_director", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(database)
    for caller in (system, director):
        answer = await client.get(f"/v1/children/{child.id}", headers=caller.headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["residence"]["region_code"] == "120120101200"
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT home_county, version FROM children")
    assert tuple(row) == (COUNTY, 1)
