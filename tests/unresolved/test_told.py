"""Whoever is answered 404 hears nothing either; and the sender reads no office's words."""

from uuid import uuid4

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import a_caller
from tests.attendance.factories import a_school, an_event, push
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import an_endpoint
from tests.unresolved.conftest import COUNTY, OTHER_COUNTY_VILLAGE, TOWNSHIP, listed
from tests.visits.factories import a_visit


async def _subscribe(database, caller, place: int) -> None:
    takes = {"relation": "region", "takes": "unresolved.*"}
    endpoint = await an_endpoint(database, caller.agency_id, place, **takes)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_endpoints SET mandatory = false WHERE id = $1", endpoint
        )


async def _heard(database, caller) -> list[str]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT wire_name FROM webhook_deliveries WHERE agency_id = $1 ORDER BY wire_name",
            caller.agency_id,
        )
    return [row["wire_name"] for row in rows]


async def test_of_a_question_only_whoever_may_read_it(
    client, database, settings, director, township, county, act
) -> None:
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    for caller, place in ((township, TOWNSHIP), (county, COUNTY), (bureau, COUNTY)):
        await _subscribe(database, caller, place)
    sent = await client.post("/v1/visits", json=a_visit(uuid4()), headers=director.headers)
    school = await a_school(database, settings)
    await push(client, school, an_event(uuid4()))
    await run_jobs(database)
    await act(township, sent.json()["unresolved_id"], "dismissal", words="误发")
    await run_jobs(database)
    of_visit = ["unresolved.settled", "unresolved.visit_unresolved"]
    assert await _heard(database, township) == of_visit == await _heard(database, county)
    assert await _heard(database, bureau) == ["unresolved.attendance_unresolved"]


async def test_of_a_referral_the_offices_and_its_sender_reads_no_words(
    client, database, settings, director, township, county, other_county, act
) -> None:
    for caller, place in ((township, TOWNSHIP), (county, COUNTY)):
        await _subscribe(database, caller, place)
    stranger = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
    for caller, place in ((stranger, OTHER_COUNTY_VILLAGE), (director, VILLAGE)):
        body = a_file(place, id=str(new_id()))
        await client.post("/v1/children", json=body, headers=caller.headers)
    await run_jobs(database)
    (theirs,) = await listed(client, other_county)
    await act(other_county, theirs["id"], "answer", answer="another_child", words="父亲服刑")
    await run_jobs(database)
    (read,) = await listed(client, county)
    assert read["answers"][0]["words"] == "父亲服刑"
    (mine,) = await listed(client, director)
    assert (mine["id"], mine["answers"]) == (read["id"], [])
    assert await _heard(database, county) == ["unresolved.referral_opened"]
    assert await _heard(database, township) == []


async def test_an_office_that_came_later_sees_the_duty(
    client, database, settings, director
) -> None:
    await client.post("/v1/visits", json=a_visit(uuid4()), headers=director.headers)
    await run_jobs(database)
    later = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    duties = (await client.get("/v1/duties", headers=later.headers)).json()["items"]
    assert [duty["rule"] for duty in duties] == ["REG-11"]
