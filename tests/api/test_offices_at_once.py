"""Two offices of a place are not registered at one moment either; nobody has a post twice."""

from datetime import date

import pytest

from tests.access.factories import a_caller
from tests.agencies.factories import a_holding, a_person, a_post
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


async def test_a_post_is_handed_over_once(app, settings, live_database, database_urls) -> None:
    county = await a_caller(live_database, settings, "civil_affairs", COUNTY)
    post = await a_post(live_database, "village_committee", 120119101200, "village_director")
    first, *others = [await a_person(live_database, post.agency_id) for _ in range(3)]
    held = await a_holding(live_database, post, first, date(2026, 1, 1))
    async with calling(app, settings, live_database) as client:

        def to(successor):
            async def hand_over():
                body = {
                    "holding_id": str(held.id),
                    "successor_id": str(successor),
                    "since": "2026-11-20",
                }
                url = f"/v1/posts/{post.id}/handover"
                return await client.post(url, json=body, headers=county.headers)

            return hand_over

        answers = await at_once(live_database, database_urls.owner, *map(to, others))
    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[1].json()["type"] == "/problems/holding-ended"


@pytest.mark.parametrize(
    ("in_turn", "statuses"),
    [
        (lambda take, close: (take, close), (201, 422)),
        (lambda take, close: (close, take), (200, 409)),
    ],
)
async def test_an_office_is_not_closed_while_somebody_takes_a_post_there(
    app, settings, live_database, database_urls, in_turn, statuses
) -> None:
    county = await a_caller(live_database, settings, "civil_affairs", COUNTY)
    post = await a_post(live_database, "village_committee", 120119101200, "village_director")
    person = await a_person(live_database, post.agency_id)
    async with calling(app, settings, live_database) as client:

        async def take():
            body = {"staff_id": str(person), "since": "2026-11-20"}
            url = f"/v1/posts/{post.id}/holdings"
            return await client.post(url, json=body, headers=county.headers)

        async def close():
            body = {"reason": "合成记录:机构撤并,县编办来函。"}
            url = f"/v1/agencies/{post.agency_id}/closure"
            return await client.post(url, json=body, headers=county.headers)

        answers = await at_once(live_database, database_urls.owner, *in_turn(take, close))
    assert [answer.status_code for answer in answers] == [*statuses]
