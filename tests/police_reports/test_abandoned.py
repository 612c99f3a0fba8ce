"""Abandonment is dealt with as such, whoever finds it first (REP-22)."""

import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, VILLAGE, a_report, filed, rows, the_offices
from tests.police_reports.test_chain import ACCEPT, URL, step
from tests.police_reports.test_fast import CARED_FOR, PUNISHING
from tests.police_reports.test_owing import states
from tests.visits.factories import a_visit, something_wrong


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def _write(client, offices, finder, child_id):
    headers = {**finder.headers, "if-match": '"1"'}
    harm = {"guardianship": {"harm": ["abandonment"]}}
    return await client.patch(f"/v1/children/{child_id}", json=harm, headers=headers)


async def _visit(client, offices, finder, child_id):
    body = a_visit(child_id, findings=[something_wrong(type="abandoned", refer_to=[])])
    return await client.post("/v1/visits", json=body, headers=finder.headers)


async def _answer(client, offices, finder, child_id):
    asked = {"to_agency_id": str(finder.agency_id), "needs": ["ill"]}
    path, headers = f"/v1/children/{child_id}/referrals", offices.county.headers
    referral = (await client.post(path, json=asked, headers=headers)).json()
    headers = {**finder.headers, "if-match": '"1"'}
    url, body = f"/v1/referrals/{referral['id']}/answer", {"answer": "accepted"}
    return await client.post(url, json={**body, "found": ["abandoned"]}, headers=headers)


@pytest.mark.parametrize("find", [_write, _visit, _answer], ids=["file", "visit", "referral"])
async def test_what_a_file_a_visit_or_an_answer_tells_of_is_reported_and_dealt_with(
    client, database, settings, offices, find
) -> None:
    """REP-22: 及时受理并出警处置父母或其他监护人遗弃留守儿童的不法行为: its finder reports it as
    what it is, and the police deal with the act, not with the child alone.
    """
    hospital = find is _answer
    finder = await a_caller(database, settings, "hospital", COUNTY) if hospital else offices.village
    file = await client.post("/v1/children", json=a_file(VILLAGE), headers=offices.village.headers)
    child_id = file.json()["id"]
    told = await find(client, offices, finder, child_id)
    assert told.is_success, told.text

    async def reported():
        await run_jobs(database)
        return await states(client, finder, "REP-01")

    assert await reported() == ["open"]
    [owed] = await rows(database, "events WHERE wire_name = 'police_reports.report_owed'")
    assert owed["data"]["found"] == ["abandoned"]
    said = {"child_id": child_id, "situations": ["guardian_failure"]}
    report_id = await filed(client, finder, **said)
    assert await reported() == ["open"], "that a guardian failed is not the act"
    said = a_report(**{**said, "situations": ["abandoned"]})
    answer = await step(client, finder, report_id, "supersession", said)
    report_id = answer.json()["id"]
    assert await reported() == ["discharged"]
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)

    async def dispose(*measures):
        body = {**CARED_FOR, "measures": measures}
        done = (await step(client, offices.police, report_id, "dispositions", body)).json()
        await run_jobs(database)
        read = (await client.get(f"{URL}/{report_id}", headers=offices.police.headers)).json()
        return [each["one_of"] for each in done["undone"]], read["unanswered"]

    assert await dispose("relatives_entrusted") == ([PUNISHING], ["abandoned", "guardian_failure"])
    assert "open" in await states(client, offices.police, "REP-08")
    assert await dispose("abandonment_punished") == ([], [])
    assert "open" not in await states(client, offices.police, "REP-08")
