"""A case that came to the police themselves, by a call or on patrol, has every clock (REP-20)."""

from datetime import timedelta

import pytest

from tests.access.factories import a_caller, renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, a_report, an_endpoint, filed, rows, the_offices
from tests.police_reports.test_chain import ACCEPT, AT, URL, step
from tests.police_reports.test_dispositions import FOUND
from tests.police_reports.test_fast import CASE
from tests.police_reports.test_owing import owed
from tests.unresolved.conftest import tick

CALL = {"came_by": "call", "police_reference": "110-0001", "channel": "phone"}
ELSEWHERE = 120118101000
MISSING = {**CALL, "situations": ["missing"]}


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
def duties(client, database, offices):
    """Returns how the duties of the police stand, and until when, for the county."""

    async def read(report_id, *rules, caller=offices.county):
        await run_jobs(database)
        found = {}
        for rule in rules:
            for each in await owed(client, caller, rule):
                if each["subject_id"] == report_id:
                    assert each["bearer"]["agency_id"] == str(offices.police.agency_id)
                    found[rule] = (each["state"], each["due_at"])
        return found

    return read


async def mine(client, database, caller, report_id):
    await run_jobs(database)
    found = await owed(client, caller, "REP-08", state="open")
    return [each for each in found if each["subject_id"] == report_id]


async def read(client, caller, report_id):
    return (await client.get(f"{URL}/{report_id}", headers=caller.headers)).json()


async def test_a_case_that_came_by_a_call_is_accepted_and_dealt_with_in_time(
    client, database, settings, offices, duties, now, monkeypatch
) -> None:
    """REP-20: 对涉及留守儿童的案件做到快速受理、快速查处: each case, not those alone that another
    agency reports.
    """
    body = a_report(**MISSING)
    answer = await client.post(URL, json=body, headers=offices.police.headers)
    assert (answer.status_code, answer.json()["state"]) == (201, "acknowledged")
    assert answer.json()["routing"] == "routed"
    report_id = answer.json()["id"]
    due = {
        "REP-07": ("discharged", "2026-11-20T02:30:00Z"),
        "REP-07.dispatch": ("open", "2026-11-20T03:00:00Z"),
        "REP-08": ("open", "2026-11-21T02:00:00Z"),
        "REP-20": ("open", "2026-12-20T16:00:00Z"),
    }
    for caller in (offices.police, offices.township, offices.county):
        assert await duties(report_id, *due, caller=caller) == due
    assert (await duties(report_id, "REP-14.accepted"))["REP-14.accepted"][0] == "open"
    assert await rows(database, "webhook_deliveries WHERE delivery_class = 'M'") == []
    ours, theirs = [await read(client, who, report_id) for who in (offices.police, offices.county)]
    assert (ours["party"], ours["police_reference"]) == ("police", "110-0001")
    assert (ours["came_by"], ours["reporter_agency_id"]) == ("call", str(offices.police.agency_id))
    assert (theirs["party"], theirs["police_reference"]) == ("protection", "110-0001")
    assert (theirs["came_by"], theirs["reporter_agency_id"]) == (None, None)
    assert [each["step"] for each in theirs["steps"]] == ["acknowledged"]
    slow = await filed(client, offices.police, **MISSING)
    await step(client, offices.police, report_id, "dispositions", FOUND)
    await step(client, offices.police, report_id, "investigation", {**CASE, "stage": "punished"})
    stands = await duties(report_id, "REP-08", "REP-20")
    assert [state for state, _ in stands.values()] == ["discharged"] * 2
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(days=31))
    for job in ("duties.mark_overdue", "police_reports.mark_overdue"):
        await tick(database, job)
    stands = await duties(slow, *due, caller=renewed(database, settings, offices.county))
    assert [state for state, _ in stands.values()] == ["discharged", *["overdue"] * 3]
    alarms = "events WHERE wire_name LIKE 'police_reports.%_overdue'"
    assert await rows(database, alarms) == [], "it is with them, and accepted"


@pytest.mark.parametrize("accepted", [False, "不受理"])
async def test_what_they_have_not_accepted_is_to_be_accepted_in_time(
    client, database, offices, duties, accepted
) -> None:
    """REP-20: 快速受理."""
    report_id = await filed(client, offices.police, **MISSING, accepted=accepted)
    assert await duties(report_id, "REP-07") == {"REP-07": ("open", "2026-11-20T02:30:00Z")}
    assert await duties(report_id, "REP-14.accepted") == {}
    stands = await read(client, offices.police, report_id)
    assert (stands["delivered_at"], stands["acknowledged_at"]) == ("2026-11-20T02:00:00Z", None)
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    assert (await duties(report_id, "REP-07"))["REP-07"][0] == "discharged"


async def test_it_is_theirs_where_the_place_is_else_it_goes_to_who_is_in_charge(
    client, database, settings, offices, duties
) -> None:
    """REP-20: each case has police who handle it: no duty is without its owner."""
    county, other = [await a_caller(database, settings, "police", at) for at in (COUNTY, ELSEWHERE)]
    theirs = await filed(client, county, **MISSING)
    [duty] = await mine(client, database, county, theirs)
    assert duty["bearer"]["agency_id"] == str(county.agency_id)
    report_id = await filed(client, other, **MISSING)
    assert (await duties(report_id, "REP-07"))["REP-07"][0] == "open"
    [delivery] = await rows(database, "webhook_deliveries WHERE delivery_class = 'M'")
    to = (delivery["agency_id"], str(delivery["ordering_key"]))
    assert to == (offices.police.agency_id, report_id)
    seen = await read(client, other, report_id)
    assert (seen["party"], seen["came_by"], seen["acknowledged_at"]) == ("reporter", "call", None)
    assert seen["as_sent"]["unread"] == {"police_reference": "110-0001"}
    assert seen["doubts"] == ["field_unread"]
    assert (await client.get(f"{URL}/{theirs}", headers=other.headers)).status_code == 404
    helped = {"dispatched_at": AT, "unit": "一组", "help_wanted": "请提供报警录音。"}
    await step(client, offices.police, report_id, "dispatch", helped)
    await step(client, county, theirs, "dispatch", helped)
    await run_jobs(database)
    [duty] = await owed(client, other, "REP-07.help")
    assert duty["subject_id"] == report_id
    assert await owed(client, county, "REP-07.help") == [], "nobody asks themselves"
    accused = await filed(client, offices.police, suspect_agency_id=str(offices.police.agency_id))
    assert (await client.get(f"{URL}/{accused}", headers=offices.police.headers)).status_code == 404
    assert (await read(client, county, accused))["party"] == "police"


async def test_it_is_numbered_corrected_and_passed_on_like_any_other(
    client, database, settings, offices, duties
) -> None:
    unnumbered = {**MISSING, "police_reference": None, "came_by": "patrol"}
    report_id = await filed(client, offices.police, **unnumbered)
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    stands = await read(client, offices.police, report_id)
    assert stands["police_reference"] == ACCEPT["police_reference"]
    assert stands["acknowledged_at"] == "2026-11-20T02:00:00Z", "as they filed it"
    said = a_report(**{**unnumbered, "situations": ["living_alone"]})
    answer = await step(client, offices.police, report_id, "supersession", said)
    corrected = answer.json()["id"]
    assert (await duties(report_id, "REP-08"))["REP-08"][0] == "cancelled"
    assert (await duties(corrected, "REP-08"))["REP-08"][0] == "open"
    county = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county.agency_id, COUNTY)
    passed = {"forwarded_at": AT, "police_agency_id": str(county.agency_id)}
    answer = await step(client, offices.police, corrected, "forwarding", passed)
    assert answer.status_code == 201, answer.text
    assert len(await mine(client, database, county, corrected)) == 1
    seen = await read(client, offices.police, corrected)
    assert (seen["party"], seen["state"], seen["came_by"]) == ("reporter", "filed", "patrol")
