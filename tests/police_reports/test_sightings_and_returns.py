"""A return that somebody of the school recorded is its word that the child is there: seen elsewhere
it is doubted, found elsewhere it was none (EDU-01, EDU-08).
"""

import pytest

from tests.attendance.factories import a_school, an_event, push
from tests.attendance.test_presence import doubts
from tests.dropout_alerts.factories import an_attempt
from tests.jobs import run_jobs
from tests.police_reports.test_sightings import (  # noqa: F401
    AFTER,
    PLACED,
    around,
    of_school,
    offices,
    placed,
    pupil,
    shelter,
    there,
)

# ruff: noqa: F811

MISSED = [f"2026-11-{day}" for day in (12, 13, 16, 17)]
BACK = "2026-11-19"


async def recorded(around, **fields: str) -> None:
    (alert,) = await around.alerts()
    body = {"returned_on": BACK, "kind": "same_school", **fields}
    answer = await around.step(around.teacher, alert, "return", body)
    assert answer.status_code == 200, answer.text
    await run_jobs(around.database)


async def found(around, doubt: dict, finding: str) -> None:
    answer = await around.client.post(
        f"/v1/presence-doubts/{doubt['id']}/finding",
        json={"finding": finding, "note": "到救助站查看"},
        headers=around.teacher.headers,
    )
    assert answer.status_code == 200, answer.text
    await run_jobs(around.database)


@pytest.mark.parametrize("first", ["the return", "the shelter"])
async def test_a_return_is_doubted_of_a_child_in_a_shelter_whichever_is_told_first(
    around, pupil, placed, shelter, first
) -> None:
    await around.absent(pupil.id, *MISSED)
    if first == "the return":
        await recorded(around)
    await placed()
    if first == "the shelter":
        await recorded(around)
    (doubt,) = await doubts(around, around.teacher)
    assert (doubt["school_day"], doubt["seen_by_id"]) == (BACK, str(shelter))
    assert doubt["permitted"] == ["recordPresenceFinding"]
    owed = await around.client.get("/v1/duties", headers=around.teacher.headers)
    assert "EDU-01.presence" in [duty["rule"] for duty in owed.json()["items"]]


async def test_a_recorded_return_is_doubted_still_when_a_statement_of_that_day_is_taken_back(
    around, pupil, placed
) -> None:
    await around.absent(pupil.id, *MISSED)
    await recorded(around)
    await there(around, pupil, BACK)
    await placed()
    await push(around.client, around.school, an_event(pupil.id, BACK, category="withdrawn"))
    await run_jobs(around.database)
    (doubt,) = await doubts(around, around.teacher)
    assert (doubt["school_day"], doubt["finding"]) == (BACK, None)


@pytest.mark.parametrize("pushed", [False, True])
async def test_found_elsewhere_the_alert_goes_on_with_all_its_days(
    around, pupil, placed, pushed
) -> None:
    await around.absent(pupil.id, *MISSED)
    (alert,) = await around.alerts()
    await around.step(around.teacher, alert, "persuasions", an_attempt(outcome="promised"))
    await recorded(around)
    if pushed:
        await there(around, pupil, BACK)
    await placed()
    (doubt,) = await doubts(around, around.teacher)
    await found(around, doubt, "elsewhere")
    (alert,) = await around.alerts()
    assert (alert["state"], alert["end_reason"], alert["returned_on"]) == ("persuading", None, None)
    assert (alert["first_absent_day"], alert["unexcused_days"]) == (MISSED[0], 4)
    await around.absent(pupil.id, "2026-11-20")
    assert [each["unexcused_days"] for each in await around.alerts()] == [5]
    await recorded(around, returned_on="2026-11-20")


async def test_found_here_the_return_stands(around, pupil, placed) -> None:
    await around.absent(pupil.id, *MISSED)
    await recorded(around)
    await placed()
    (doubt,) = await doubts(around, around.teacher)
    await found(around, doubt, "here")
    assert [each["state"] for each in await around.alerts()] == ["returned"]


async def test_missed_again_meanwhile_the_open_alert_counts_the_days(around, pupil, placed) -> None:
    await around.absent(pupil.id, *MISSED)
    await recorded(around)
    await around.absent(pupil.id, "2026-11-20")
    await placed()
    (doubt,) = await doubts(around, around.teacher)
    await found(around, doubt, "elsewhere")
    standing = [
        (each["state"], each["end_reason"], each["unexcused_days"])
        for each in await around.alerts()
    ]
    assert standing == [("absent", None, 5), ("closed", "continued", 4)]


async def test_what_was_said_of_the_days_after_is_doubted_next(around, pupil, placed) -> None:
    await there(around, pupil, PLACED, "2026-11-20")
    await placed()
    (doubt,) = await doubts(around, around.teacher)
    await found(around, doubt, "elsewhere")
    days = [each["school_day"] for each in await doubts(around, around.teacher)]
    assert days == ["2026-11-20", PLACED]


async def test_an_accused_school_does_not_learn_of_the_shelter_when_another_takes_its_word_back(
    database, settings, around, pupil, placed, shelter
) -> None:
    new = await a_school(database, settings)
    await pupil.enrol(new.id, since=AFTER)
    await there(around, pupil, PLACED)
    await there(around, pupil, PLACED, school=new)
    await placed(suspect_agency_id=str(around.school.id))
    assert await of_school(around) == [(PLACED, str(new.id))]
    word = an_event(pupil.id, PLACED, category="withdrawn", sequence=9)
    await push(around.client, new, word)
    await run_jobs(database)
    assert await of_school(around) == []
    asked = {each["seen_by_id"]: each for each in await doubts(around, around.education)}
    assert "recordPresenceFinding" in asked[str(shelter)]["permitted"]
