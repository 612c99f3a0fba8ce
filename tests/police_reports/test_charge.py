"""Of several police who were told, accepting, going out or taking measures takes charge and nothing
else; whoever had a report keeps seeing how it stands, and may still tell what they did.
"""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    a_report,
    an_endpoint,
    delivered,
    filed,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, AT, DISPATCH, DISPOSE, NOTICE, step
from tests.police_reports.test_parties import told
from tests.police_reports.test_taken_back import read

DESCRIBE = {"identified_at": AT, "basis": "群众辨认。", "resident_id": "12000020160301001X"}


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def province(database, settings, offices):
    return await a_caller(database, settings, "police", 120000000000)


@pytest.fixture
async def untaken(client, database, offices, province) -> str:
    """A report that no endpoint takes: the station and the province are told."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
    return await filed(client, offices.school)


async def owing(client, caller) -> list[tuple[str, str]]:
    """What somebody owes when they are told and when they acted; the rest is in `test_owing`."""
    answer = await client.get("/v1/duties", headers=caller.headers)
    owed = [(duty["rule"], duty["state"]) for duty in answer.json()["items"]]
    return [each for each in owed if each[0] in {"REP-07", "REP-14"}]


@pytest.mark.parametrize("act", ["join", "describe", "notify"])
async def test_another_act_takes_the_report_from_nobody(
    client, offices, province, untaken, act
) -> None:
    second = await filed(client, offices.school, narrative="二")
    path, body = {
        "join": ("incident", {"joined_at": AT, "report_id": second}),
        "describe": ("child", DESCRIBE),
        "notify": ("township-notice", NOTICE),
    }[act]
    assert (await step(client, province, untaken, path, body)).status_code == 201
    for report_id in (untaken, second):
        for caller in (offices.police, province):
            seen = await read(client, caller, report_id)
            assert (seen["party"], seen["narrative"] is None) == ("police", False)
        assert seen["police_agency_id"] == str(offices.police.agency_id)
    assert (await step(client, offices.police, untaken, "acknowledgement", ACCEPT)).is_success


@pytest.mark.parametrize(
    ("path", "body"),
    [("acknowledgement", ACCEPT), ("dispatch", DISPATCH), ("dispositions", DISPOSE)],
)
async def test_who_takes_charge_takes_the_duty_and_the_alarm_and_the_other_keeps_seeing_it(
    client, database, offices, province, untaken, path, body, monkeypatch
) -> None:
    await run_jobs(database)
    assert await owing(client, offices.police) == [("REP-07", "open")]
    assert (await step(client, province, untaken, path, body)).status_code == 201
    await run_jobs(database)
    assert "REP-07" not in [rule for rule, _ in await owing(client, offices.police)]
    accepted = "discharged" if path == "acknowledgement" else "open"
    assert ("REP-07", accepted) in await owing(client, province)
    assert (await read(client, province, untaken))["party"] == "police"
    seen = await read(client, offices.police, untaken)
    assert (seen["party"], seen["narrative"]) == ("onlooker", None)
    if path != "acknowledgement":
        later = database.clock() + timedelta(hours=1)
        monkeypatch.setattr(database, "clock", lambda: later)
        async with database.begin(SYSTEM) as tx:
            await queue.REGISTRY["police_reports.mark_overdue"].handler(tx, {})
        alarmed = await told(database, "acknowledgement_overdue")
        assert {province.agency_id, offices.police.agency_id} & alarmed == {province.agency_id}


async def test_passed_on_to_police_that_take_it_no_other_has_a_part_beside_them(
    client, database, settings, offices, province, untaken
) -> None:
    county = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county.agency_id, COUNTY)
    assert (await read(client, province, untaken))["party"] == "police"
    body = {"forwarded_at": AT, "police_agency_id": str(county.agency_id)}
    assert (await step(client, offices.police, untaken, "forwarding", body)).status_code == 201
    seen = await read(client, province, untaken)
    assert (seen["party"], seen["narrative"]) == ("onlooker", None)


async def test_who_passed_it_on_tells_late_what_it_did_and_keeps_seeing_it(
    client, database, settings, offices, province
) -> None:
    county = await a_caller(database, settings, "police", COUNTY)
    for police, region in ((county, COUNTY), (province, 120000000000)):
        await an_endpoint(database, police.agency_id, region)
    report_id = await filed(client, offices.school)
    for sender, receiver in ((offices.police, county), (county, province)):
        body = {"forwarded_at": AT, "police_agency_id": str(receiver.agency_id)}
        assert (await step(client, sender, report_id, "forwarding", body)).status_code == 201
    for path, body in (
        ("dispatch", {**DISPATCH, "id": str(uuid4())}),
        ("dispositions", {**DISPOSE, "id": str(uuid4())}),
        ("acknowledgement", ACCEPT),
    ):
        for again in (201, 200):
            answer = await step(client, offices.police, report_id, path, body)
            assert (answer.status_code, answer.json()["state"]) == (again, "filed"), answer.text
    seen = await read(client, offices.police, report_id)
    assert (seen["party"], seen["narrative"]) == ("onlooker", None)
    seen = await read(client, province, report_id)
    steps = [each["step"] for each in seen["steps"]]
    assert {"dispatched", "disposed", "acknowledged"} < {*steps}
    assert (seen["handled_at"], seen["acknowledged_at"]) == (None, None)
    assert seen["unanswered"] == ["living_alone"]
    [report] = await rows(database, "police_reports")
    assert report["police_agency_id"] == province.agency_id
    for path, body in (
        ("township-notice", NOTICE),
        ("incident", {"joined_at": AT, "report_id": report_id}),
        ("investigation", {"at": AT, "stage": "not_filed", "explanation": "合成记录"}),
        (
            "omissions/judgement",
            {
                "judged_at": AT,
                "disposition_id": report_id,
                "confirmed": True,
                "explanation": "合成记录",
            },
        ),
    ):
        refused = await step(client, offices.police, report_id, path, body)
        assert refused.json()["type"] == "/problems/not-your-part"


@pytest.mark.parametrize("accepted", [False, True])
async def test_duty_and_alarm_of_a_corrected_report_pass_on_with_its_charge(
    client, database, settings, offices, monkeypatch, accepted
) -> None:
    """The correction has reached the police who pass the earlier report on, not the others."""
    county = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county.agency_id, COUNTY)
    first = await filed(client, offices.school)
    if accepted:
        assert (await step(client, offices.police, first, "acknowledgement", ACCEPT)).is_success
    await run_jobs(database)
    answer = await step(client, offices.school, first, "supersession", a_report(narrative="更正。"))
    await delivered(database, answer.json()["id"])
    await run_jobs(database)
    later = database.clock() + timedelta(minutes=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    body = {"forwarded_at": AT, "police_agency_id": str(county.agency_id)}
    assert (await step(client, offices.police, first, "forwarding", body)).status_code == 201
    await run_jobs(database)
    assert await owing(client, county) == [("REP-07", "open")]
    much_later = database.clock() + timedelta(hours=1)
    monkeypatch.setattr(database, "clock", lambda: much_later)
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.mark_overdue"].handler(tx, {})
    for alarm in ("acknowledgement_overdue", "delivery_overdue"):
        sounded = [
            row for row in await rows(database, "events") if row["wire_name"].endswith(alarm)
        ]
        [told_to] = [row["told_to"] for row in sounded if str(row["subject_id"]) == first]
        assert str(county.agency_id) in told_to
