"""Who had a report may tell late what it did, which changes nothing (ADR 24): nobody owes or is
spared anything by it.
"""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.duties.factories import mark_overdue
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    a_report,
    an_endpoint,
    delivered,
    filed,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, AT, DISPATCH, DISPOSE, step
from tests.police_reports.test_charge import owing
from tests.police_reports.test_dispositions import ESCORT, PAPER
from tests.police_reports.test_parties import told
from tests.police_reports.test_sightings import (  # noqa: F401
    AFTER,
    PLACED,
    around,
    of_school,
    pupil,
    shelter,
    there,
)
from tests.regions.factories import some_regions

# ruff: noqa: F811

FAR = 120117101000
LATE = [("acknowledgement", ACCEPT), ("dispatch", DISPATCH), ("dispositions", DISPOSE)]


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def in_charge(client, database, settings, offices):
    """Police of another county with an endpoint."""
    await some_regions(database, 120117000000, FAR)
    police = await a_caller(database, settings, "police", FAR)
    await an_endpoint(database, police.agency_id, FAR)
    return police


async def passed_on(client, offices, in_charge) -> str:
    report_id = await filed(client, offices.school)
    body = {"forwarded_at": AT, "police_agency_id": str(in_charge.agency_id)}
    assert (await step(client, offices.police, report_id, "forwarding", body)).status_code == 201
    return report_id


async def carried_away(client, offices, in_charge) -> str:
    first = await filed(client, offices.school)
    body = a_report(region_code=str(FAR), narrative="地点更正。")
    answer = await step(client, offices.school, first, "supersession", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def told_late(client, database, offices, in_charge, report_id: str) -> None:
    await delivered(database, report_id, to=in_charge.agency_id)
    await run_jobs(database)
    for path, body in LATE:
        answer = await step(client, offices.police, report_id, path, body)
        assert (answer.status_code, answer.json()["state"]) == (201, "delivered"), answer.text
    await run_jobs(database)


@pytest.mark.parametrize("way", [passed_on, carried_away])
async def test_late_word_of_who_had_it_discharges_no_duty_and_opens_none(
    client, database, offices, in_charge, way, monkeypatch
) -> None:
    """REP-07 is owed by the police in charge until they accept it; nobody owes REP-14 yet."""
    report_id = await way(client, offices, in_charge)
    await told_late(client, database, offices, in_charge, report_id)
    assert await owing(client, in_charge) == [("REP-07", "open")]
    later = database.clock() + timedelta(hours=3)
    with monkeypatch.context() as patched:
        patched.setattr(database, "clock", lambda: later)
        async with database.begin(SYSTEM) as tx:
            await mark_overdue(tx)
    late = [row for row in await rows(database, "duties") if row["state"] == "overdue"]
    assert report_id in {str(row["subject_id"]) for row in late}
    assert (await step(client, in_charge, report_id, "acknowledgement", ACCEPT)).is_success
    await run_jobs(database)
    assert await owing(client, in_charge) == [("REP-07", "discharged")]


async def test_the_parties_hear_that_it_was_told_late_and_nothing_else(
    client, database, offices, in_charge
) -> None:
    report_id = await passed_on(client, offices, in_charge)
    await told_late(client, database, offices, in_charge, report_id)
    assert in_charge.agency_id in await told(database, "told_late")
    heard = [row for row in await rows(database, "events") if str(row["subject_id"]) == report_id]
    said = [row["data"]["step"] for row in heard if row["wire_name"].endswith(".told_late")]
    assert sorted(said) == ["acknowledged", "dispatched", "disposed"]
    for each in ("report_acknowledged", "report_dispatched", "report_disposed"):
        assert f"police_reports.{each}" not in {row["wire_name"] for row in heard}
    await _reads_all_of_it(client, offices.county, report_id)


async def _reads_all_of_it(client, caller, report_id: str) -> None:
    answer = await client.get(f"/v1/police-reports/{report_id}", headers=caller.headers)
    steps = [each["step"] for each in answer.json()["steps"]]
    assert {"acknowledged", "dispatched", "disposed"} < {*steps}


async def test_a_schools_word_is_held_against_where_they_say_late_that_they_took_the_child(
    around, offices, in_charge, pupil, shelter
) -> None:
    said = {"child_id": str(pupil.id), "situations": ["guardian_failure"]}
    report_id = await filed(around.client, offices.village, **said)
    body = {"forwarded_at": AT, "police_agency_id": str(in_charge.agency_id)}
    await step(around.client, offices.police, report_id, "forwarding", body)
    await run_jobs(around.database)
    deed = {key: value for key, value in ESCORT.items() if key != "placed_with_name"}
    paper = {**PAPER, "handed_over_on": PLACED}
    deed |= {"placed_with_agency_id": str(shelter), "hand_over": paper}
    answer = await step(around.client, offices.police, report_id, "dispositions", deed)
    assert answer.status_code == 201, answer.text
    await there(around, pupil, AFTER)
    assert await of_school(around) == [(AFTER, str(shelter))]
