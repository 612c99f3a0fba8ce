"""Who assessed a child and did not find it well owes it services (REP-16)."""

from datetime import timedelta

import pytest

from tests.access.factories import renewed
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import ASSESS, AT, CLOSE, DISPOSE, SERVICES, URL, step
from tests.police_reports.test_owing import owed, states

WELL = {
    **ASSESS,
    "safety": "safe",
    "guardianship": "adequate",
    "physical_health": "good",
    "mental_health": "good",
}
NONE = {"arranged_at": AT, "none_needed": "祖母已接受监护指导。"}


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ({"safety": "at_risk"}, SERVICES),
        ({"guardianship": "weak"}, NONE),
        ({"physical_health": "fair"}, SERVICES),
        ({"mental_health": "poor"}, NONE),
    ],
    ids=["safety", "guardianship", "physical health", "mental health"],
)
async def test_who_did_not_find_the_child_well_owes_services_or_says_why_none(
    client, database, offices, found, answer
) -> None:
    """REP-16: 有针对性地安排监护指导、医疗救治、心理疏导…等专业服务."""
    report_id = await filed(client, offices.school)

    async def take(path: str, body, **more) -> None:
        taken = await step(client, offices.township, report_id, path, {**body, **more})
        assert taken.status_code == 201, taken.text
        await run_jobs(database)

    await take("assessment", WELL)
    assert await owed(client, offices.county, "REP-16") == [], "nothing where all is well"
    await take("services", SERVICES, arranged_at="2026-11-20T09:40:00+08:00")
    await take("assessment", WELL, **found)
    for caller in (offices.township, offices.county):
        [duty] = await owed(client, caller, "REP-16")
        assert (duty["bearer"]["agency_id"], duty["state"], duty["due_at"]) == (
            str(offices.township.agency_id),
            "open",
            "2026-11-27T16:00:00Z",
        ), "what was arranged before answers another assessment"
    for other in (offices.police, offices.school, offices.village):
        assert await owed(client, other, "REP-16") == []
    await take("services", answer)
    assert await states(client, offices.county, "REP-16") == ["discharged"]


@pytest.mark.parametrize(
    ("found", "beside_it", "for_it"),
    [
        ({"guardianship": "absent"}, "legal_aid", "guardianship_guidance"),
        ({"physical_health": "poor"}, "counselling", "medical_treatment"),
        ({"mental_health": "fair"}, "medical_treatment", "behaviour_correction"),
    ],
)
async def test_services_are_for_what_was_found(
    client, database, offices, found, beside_it, for_it
) -> None:
    """REP-16: 有针对性地安排: one for another need answers nothing."""
    report_id = await filed(client, offices.school)
    await step(client, offices.township, report_id, "assessment", {**WELL, **found})
    for kind, state in ((beside_it, "open"), (for_it, "discharged")):
        services = [{"kind": kind, "provider": "社工站", "started": False}]
        body = {"arranged_at": AT, "services": services}
        taken = await step(client, offices.township, report_id, "services", body)
        assert taken.status_code == 201, taken.text
        await run_jobs(database)
        assert await states(client, offices.township, "REP-16") == [state]


async def test_it_is_owed_no_more_once_all_is_well_or_the_case_is_over_and_anew_after_that(
    client, database, settings, offices, monkeypatch
) -> None:
    report_id = await filed(client, offices.school)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    weak = ("assessment", {**WELL, "guardianship": "weak"})
    for at, ((path, body), state) in enumerate(
        (
            (weak, "open"),
            (("assessment", WELL), "cancelled"),
            (weak, "open"),
            (("closure", {**CLOSE, "reason": "long_term_care"}), "cancelled"),
            (weak, "open"),
            (("services", SERVICES), "discharged"),
            (("assessment", WELL), "discharged"),
            (weak, "open"),
        )
    ):
        later = database.clock() + timedelta(minutes=1)
        monkeypatch.setattr(database, "clock", lambda later=later: later)
        township = renewed(database, settings, offices.township)
        said = {**body, next(each for each in body if each.endswith("_at")): later.isoformat()}
        taken = await step(client, township, report_id, path, said)
        assert taken.status_code == 201, taken.text
        await run_jobs(database)
        assert await states(client, township, "REP-16") == [state], at


@pytest.mark.parametrize("body", [{"arranged_at": AT}, {**SERVICES, **NONE}], ids=["none", "both"])
async def test_either_services_or_why_none_are_needed(client, offices, body) -> None:
    report_id = await filed(client, offices.school)
    answer = await step(client, offices.township, report_id, "services", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "services_unclear"


async def test_that_none_are_needed_is_printed(client, offices) -> None:
    report_id = await filed(client, offices.school)
    for path, body in (("assessment", ASSESS), ("services", NONE)):
        await step(client, offices.township, report_id, path, body)
    url = f"{URL}/{report_id}/assessment/document"
    answer = await client.get(url, headers=offices.township.headers)
    lines = {each["label"]: each["text"] for each in answer.json()["lines"]}
    assert lines["安排服务 2026-11-20"] == f"不需要:{NONE['none_needed']}"
