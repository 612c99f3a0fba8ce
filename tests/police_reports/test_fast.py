"""Cases are accepted and dealt with fast (REP-20), and abandonment is dealt with (REP-22)."""

from datetime import timedelta

import pytest

from tests.access.factories import Caller, renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import ACCEPT, AT, DISPATCH, URL, step
from tests.police_reports.test_dispositions import ESCORT, FOUND
from tests.police_reports.test_owing import owed
from tests.unresolved.conftest import tick

CARED_FOR = {"kind": "guardian_failure", "at": AT, "measures": ["relatives_entrusted"]}
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


async def test_abandonment_is_dealt_with_beside_the_child(client, database, offices) -> None:
    """REP-22: 及时受理并出警处置父母或其他监护人遗弃留守儿童的不法行为."""
    report_id = await filed(client, offices.school, situations=["abandoned"])
    await run_jobs(database)
    for rule, due in DUE.items():
        [duty] = await owed(client, offices.county, rule)
        assert (duty["state"], duty["due_at"]) == ("open", due)
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    await step(client, offices.police, report_id, "dispatch", DISPATCH)
    for body in (CARED_FOR, ESCORT):
        answer = await step(client, offices.police, report_id, "dispositions", body)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (422, "measure_missing")
        assert "abandonment_punished" in error["detail"]
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
