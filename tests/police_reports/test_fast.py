"""Cases are accepted and dealt with fast (REP-20), and abandonment is dealt with (REP-22)."""

from datetime import timedelta

import pytest

from tests.access.factories import Caller, a_caller, renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, filed, the_offices
from tests.police_reports.test_chain import ACCEPT, ASSESS, AT, CLOSE, DISPATCH, URL, step
from tests.police_reports.test_dispositions import ESCORT, FOUND
from tests.police_reports.test_owing import owed
from tests.unresolved.conftest import tick

CARED_FOR = {"kind": "guardian_failure", "at": AT, "measures": ["relatives_entrusted"]}
PUNISHING = ["abandonment_admonished", "abandonment_punished", "abandonment_prosecuted"]
DUE = {
    "REP-07": "2026-11-20T02:30:00Z",
    "REP-07.dispatch": "2026-11-20T03:00:00Z",
    "REP-08": "2026-11-21T02:00:00Z",
}
"""Of a report filed at 02:00 on the 20th."""


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def test_how_fast_a_case_was_accepted_and_dealt_with_is_said_and_owed(
    client, database, settings, offices, now, monkeypatch
) -> None:
    """REP-20: 对涉及留守儿童的案件做到快速受理、快速查处; who is slow is late, and counted so."""
    fast, slow = [await filed(client, offices.school, situations=["missing"]) for _ in range(2)]
    await run_jobs(database)
    for rule, due in DUE.items():
        assert [each["due_at"] for each in await owed(client, offices.police, rule)] == [due] * 2

    def at_this_time(caller: Caller) -> Caller:
        return renewed(database, settings, caller)

    async def deal_with(report_id: str) -> list[str]:
        police, county = at_this_time(offices.police), at_this_time(offices.county)
        accepted = {"police_reference": report_id, "accepted_at": database.clock().isoformat()}
        for path, body in (("acknowledgement", accepted), ("dispositions", FOUND)):
            answer = await step(client, police, report_id, path, body)
            assert answer.status_code == 201, answer.text
        await run_jobs(database)
        read = (await client.get(f"{URL}/{report_id}", headers=county.headers)).json()
        return [read[f"{name}_at"] for name in ("filed", "acknowledged", "handled")]

    filed_at, later = "2026-11-20T02:00:00Z", "2026-11-21T03:00:00Z"
    assert await deal_with(fast) == [filed_at] * 3
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(hours=25))
    await tick(database, "duties.mark_overdue")
    county = at_this_time(offices.county)
    for rule in ("REP-07", "REP-08"):
        found = await owed(client, county, rule)
        stand = {each["subject_id"]: each["state"] for each in found}
        assert stand == {fast: "discharged", slow: "overdue"}
    assert await deal_with(slow) == [filed_at, later, later]
    counted = (await client.get("/v1/duties/summary", headers=county.headers)).json()["rules"]
    late = {each["rule"]: each["discharged_late"] for each in counted}
    assert (late["REP-07"], late["REP-08"]) == (1, 1)


CASE = {"at": AT, "stage": "filed", "paper_number": "立〔2026〕1号", "day": "2026-11-20"}


async def test_what_came_of_the_case_is_owed_until_it_is_said(
    client, database, settings, offices, now, monkeypatch
) -> None:
    """REP-20: 快速查處: not only the child is cared for, the case is investigated and decided."""
    report_id = await filed(client, offices.school, situations=["missing"])

    async def say(caller=offices.police, expected=201, **fields):
        answer = await step(client, caller, report_id, "investigation", {**CASE, **fields})
        assert answer.status_code == expected, answer.text
        await run_jobs(database)
        return answer.json()

    async def duty(caller=offices.county):
        await run_jobs(database)
        return [(each["state"], each["due_at"]) for each in await owed(client, caller, "REP-20")]

    due = "2026-12-20T16:00:00Z"
    await step(client, offices.police, report_id, "dispositions", FOUND)
    for caller in (offices.police, offices.township, offices.county):
        assert await duty(caller) == [("open", due)]
    for missing in ({"day": None}, {"paper_number": None}, {"stage": "not_filed"}):
        refused = await say(**missing, expected=422)
        assert refused["errors"][0]["code"] == "investigation_unclear"
    other = await a_caller(database, settings, "police", COUNTY)
    await say(caller=other, expected=404)
    await say()
    assert await duty() == [("open", due)]
    for body in (ASSESS, CLOSE):
        path = "closure" if body is CLOSE else "assessment"
        assert (await step(client, offices.township, report_id, path, body)).status_code == 201
    assert await duty() == [("open", due)], "that the child is safe ends no case"
    why = {"explanation": "移送检察院审查起诉。"}
    await say(stage="passed_on", **why)
    assert await duty() == [("discharged", due)]
    read = (await client.get(f"{URL}/{report_id}", headers=offices.county.headers)).json()
    assert read["state"] == "closed"
    told = [each["details"] for each in read["steps"] if each["step"] == "investigated"]
    said = {"paper_number": CASE["paper_number"], "day": CASE["day"]}
    assert [{**each, **said} for each in told] == told
    assert [(each["stage"], each["explanation"]) for each in told] == [
        ("filed", None),
        ("passed_on", why["explanation"]),
    ]
    await say(paper_number="立〔2026〕2号")
    assert await duty() == [("open", due)], "it goes on after all"
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(days=31))
    await tick(database, "duties.mark_overdue")
    assert await duty(renewed(database, settings, offices.county)) == [("overdue", due)]


@pytest.mark.parametrize("stage", ["not_filed", "punished", "not_punished", "ended"])
async def test_that_there_is_no_case_or_a_decision_ends_it_as_well(
    client, database, offices, stage
) -> None:
    report_id = await filed(client, offices.school, situations=["living_alone"])
    body = {**CASE, "stage": stage, "explanation": "见决定书。"}
    answer = await step(client, offices.police, report_id, "investigation", body)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    [duty] = await owed(client, offices.county, "REP-20")
    assert duty["state"] == "discharged"


@pytest.mark.parametrize(("path", "body"), [("acknowledgement", ACCEPT), ("dispositions", None)])
async def test_abandonment_that_the_police_find_is_dealt_with_as_well(
    client, database, offices, path, body
) -> None:
    """REP-22: 遗弃留守儿童的不法行为, whoever says that a child was abandoned."""
    report_id = await filed(client, offices.school, situations=["guardian_failure"])

    async def read():
        await run_jobs(database)
        [duty] = await owed(client, offices.county, "REP-08")
        shown = (await client.get(f"{URL}/{report_id}", headers=offices.county.headers)).json()
        return duty["state"], shown["unanswered"]

    await step(client, offices.police, report_id, "dispositions", CARED_FOR)
    assert await read() == ("discharged", [])
    found = {**(body or CARED_FOR), "situations": ["abandoned"]}
    answer = await step(client, offices.police, report_id, path, found)
    assert answer.status_code == 201, answer.text
    assert await read() == ("open", ["abandoned", "guardian_failure"])
    punished = {**CARED_FOR, "measures": ["abandonment_punished"]}
    await step(client, offices.police, report_id, "dispositions", punished)
    assert await read() == ("discharged", [])


async def test_abandonment_is_dealt_with_beside_the_child(client, database, offices) -> None:
    """REP-22: 及时受理并出警处置父母或其他监护人遗弃留守儿童的不法行为."""
    report_id = await filed(client, offices.school, situations=["abandoned"])
    await run_jobs(database)
    for rule, due in DUE.items():
        [duty] = await owed(client, offices.county, rule)
        assert (duty["state"], duty["due_at"]) == ("open", due)
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    await step(client, offices.police, report_id, "dispatch", DISPATCH)
    for kinds, body in enumerate((CARED_FOR, ESCORT), start=1):
        answer = await step(client, offices.police, report_id, "dispositions", body)
        undone = [each["one_of"] for each in answer.json()["undone"]]
        assert (answer.status_code, undone) == (201, [PUNISHING] * kinds)
    await run_jobs(database)
    [duty] = await owed(client, offices.county, "REP-08")
    assert duty["state"] == "open"
    punished = {**CARED_FOR, "measures": ["relatives_entrusted", "abandonment_punished"]}
    answer = await step(client, offices.police, report_id, "dispositions", punished)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    for rule in DUE:
        [duty] = await owed(client, offices.county, rule)
        assert duty["state"] == "discharged"
    read = (await client.get(f"{URL}/{report_id}", headers=offices.county.headers)).json()
    unsaid = {each["measure"]: each["fields"] for each in read["unsaid"]}
    assert unsaid["abandonment_punished"] == ["paper_number", "day"]
    other = await filed(client, offices.school, situations=["guardian_failure"])
    answer = await step(client, offices.police, other, "dispositions", CARED_FOR)
    assert answer.status_code == 201, "who was not abandoned has no such act to deal with"
