"""Who reported hears that it was accepted, handled and ended; never by whom or how."""

import asyncio
from uuid import uuid4

import pytest

from tests.children.factories import a_child
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    a_report,
    an_endpoint,
    filed,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import (
    ACCEPT,
    AT,
    BY_POLICE,
    BY_TOWNSHIP,
    DISPOSE,
    URL,
    step,
)

FAR = 130102001200


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def test_only_what_became_of_it(client, database, offices) -> None:
    await an_endpoint(database, offices.school.agency_id, TOWNSHIP, relation="enrolled")
    child = await a_child(database, FAR)
    report_id = await filed(client, offices.school)
    identity = {"identified_at": AT, "child_id": str(child.id), "basis": "指纹比对。"}
    known = await step(client, offices.police, report_id, "child", identity)
    assert known.status_code == 201, known.text
    for caller, steps in ((offices.police, BY_POLICE), (offices.township, BY_TOWNSHIP)):
        for path, body, _ in steps:
            assert (await step(client, caller, report_id, path, body)).status_code == 201
    await run_jobs(database)
    told = [
        row["wire_name"].partition(".")[2]
        for row in await rows(database, "webhook_deliveries")
        if row["agency_id"] == offices.school.agency_id
    ]
    assert sorted(told) == ["report_filed", *["result_told"] * 3]
    for path in ("", "/chain"):
        answer = await client.get(f"{URL}/{report_id}{path}", headers=offices.school.headers)
        read = answer.json()
        assert read["police_reference"] is None
        assert read.get("township_agency_id") is None
        assert {each["agency_id"] for each in read["steps"]} == {None}
        assert "identified" not in {each["step"] for each in read["steps"]}
        county = await client.get(f"{URL}/{report_id}{path}", headers=offices.county.headers)
        assert county.json()["police_reference"]
        assert None not in {each["agency_id"] for each in county.json()["steps"]}


async def test_each_thing_once_however_often_the_police_say_it(client, database, offices) -> None:
    report_id = await filed(client, offices.school)
    for number in ("受1号", "受2号"):
        body = {**ACCEPT, "police_reference": number}
        for path, said in (("acknowledgement", body), ("dispositions", DISPOSE)):
            answer = await step(client, offices.police, report_id, path, said)
            assert answer.status_code == 201, answer.text
    told = [
        row["data"]["result"]
        for row in await rows(database, "events")
        if row["wire_name"] == "police_reports.result_told"
    ]
    assert sorted(told) == ["accepted", "handled"]


async def test_where_a_file_lies_that_its_reporter_does_not_see(client, database, offices) -> None:
    there = await a_child(database, FAR)
    for child_id in (there.id, uuid4()):
        await filed(client, offices.school, child_id=str(child_id))
    counties = {row["home_county"] for row in await rows(database, "events")}
    assert counties == {COUNTY}
    assert {row["home_county"] for row in await rows(database, "police_reports")} == {COUNTY}


async def test_the_same_report_at_once_is_one(app, settings, live_database) -> None:
    offices = await the_offices(live_database, settings)
    body = a_report(id=str(uuid4()), suspect_agency_id=str(offices.school.agency_id))
    async with calling(app, settings, live_database) as client:
        answers = await asyncio.gather(
            *(client.post(URL, json=body, headers=offices.school.headers) for _ in range(5))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert {answer.json()["id"] for answer in answers} == {body["id"]}
