"""What the accused did before they were named is shown, and counts no more."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, a_report, an_endpoint, filed
from tests.police_reports.test_chain import ACCEPT, ASSESS, AT, CLOSE, DISPOSE, step
from tests.police_reports.test_parties import (
    NEXT_VILLAGE,
    child,
    home,
    move,
    next_home,
    of_child,
    offices,
)
from tests.police_reports.test_taken_back import read

__all__ = ["child", "home", "next_home", "offices"]


def naming(caller) -> dict[str, str]:
    return {"named_at": AT, "suspect_agency_id": str(caller.agency_id), "basis": "学校说明。"}


async def closed(client, caller, report_id: str) -> tuple[int, str]:
    answer = await step(client, caller, report_id, "closure", CLOSE)
    return answer.status_code, answer.json()["errors"][0]["code"]


async def routed(database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY["police_reports.route_waiting"].handler(tx, {})


@pytest.mark.parametrize("said_by", ["the county", "a correction"])
async def test_what_accused_police_did_answers_nothing_and_the_case_does_not_end_on_it(
    client, database, settings, offices, monkeypatch, now, said_by
) -> None:
    county_police = await a_caller(database, settings, "police", COUNTY)
    await an_endpoint(database, county_police.agency_id, COUNTY)
    report_id = newest = await filed(client, offices.school, suspect_agency_id="村干部")
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await step(client, offices.county, report_id, "assessment", ASSESS)
    assert (await step(client, offices.county, report_id, "closure", CLOSE)).is_success
    due = (await read(client, offices.county, report_id))["acknowledge_due_at"]
    monkeypatch.setattr(database, "clock", lambda: now + timedelta(minutes=2))
    if said_by == "the county":
        answer = await step(client, offices.county, report_id, "suspect", naming(offices.police))
    else:
        body = a_report(suspect_agency_id=str(offices.police.agency_id))
        answer = await step(client, offices.school, report_id, "supersession", body)
        newest = answer.json()["id"]
    assert answer.status_code == 201, answer.text
    await routed(database)
    await run_jobs(database)
    seen = await read(client, offices.county, newest)
    assert seen["police_agency_id"] == str(county_police.agency_id)
    for each in {report_id, newest}:
        seen = await read(client, offices.county, each)
        assert (seen["handled_at"], seen["acknowledged_at"]) == (None, None)
        assert (seen["closed_at"], seen["outcome"]) == (None, None)
        assert seen["acknowledge_due_at"] > due, "others have their own time"
        assert seen["unanswered"] == ["living_alone"]
        await step(client, offices.county, each, "assessment", ASSESS)
        assert await closed(client, offices.county, each) == (422, "explanation_missing")
    seen = await read(client, offices.county, report_id)
    assert {"acknowledged", "disposed"} <= {taken["step"] for taken in seen["steps"]}


async def test_what_the_accused_alone_took_words_to_mean_is_open_again(client, offices) -> None:
    """Dispositions are bound to what was reported, not to what the accused say it was."""
    words = ["孩子身上有淤青"]
    said = {"suspect_agency_id": "村干部", "situations": words}
    report_id = await filed(client, offices.school, **said)
    body = {**DISPOSE, "situations": ["living_alone"]}
    assert (await step(client, offices.police, report_id, "dispositions", body)).is_success
    assert "situation_unknown" not in (await read(client, offices.county, report_id))["doubts"]
    named = await step(client, offices.county, report_id, "suspect", naming(offices.police))
    assert named.status_code == 201, named.text
    assert "situation_unknown" in (await read(client, offices.county, report_id))["doubts"]


@pytest.mark.parametrize("ended", [False, True])
async def test_an_assessment_by_whoever_is_named_afterwards_is_none(client, offices, ended) -> None:
    report_id = await filed(client, offices.school, suspect_agency_id="村干部")
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await step(client, offices.county, report_id, "assessment", ASSESS)
    if ended:
        assert (await step(client, offices.county, report_id, "closure", CLOSE)).is_success
    answer = await step(client, offices.police, report_id, "suspect", naming(offices.county))
    assert answer.status_code == 201, answer.text
    seen = await read(client, offices.township, report_id)
    assert (seen["state"], seen["closed_at"], seen["outcome"]) == ("handling", None, None)
    assert seen["handled_at"] is not None
    assert await closed(client, offices.township, report_id) == (422, "explanation_missing")
    await step(client, offices.township, report_id, "assessment", ASSESS)
    assert (await step(client, offices.township, report_id, "closure", CLOSE)).is_success


async def test_an_assessment_by_a_former_home_is_kept_and_ends_nothing(
    client, database, settings, offices, home, next_home, child
) -> None:
    report_id = await of_child(client, offices, child)
    await step(client, offices.police, report_id, "dispositions", DISPOSE)
    await move(client, database, settings, child, NEXT_VILLAGE)
    body = {**ASSESS, "id": str(uuid4())}
    answer = await step(client, home, report_id, "assessment", body)
    assert (answer.status_code, answer.json()["state"]) == (201, "handling")
    assert await closed(client, offices.township, report_id) == (422, "explanation_missing")
    seen = await read(client, next_home, report_id)
    assert "assessed" in {taken["step"] for taken in seen["steps"]}
    await step(client, next_home, report_id, "assessment", ASSESS)
    assert (await step(client, offices.township, report_id, "closure", CLOSE)).is_success
