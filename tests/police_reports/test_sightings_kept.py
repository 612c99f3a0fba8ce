"""Where no education authority may know of a doubt that must be kept from the school, another
office is asked that may; while there is none, nobody is, and never the accused (EDU-01, AZ-8).
"""

from typing import Any

import orjson
import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, a_school
from tests.attendance.test_presence import doubts
from tests.dropout_alerts.factories import Around
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, a_report, rows
from tests.police_reports.test_chain import step
from tests.police_reports.test_hidden_by_now import owed_late
from tests.police_reports.test_sightings import (  # noqa: F401
    PLACED,
    offices,
    placed,
    pupil,
    shelter,
    there,
)
from tests.waiting import until
from tests.webhooks.workshop import an_endpoint, receiving, sending, settings_for

# ruff: noqa: F811

ABOVE = "EDU-01.presence_above"
FINDING = {"finding": "elsewhere", "note": "在救助站"}


@pytest.fixture
async def around(client, database, settings, offices) -> Around:
    """A school in a county without an education authority."""
    school = await a_school(database, settings)
    teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id)
    return Around(client, database, school, teacher, offices.county, offices.township)


async def owes(around: Around, caller) -> list[str]:
    """Under which rules somebody knows a duty to look that is borne by their own agency."""
    answer = await around.client.get("/v1/duties", headers=caller.headers)
    return [
        duty["rule"]
        for duty in answer.json()["items"]
        if duty["rule"].startswith("EDU-01.presence")
        and duty["state"] in {"open", "overdue"}
        and duty["bearer"]["agency_id"] == str(caller.agency_id)
    ]


async def may_settle(around: Around, caller) -> list[bool]:
    found = await doubts(around, caller)
    return ["recordPresenceFinding" in doubt["permitted"] for doubt in found]


async def accused_as_well(around: Around, offices, pupil, agency_id) -> None:
    """Correct the report so that it speaks against another agency as well."""
    newest = await rows(around.database, "police_reports")
    report_id = next(each["id"] for each in newest if each["superseded_by_id"] is None)
    said: dict[str, Any] = {"child_id": str(pupil.id), "situations": ["guardian_failure"]}
    body = a_report(**said, suspect_agency_id=str(agency_id))
    answer = await step(around.client, offices.village, report_id, "supersession", body)
    assert answer.status_code == 201, answer.text
    await run_jobs(around.database)


async def ask_again(around: Around) -> None:
    async with around.database.begin(SYSTEM) as tx:
        await queue.REGISTRY["attendance.ask_again"].handler(tx, {})
    await run_jobs(around.database)


@pytest.mark.parametrize("later", [False, True])
async def test_civil_affairs_looks_in_the_place_of_the_school(
    around, offices, pupil, placed, later
) -> None:
    await there(around, pupil, PLACED)
    await placed(**({} if later else {"suspect_agency_id": str(around.school.id)}))
    if later:
        assert await owes(around, around.teacher) == ["EDU-01.presence"]
        await accused_as_well(around, offices, pupil, around.school.id)
    assert (await doubts(around, around.teacher), await owes(around, around.teacher)) == ([], [])
    assert await may_settle(around, offices.township) == [False]
    assert await may_settle(around, offices.county) == [True]
    assert await owes(around, offices.county) == [ABOVE]
    (doubt,) = await doubts(around, offices.county)
    url = f"/v1/presence-doubts/{doubt['id']}/finding"
    answer = await around.client.post(url, json=FINDING, headers=offices.county.headers)
    assert answer.status_code == 200, answer.text
    await run_jobs(around.database)
    assert await owes(around, offices.county) == []
    asked = {"rule": ABOVE}
    known = await around.client.get("/v1/duties", headers=offices.county.headers, params=asked)
    assert [duty["state"] for duty in known.json()["items"]] == ["discharged"]


async def test_the_township_if_civil_affairs_may_not_know_either(
    around, offices, pupil, placed
) -> None:
    await there(around, pupil, PLACED)
    await placed(suspect_agency_id=str(around.school.id))
    await accused_as_well(around, offices, pupil, offices.county.agency_id)
    assert await may_settle(around, pupil.office) == [True], "the next above"
    await accused_as_well(around, offices, pupil, pupil.office.agency_id)
    assert await may_settle(around, offices.township) == [True]
    assert await owes(around, offices.township) == [ABOVE]
    assert (await doubts(around, offices.county), await owes(around, offices.county)) == ([], [])


async def test_nobody_at_all_until_an_office_is_registered(
    around, offices, pupil, placed, database, settings
) -> None:
    await there(around, pupil, PLACED)
    await placed(suspect_agency_id=str(around.school.id))
    everybody = (offices.county, pupil.office, offices.township)
    for accused in everybody:
        await accused_as_well(around, offices, pupil, accused.agency_id)
    await owed_late(database)
    for accused in (around.teacher, *everybody):
        assert (await doubts(around, accused), await owes(around, accused)) == ([], [])
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    await ask_again(around)
    assert (await may_settle(around, bureau), await owes(around, bureau)) == ([True], [ABOVE])
    await ask_again(around)
    handed = [row["wire_name"] for row in await rows(database, "events")]
    assert handed.count("attendance.presence_handed_over") == 5, "once to each, or to nobody"


async def test_an_education_authority_registered_later_takes_it_over(
    around, offices, pupil, placed, database, settings
) -> None:
    await there(around, pupil, PLACED)
    await placed(suspect_agency_id=str(around.school.id))
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    await ask_again(around)
    assert (await may_settle(around, bureau), await owes(around, bureau)) == ([True], [ABOVE])
    assert (await may_settle(around, offices.county), await owes(around, offices.county)) == (
        [False],
        [],
    )


async def test_an_education_authority_that_is_accused_later_keeps_nothing(
    around, offices, pupil, placed, database, settings
) -> None:
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    await there(around, pupil, PLACED)
    await placed(suspect_agency_id=str(around.school.id))
    assert await owes(around, bureau) == [ABOVE]
    await accused_as_well(around, offices, pupil, bureau.agency_id)
    assert (await doubts(around, bureau), await owes(around, bureau)) == ([], [])
    assert (await may_settle(around, offices.county), await owes(around, offices.county)) == (
        [True],
        [ABOVE],
    )


async def test_nothing_is_sent_to_the_accused_not_even_that_it_is_late(
    around, offices, pupil, placed, database, database_urls, settings
) -> None:
    """What its endpoint gets last is about another child of its own."""
    school = around.school
    span = (TOWNSHIP, TOWNSHIP + 1000)
    heard = {"event_types": ("attendance.*", "duties.*"), "relation": "enrolled", "region": span}
    async with receiving() as receiver:
        await there(around, pupil, PLACED)
        await placed(suspect_agency_id=str(school.id))
        await an_endpoint(database, school.id, receiver.url, **heard)
        await owed_late(database)
        await around.absent(pupil.id, "2026-11-20")

        async def arrived() -> bool:
            return bool(receiver.received)

        async with sending(database, settings_for(receiver), database_urls.app):
            await until(arrived)
        names = [orjson.loads(each.body)["type"] for each in receiver.received]
    assert names == ["attendance.absences_recorded"]
