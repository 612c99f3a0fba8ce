"""名在人不在 over a chain of corrections: what was seen of the child before is not forgotten."""

from typing import Any

import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, VILLAGE, a_report, filed, rows
from tests.police_reports.test_chain import DISPOSE, step
from tests.police_reports.test_chain_of_corrections import corrected
from tests.police_reports.test_dispositions import ESCORT, PAPER
from tests.police_reports.test_parties import IDENTIFY
from tests.police_reports.test_sightings import (  # noqa: F401
    AFTER,
    PLACED,
    around,
    of_school,
    offices,
    pupil,
    shelter,
    there,
)
from tests.police_reports.test_taken_back import WRONG

# ruff: noqa: F811

SITUATION: dict[str, Any] = {"situations": ["guardian_failure"]}


@pytest.fixture
def place(around, offices, shelter):
    async def place(report_id: str) -> None:
        deed = {key: value for key, value in ESCORT.items() if key != "placed_with_name"} | {
            "placed_with_agency_id": str(shelter),
            "hand_over": {**PAPER, "handed_over_on": PLACED},
        }
        answer = await step(around.client, offices.police, report_id, "dispositions", deed)
        assert answer.status_code == 201, answer.text
        await run_jobs(around.database)

    return place


@pytest.mark.parametrize("placed", ["before", "after"])
@pytest.mark.parametrize("known", ["by_correction", "of_the_last", "of_the_first"])
async def test_where_the_police_took_the_child_of_a_corrected_report(
    around, offices, shelter, pupil, place, placed, known
) -> None:
    first = await filed(around.client, offices.village, **SITUATION)
    if placed == "before":
        await place(first)
    named = {"child_id": str(pupil.id)} if known == "by_correction" else {}
    last = await corrected(around.client, offices.village, first, **SITUATION, **named)
    if placed == "after":  # late word, on the report that the police had
        await place(first)
    if not named:
        of = first if known == "of_the_first" else last
        body = {**IDENTIFY, "child_id": str(pupil.id)}
        answer = await step(around.client, offices.township, of, "child", body)
        assert answer.status_code == 201, answer.text
    await run_jobs(around.database)
    await there(around, pupil, AFTER)
    assert await of_school(around) == [(AFTER, str(shelter))]
    taken = await step(around.client, offices.police, last, "child/withdrawal", WRONG)
    assert taken.status_code == 201, taken.text
    await run_jobs(around.database)
    answer = await around.client.get("/v1/presence-doubts", headers=around.teacher.headers)
    assert [each["finding"] for each in answer.json()["items"]] == ["mistaken"]


@pytest.mark.parametrize("corrects", [False, True])
async def test_a_hospital_whose_clock_is_ahead_saw_it_when_it_said_so(
    client, database, settings, around, offices, pupil, corrects
) -> None:
    hospital = await a_caller(database, settings, "hospital", TOWNSHIP)
    ahead = {"child_id": str(pupil.id), "found_at": "2026-11-21T12:00:00+08:00"}
    report_id = await filed(client, hospital, **ahead)
    if corrects:
        body = a_report(**{**ahead, "narrative": "更正。"})
        assert (await step(client, hospital, report_id, "supersession", body)).status_code == 201
    await run_jobs(database)
    await there(around, pupil, "2026-11-20")
    assert await of_school(around) == [("2026-11-20", str(hospital.agency_id))]


@pytest.mark.parametrize("corrected_to", ["another_child", "another_day", "the_same"])
async def test_a_witness_who_corrects_their_word_has_said_nothing_else(
    client, database, settings, around, offices, pupil, corrected_to
) -> None:
    """The school owes a look at what the hospital says now, and at nothing that it took back."""
    other = await a_child(database, VILLAGE)
    hospital = await a_caller(database, settings, "hospital", TOWNSHIP)
    await there(around, pupil, AFTER)
    said = {"child_id": str(pupil.id), "found_at": f"{AFTER}T09:00:00+08:00"}
    report_id = await filed(client, hospital, **said)
    await run_jobs(database)
    assert await of_school(around) == [(AFTER, str(hospital.agency_id))]
    now = {
        "another_child": {**said, "child_id": str(other.id)},
        "another_day": {**said, "found_at": "2026-11-16T09:00:00+08:00"},
        "the_same": said,
    }[corrected_to]
    last = await corrected(client, hospital, report_id, **now, narrative="更正。")
    await run_jobs(database)
    deed = {**DISPOSE, "situations": ["living_alone"]}
    await step(client, offices.police, last, "dispositions", deed)  # all is looked at again
    await run_jobs(database)
    answer = await around.client.get("/v1/presence-doubts", headers=around.teacher.headers)
    finding = None if corrected_to == "the_same" else "mistaken"
    assert [each["finding"] for each in answer.json()["items"]] == [finding]
    seen = [
        (row["child_id"], f"{row['since']}") for row in await rows(database, "presence_sightings")
    ]
    child_id = other.id if corrected_to == "another_child" else pupil.id
    assert seen == [(child_id, now["found_at"][:10])]
