"""An answer kept under a key holds a file: it is for who may still read it (AZ-3)."""

from dataclasses import replace

from app.core.data.db import SYSTEM
from tests.access.approving import approved
from tests.access.factories import a_caller, a_new_post, a_token, an_agency
from tests.children.conftest import COUNTY, SIBLING, VILLAGE
from tests.children.factories import a_child, a_file, moved
from tests.conftest import NOW


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


async def changed(client, caller, child_id: str):
    headers = {**caller.headers, "idempotency-key": "two", "if-match": '"1"'}
    change = {"health": {"notes": "样品过敏"}}
    return await client.patch(f"/v1/children/{child_id}", json=change, headers=headers)


async def test_what_the_path_names_is_asked_for_again(client, director, database) -> None:
    """It is done, so it is no 404; and what it shows is not theirs any more."""
    child = (await opened(client, director)).json()["id"]
    first = await changed(client, director, child)
    assert (await changed(client, director, child)).content == first.content
    await moved(database, child, region_code=SIBLING)
    again = await changed(client, director, child)
    assert (again.status_code, again.json()["type"]) == (410, "/problems/answer-out-of-sight")
    assert "样" not in again.text


async def test_what_tells_of_no_child_is_looked_up_as_well(client, database, settings) -> None:
    """An agency's own clients: once they are another agency's, so is what was said of them."""
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE clients SET agency_id = $2 WHERE id = $1", system.subject_id, county.agency_id
        )
    url = f"/v1/clients/{system.subject_id}/suspension"
    headers = {**county.headers, "idempotency-key": "three"}
    first = await client.post(url, headers=headers)
    assert first.status_code == 200, first.text
    assert (await client.post(url, headers=headers)).json() == first.json()
    elsewhere = await an_agency(database, "civil_affairs", COUNTY + 10**6)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE clients SET agency_id = $2 WHERE id = $1", system.subject_id, elsewhere
        )
    again = await client.post(url, headers=headers)
    assert (again.status_code, again.json()["type"]) == (410, "/problems/answer-out-of-sight")


async def test_not_once_it_is_hidden_from_whom_it_was_given(client, director, database) -> None:
    child = (await opened(client, director)).json()["id"]
    assert (await changed(client, director, child)).status_code == 200
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below)"
            " VALUES ($1, $2, 0)",
            child,
            [director.agency_id],
        )
    assert (await changed(client, director, child)).status_code == 410


async def test_who_works_elsewhere_by_now_is_not_shown_what_they_were_shown_here(
    client, database, settings
) -> None:
    """Nor a secret of a system of the agency they left."""
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    new = {"name": "系统", "role": "civil_affairs", "region_code": str(COUNTY)}
    colleague = await a_caller(database, settings, "civil_affairs", COUNTY)
    approval = await approved(client, county, colleague, "registerClient", "/v1/clients", new)
    headers = {"idempotency-key": "four", "approval": approval}
    first = await client.post("/v1/clients", json=new, headers={**county.headers, **headers})
    assert first.status_code == 201, first.text
    elsewhere = await a_new_post(database, settings, county, "civil_affairs", COUNTY, NOW.date())
    again = await client.post("/v1/clients", json=new, headers={**elsewhere.headers, **headers})
    assert again.status_code == 410
    assert first.json()["client_secret"] not in again.text
