"""What the offices of where a child lived before it moved still read and do."""

from datetime import timedelta

import orjson

from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, a_report, an_endpoint, rows
from tests.police_reports.test_chain import ASSESS, AT, CLOSE, DISPOSE, URL, step
from tests.police_reports.test_parties import (
    HOME,
    NEXT_VILLAGE,
    child,
    home,
    listed,
    move,
    next_home,
    of_child,
    offices,
    told,
)

__all__ = ["child", "home", "next_home", "offices"]


async def test_where_a_child_lived_before_it_does_not_end_the_case(
    client, database, settings, offices, home, next_home, child
) -> None:
    report_id = await of_child(client, offices, child)
    await move(client, database, settings, child, NEXT_VILLAGE)
    body = {**CLOSE, "reason": "unfounded", "explanation": "查无此事。"}
    for path in ("closure", "closure/confirmation"):
        answer = await step(
            client, home, report_id, path, body if path == "closure" else {"confirmed_at": AT}
        )
        assert answer.json()["type"] == "/problems/not-your-part"
    read = await client.get(f"{URL}/{report_id}", headers=home.headers)
    assert not {"closeReport", "confirmClosure"} & {*read.json()["permitted"]}
    assert await listed(client, home, "permitted=closeReport") == []
    assert await listed(client, next_home, "permitted=closeReport") == [report_id]
    assert (await step(client, next_home, report_id, "closure", body)).status_code == 201


async def test_a_correction_leaves_a_former_home_its_part(
    client, database, settings, offices, home, next_home, child
) -> None:
    report_id = await of_child(client, offices, child)
    await move(client, database, settings, child, NEXT_VILLAGE)
    body = {**a_report(child_id=str(child.id)), "narrative": "更正:是昨天的事。"}
    corrected = await step(client, offices.school, report_id, "supersession", body)
    for caller in (home, next_home):
        assert {*await listed(client, caller)} == {report_id, corrected.json()["id"]}


async def test_a_former_home_hears_that_something_happens_and_not_what_unless_it_is_accused(
    client, database, settings, offices, home, next_home, child
) -> None:
    await an_endpoint(database, home.agency_id, HOME, relation="region")
    ones = [await of_child(client, offices, child) for _ in range(2)]
    await move(client, database, settings, child, NEXT_VILLAGE)
    accused = a_report(child_id=str(child.id), suspect_agency_id=str(home.agency_id))
    against = await step(client, offices.school, ones[1], "supersession", accused)
    for report_id in (ones[0], against.json()["id"]):
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await run_jobs(database)
    heard = [
        orjson.loads(row["body"])["data"]
        for row in await rows(database, "webhook_deliveries")
        if row["agency_id"] == home.agency_id
        and row["wire_name"] == "police_reports.report_disposed"
    ]
    assert [said["subject_id"] for said in heard] == [ones[0]]
    ids = {"subject_id", "region_code", "home_county", "police_agency_id", "event_id", "sequence"}
    assert heard[0].keys() == ids


async def test_civil_affairs_of_a_former_home_hear_what_is_done(
    client, database, settings, offices, child
) -> None:
    """Also in another county: they oversee the office that knows the family."""
    former = await a_caller(database, settings, "civil_affairs", HOME - HOME % 1_000_000)
    report_id = await of_child(client, offices, child)
    await move(client, database, settings, child, VILLAGE, by=120000000000)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    assert former.agency_id in await told(database, "report_disposed")


async def test_a_former_home_reads_what_was_there_up_to_the_move_and_its_own(
    client, database, settings, offices, home, next_home, child, monkeypatch
) -> None:
    report_id = await of_child(client, offices, child)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await move(client, database, settings, child, NEXT_VILLAGE)
    later = database.clock() + timedelta(minutes=2)
    monkeypatch.setattr(database, "clock", lambda: later)
    await step(client, next_home, report_id, "assessment", {**ASSESS, "summary": "新家的事。"})
    seen = {}
    for who in (home, next_home, offices.township):
        for path in ("", "/chain"):
            read = await client.get(f"{URL}/{report_id}{path}", headers=who.headers)
            seen[who.agency_id, path] = {each["step"] for each in read.json()["steps"]}
    for path in ("", "/chain"):
        assert seen[home.agency_id, path] == {"disposed"}
        assert seen[next_home.agency_id, path] == {"disposed", "assessed"}
        assert seen[offices.township.agency_id, path] == {"disposed", "assessed"}
