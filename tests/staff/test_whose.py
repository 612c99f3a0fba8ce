"""Whose accounts somebody sees: those of a line in a place, and no others there."""

from tests.access.factories import a_caller
from tests.regions.factories import some_regions

VILLAGE, COUNTY = 120119101200, 120119000000


async def test_of_other_lines_civil_affairs_sees_nobody(client, settings, database) -> None:
    await some_regions(database, VILLAGE)
    county = await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)
    village = await a_caller(database, settings, "village_director", VILLAGE)
    others = [
        await a_caller(database, settings, "village_director", 120118101200),
        await a_caller(database, settings, "police", COUNTY, machine=False),
        await a_caller(database, settings, "administrator", VILLAGE),
    ]
    listed = await client.get("/v1/staff", headers=county.headers)
    seen = {each["id"] for each in listed.json()["items"]}
    assert seen == {str(county.subject_id), str(village.subject_id)}
    for other in others:
        read = await client.get(f"/v1/staff/{other.subject_id}", headers=county.headers)
        assert read.json()["type"] == "/problems/staff-not-found"
