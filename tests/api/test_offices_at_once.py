"""Two offices of a place are not registered at one moment either; nobody has a post twice."""

from tests.access.factories import a_caller
from tests.agencies.factories import a_person, a_post
from tests.at_once import at_once
from tests.conftest import calling
from tests.regions.factories import some_regions

COUNTY, TOWNSHIP = 120119000000, 120119101000


async def test_of_two_at_one_moment_one_is_registered(
    app, settings, live_database, database_urls
) -> None:
    await some_regions(live_database, TOWNSHIP)
    county = await a_caller(live_database, settings, "civil_affairs", COUNTY)
    body = {"kind": "township_government", "name": "乡政府", "region_code": f"{TOWNSHIP:012d}"}
    async with calling(app, settings, live_database) as client:

        async def register():
            return await client.post("/v1/agencies", json=body, headers=county.headers)

        answers = await at_once(live_database, database_urls.owner, register, register)
    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["type"] == "/problems/place-served"


async def test_nobody_holds_a_post_twice_since_two_said_so_at_one_moment(
    app, settings, live_database, database_urls
) -> None:
    county = await a_caller(live_database, settings, "civil_affairs", COUNTY)
    post = await a_post(live_database, "village_committee", 120119101200, "village_director")
    person = await a_person(live_database, post.agency_id)
    body = {"staff_id": str(person), "since": "2026-01-01"}
    async with calling(app, settings, live_database) as client:

        async def appoint():
            url = f"/v1/posts/{post.id}/holdings"
            return await client.post(url, json=body, headers=county.headers)

        answers = await at_once(live_database, database_urls.owner, appoint, appoint)
    assert [answer.status_code for answer in answers] == [201, 409]
