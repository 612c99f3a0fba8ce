"""What is owed when two people end a case, when the police tell the township, and when those told
assess the child (REP-14, REP-15).
"""

from datetime import timedelta

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.duties.factories import mark_overdue
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    an_endpoint,
    delivered,
    filed,
    the_offices,
)
from tests.police_reports.test_chain import (
    ACCEPT,
    ASSESS,
    AT,
    DISPATCH,
    DISPOSE,
    NOTICE,
    URL,
    step,
)
from tests.police_reports.test_dispositions import VIOLENCE
from tests.police_reports.test_owing import owed, states
from tests.unresolved.conftest import tick


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def child(database):
    return await a_child(database, VILLAGE)


async def closed_by_two(client, database, settings, offices, report_id) -> None:
    end = {"closed_at": AT, "reason": "unfounded", "explanation": "两次上门均未见异常。"}
    await step(client, offices.township, report_id, "closure", end)
    second = await a_caller(
        database, settings, "township_supervisor", TOWNSHIP, agency_id=offices.township.agency_id
    )
    answer = await step(client, second, report_id, "closure/confirmation", {"confirmed_at": AT})
    assert answer.status_code == 201, answer.text
    await run_jobs(database)


async def test_what_two_people_end_is_owed_no_more_until_it_is_opened_again(
    client, database, settings, offices, monkeypatch
) -> None:
    report_id = await filed(client, offices.school)
    await step(client, offices.police, report_id, "township-notice", NOTICE)
    rules = ("REP-07.dispatch", "REP-08", "REP-15")
    await run_jobs(database)
    await closed_by_two(client, database, settings, offices, report_id)
    for rule in rules:
        assert await states(client, offices.county, rule) == ["cancelled"]
    later = database.clock() + timedelta(minutes=1)
    monkeypatch.setattr(database, "clock", lambda: later)
    await step(client, offices.police, report_id, "dispatch", DISPATCH)
    await run_jobs(database)
    stand = [(await states(client, offices.county, rule))[0] for rule in rules]
    assert stand == ["discharged", "open", "open"]


async def test_the_police_tell_the_township_that_they_accepted_and_what_they_did(
    client, database, offices
) -> None:
    """REP-14: 公安机关要将受理报告及应急处置等相关情况及时通报乡镇人民政府."""
    report_id = await filed(client, offices.school)
    await run_jobs(database)
    assert await owed(client, offices.police, "REP-14.accepted") == []
    done, later = "2026-11-20T09:57:00+08:00", "2026-11-20T09:58:00+08:00"
    told = {**NOTICE, "sent_at": "2026-11-20T09:56:00+08:00"}
    for path, body, after in (
        ("acknowledgement", ACCEPT, ["open"]),
        ("dispatch", DISPATCH, ["open"]),
        ("township-notice", told, ["discharged"]),
        ("dispositions", {**DISPOSE, "at": done}, ["discharged", "open"]),
        ("township-notice", {**told, "content": "早先的通报"}, ["discharged", "open"]),
        ("township-notice", {**told, "sent_at": done}, ["discharged", "discharged"]),
        ("dispositions", {**DISPOSE, "details": "补记"}, ["discharged", "discharged"]),
        ("dispositions", {**DISPOSE, "at": later}, ["discharged", "open"]),
    ):
        assert (await step(client, offices.police, report_id, path, body)).status_code == 201
        await run_jobs(database)
        of_both = [
            duty
            for rule in ("REP-14.accepted", "REP-14")
            for duty in await owed(client, offices.township, rule)
        ]
        assert [duty["state"] for duty in of_both] == after, body
        assert {duty["due_at"] for duty in of_both} == {"2026-11-21T02:00:00Z"}
        assert {duty["bearer"]["agency_id"] for duty in of_both} == {str(offices.police.agency_id)}


async def test_told_before_it_is_recorded_it_is_told_and_not_anew_for_what_former_police_did(
    client, database, settings, offices
) -> None:
    county = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county.agency_id, COUNTY)
    report_id = await filed(client, offices.school)
    passed = {"forwarded_at": AT, "police_agency_id": str(county.agency_id)}
    minutes = [f"2026-11-20T09:{minute}:00+08:00" for minute in (56, 57, 58)]
    for caller, path, body in (
        (offices.police, "forwarding", passed),
        (county, "acknowledgement", ACCEPT),
        (county, "township-notice", {**NOTICE, "sent_at": minutes[1]}),
        (county, "dispositions", {**DISPOSE, "at": minutes[0]}),
        (offices.police, "dispositions", {**DISPOSE, "at": minutes[2]}),
        (county, "dispositions", {**DISPOSE, "at": minutes[0], "details": "补记"}),
    ):
        assert (await step(client, caller, report_id, path, body)).status_code == 201
        await run_jobs(database)
        after = ["discharged"] if path == "dispositions" else []
        assert await states(client, county, "REP-14") == after


async def test_of_a_report_that_was_replaced_nobody_owes_more(client, database, offices) -> None:
    report_id = await filed(client, offices.school)
    for path, body in (("dispositions", DISPOSE), ("township-notice", NOTICE)):
        await step(client, offices.police, report_id, path, body)
    await run_jobs(database)
    assert await states(client, offices.township, "REP-15") == ["open"]
    newest = await step(client, offices.school, report_id, "supersession", a_report())
    await delivered(database, newest.json()["id"], to=offices.police.agency_id)
    await run_jobs(database)
    assert await states(client, offices.township, "REP-15") == ["cancelled"]
    later = {**DISPOSE, "at": "2026-11-20T09:59:00+08:00"}
    assert (await step(client, offices.police, report_id, "dispositions", later)).is_success
    await run_jobs(database)
    assert await states(client, offices.township, "REP-14") == ["discharged"]


async def test_whom_the_police_told_owes_the_assessment(
    client, database, settings, offices, monkeypatch
) -> None:
    """REP-15: 对…安全处境、监护情况、身心健康状况等进行调查评估; `report.assess_within_days`."""
    report_id = await filed(client, offices.school)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await run_jobs(database)
    assert await owed(client, offices.township, "REP-15") == []
    await step(client, offices.police, report_id, "township-notice", NOTICE)
    await run_jobs(database)
    for caller in (offices.township, offices.county):
        [duty] = await owed(client, caller, "REP-15")
        assert (duty["bearer"]["agency_id"], duty["due_at"]) == (
            str(offices.township.agency_id),
            "2026-11-27T16:00:00Z",
        )
    assert await owed(client, offices.village, "REP-15") == []
    await step(client, offices.township, report_id, "township-notice/receipt", {"received_at": AT})
    late = database.clock() + timedelta(days=8)
    monkeypatch.setattr(database, "clock", lambda: late)
    async with database.begin(SYSTEM) as tx:
        await mark_overdue(tx)
    again = {"agency_id": offices.township.agency_id}
    township = await a_caller(database, settings, "township_supervisor", TOWNSHIP, **again)
    assert await states(client, township, "REP-15") == ["overdue"]
    other = await a_caller(database, settings, "township_supervisor", TOWNSHIP + 1000)
    assert (await step(client, other, report_id, "assessment", ASSESS)).status_code == 404
    for took_part in (  # 会同民政、公安等部门, 在…学校…亲属…协助下
        [],
        ["police", "school"],
        ["civil_affairs", "relatives"],
        ["civil_affairs", "police"],
    ):
        alone = {**ASSESS, "participants": took_part}
        assert (await step(client, township, report_id, "assessment", alone)).status_code == 201
        await run_jobs(database)
        assert await states(client, township, "REP-15") == ["overdue"], took_part
    await step(client, township, report_id, "assessment", ASSESS)
    await run_jobs(database)
    [duty] = await owed(client, township, "REP-15")
    assert (duty["state"], duty["overdue_at"] is None) == ("discharged", False)


async def test_whether_a_case_is_over_is_the_word_of_who_takes_charge_of_it(
    client, database, settings, offices
) -> None:
    """REP-20: not of others who were told; and that somebody else is accused changes nothing."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE webhook_endpoints SET active = false")
    above = await a_caller(database, settings, "police", COUNTY)
    report_id = await filed(client, offices.school, suspect_agency_id="某村委会主任")
    over = {"at": AT, "stage": "passed_on", "explanation": "移送检察院。"}
    goes_on = {"at": AT, "stage": "filed", "paper_number": "立〔2026〕1号", "day": "2026-11-20"}
    named = {"named_at": AT, "basis": "查证。", "suspect_agency_id": str(offices.village.agency_id)}
    for caller, path, body, state in (
        (above, "investigation", over, "discharged"),
        (offices.police, "investigation", goes_on, "open"),
        (above, "acknowledgement", ACCEPT, "discharged"),
        (offices.county, "suspect", named, "discharged"),
    ):
        answer = await step(client, caller, report_id, path, body)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        assert await states(client, offices.county, "REP-20") == [state], path


@pytest.mark.parametrize("why", ["passed on", "accused"])
async def test_who_gets_a_case_owes_what_others_said_was_over(
    client, database, settings, offices, why
) -> None:
    """REP-20: 快速查处: by the police in charge, not by the word of those who gave the case away or
    whom the report speaks against; and what turns out to be undone these do not owe any more.
    """
    above = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, above.agency_id, COUNTY)
    report_id = await filed(
        client,
        offices.school,
        situations=["domestic_violence"],
        suspect_agency_id=None if why == "passed on" else "某村委会主任",
    )

    async def takes(caller, path, body) -> None:
        answer = await step(client, caller, report_id, path, body)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)

    async def duty(rule):
        [found] = await owed(client, offices.county, rule)
        return found["state"], found["bearer"]["agency_id"]

    over = {"at": AT, "stage": "passed_on", "explanation": "移送县公安局。"}
    steps = (("acknowledgement", ACCEPT), ("dispositions", VIOLENCE), ("investigation", over))
    for path, body in steps:
        await takes(offices.police, path, body)
    before, now = str(offices.police.agency_id), str(above.agency_id)
    for rule in ("REP-08", "REP-20"):
        assert await duty(rule) == ("discharged", before)
    if why == "passed on":
        to = {"forwarded_at": AT, "police_agency_id": now}
        await takes(offices.police, "forwarding", to)
        await takes(above, "acknowledgement", ACCEPT)
        read = await client.get(f"{URL}/{report_id}", headers=above.headers)
        of = {"disposition_id": read.json()["omission_step_id"]}
        no = {"judged_at": AT, "confirmed": False, "explanation": "应就医。", **of}
        await takes(above, "omissions/judgement", no)
    else:
        who = {"named_at": AT, "suspect_agency_id": before, "basis": "查证。"}
        await takes(offices.county, "suspect", who)
        await tick(database, "police_reports.route_waiting")
        await takes(above, "acknowledgement", ACCEPT)
    for rule in ("REP-08", "REP-20"):
        assert await duty(rule) == ("open", now)
    await takes(above, "investigation", {**over, "stage": "not_filed"})
    assert await duty("REP-20") == ("discharged", now)
