"""Words that mean an office hide a report from offices, not from the police who answer for it:
they see what they owe, and what was sent to them.
"""

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    a_report,
    an_endpoint,
    filed,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, DISPOSE, URL, step
from tests.police_reports.test_charge import owing
from tests.police_reports.test_suspects import SAID_SO, named


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def county_police(database, settings, offices):
    police = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, police.agency_id, COUNTY)
    return police


@pytest.mark.parametrize("words", ["村干部", "学校老师", "民政局的人", "派出所民警"])
async def test_the_police_in_charge_see_what_they_owe(
    client, database, offices, county_police, words
) -> None:
    mean_police = words == "派出所民警"
    in_charge = county_police if mean_police else offices.police
    report_id = await filed(client, offices.school, suspect_agency_id=words)
    await run_jobs(database)
    assert await owing(client, in_charge) == [("REP-07", "open")]
    for path, body in (("acknowledgement", ACCEPT), ("dispositions", DISPOSE)):
        assert (await step(client, in_charge, report_id, path, body)).status_code == 201
    await run_jobs(database)
    owed = await owing(client, in_charge)
    assert sorted(owed) == [("REP-07", "discharged"), ("REP-14", "open")]
    found = await client.get("/v1/webhook-deliveries", headers=in_charge.headers)
    assert report_id in {each["subject_id"] for each in found.json()["items"]}
    one = f"/v1/webhook-deliveries/{found.json()['items'][0]['id']}"
    assert (await client.get(one, headers=in_charge.headers)).status_code == 200
    others = [offices.township, *([offices.police] if mean_police else [])]
    for caller in others:
        assert await owing(client, caller) == []
        told = await client.get("/v1/webhook-deliveries", headers=caller.headers)
        assert told.json()["items"] == []


async def test_police_whom_words_mean_later_see_what_they_owed_no_more(
    client, database, offices
) -> None:
    report_id = await filed(client, offices.school)
    await run_jobs(database)
    assert await owing(client, offices.police) == [("REP-07", "open")]
    body = a_report(suspect_agency_id="派出所民警")
    answer = await step(client, offices.school, report_id, "supersession", body)
    assert answer.status_code == 201
    await run_jobs(database)
    assert await owing(client, offices.police) == []
    [old] = [row for row in await rows(database, "police_reports") if row["superseded_by_id"]]
    assert (old["police_agency_id"], old["former_police"]) == (None, [offices.police.agency_id])


async def test_police_told_beside_others_who_are_meant_are_told_no_more(
    client, database, settings, offices
) -> None:
    """Nobody there has an endpoint: all police above know it, but for the accused (AZ-8)."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
    county = await a_caller(database, settings, "police", COUNTY)
    report_id = await filed(client, offices.school, suspect_agency_id="村干部")
    path = f"{URL}/{report_id}"
    assert (await client.get(path, headers=county.headers)).json()["party"] == "police"
    for act, body in (("suspect", named(county)), ("suspect/withdrawal", SAID_SO)):
        answer = await step(client, offices.county, report_id, act, body)
        assert answer.status_code == 201, answer.text
        [report] = await rows(database, "police_reports")
        theirs = (offices.police.agency_id, [], [county.agency_id])
        names = ("police_agency_id", "also_told", "former_police")
        assert tuple(report[name] for name in names) == theirs
    again = await client.get(path, headers=county.headers)
    assert (again.status_code, again.json()["party"]) == (200, "onlooker")
