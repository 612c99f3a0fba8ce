"""An answer kept under a key holds a file: it is for who may still read it (AZ-3)."""

from dataclasses import replace

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller, a_token, an_agency
from tests.children.conftest import COUNTY, SIBLING, VILLAGE
from tests.children.factories import a_child, a_file, moved


async def opened(client, director):
    headers = {**director.headers, "idempotency-key": "one"}
    return await client.post("/v1/children", json=a_file(VILLAGE), headers=headers)


async def refused(client, database, director, child_id: str) -> None:
    again = await opened(client, director)
    assert (again.status_code, again.json()["type"]) == (410, "/problems/answer-out-of-sight")
    assert "样" not in again.text
    async with database.begin(SYSTEM) as tx:
        last = await tx.connection.fetchrow(
            "SELECT decision, child_ids FROM audit_entries WHERE operation = 'createChild'"
            " ORDER BY id DESC LIMIT 1"
        )
    assert (last["decision"], [*map(str, last["child_ids"])]) == ("denied", [child_id])


async def test_not_once_the_child_has_moved_away(client, director, database) -> None:
    file = (await opened(client, director)).json()
    await moved(database, file["id"], region_code=SIBLING)
    await refused(client, database, director, file["id"])


async def test_not_once_one_of_those_found_has_moved_away(client, director, database) -> None:
    found = [await a_child(database, VILLAGE, name="样一") for _ in range(2)]
    wanted = {"json": {"name": "样一"}, "headers": {**director.headers, "idempotency-key": "s"}}
    first = await client.post("/v1/children/search", **wanted)
    assert {child["id"] for child in first.json()["items"]} == {str(each.id) for each in found}
    await moved(database, found[0].id, region_code=SIBLING)
    assert (await client.post("/v1/children/search", **wanted)).status_code == 410


async def test_not_for_another_agency(client, database, settings) -> None:
    system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    file = (await opened(client, system)).json()
    other = await an_agency(database, "civil_affairs", COUNTY)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE clients SET agency_id = $2 WHERE id = $1", system.subject_id, other
        )
    moved_on = replace(
        system, agency_id=other, token=a_token(database, settings, system, agency_id=other)
    )
    await refused(client, database, moved_on, file["id"])
