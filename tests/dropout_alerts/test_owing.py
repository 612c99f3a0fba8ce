"""What each owes along the chain from absence to return, by when, and what discharges it."""

import pytest

from tests.dropout_alerts.factories import a_report, an_attempt, everyone
from tests.jobs import run_jobs


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


async def owed(client, caller, rule: str) -> list[tuple[str, str, str]]:
    answer = await client.get("/v1/duties", params={"rule": rule}, headers=caller.headers)
    return [(d["bearer"]["role"], d["state"], d["due_at"]) for d in answer.json()["items"]]


async def test_a_school_owes_a_word_with_the_parents_then_persuasion(
    client, database, around
) -> None:
    """EDU-01 (预防未成年人犯罪法 34: 及时联系); EDU-03: 劝返, in three school days."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, "2026-11-13")
    assert [each[:2] for each in await owed(client, around.teacher, "EDU-01.contact")] == [
        ("school", "open")
    ]
    assert await owed(client, around.teacher, "EDU-03") == []
    await around.absent(pupil.id, *(f"2026-11-{day}" for day in (16, 17, 18, 19, 20)))
    for caller in (around.teacher, around.education):
        assert await owed(client, caller, "EDU-03") == [("school", "open", "2026-11-25T16:00:00Z")]
    alert = await around.alert(pupil.id)
    await around.step(around.teacher, alert, "persuasions", an_attempt())
    await run_jobs(database)
    for rule in ("EDU-01.contact", "EDU-03"):
        assert [each[1] for each in await owed(client, around.teacher, rule)] == ["discharged"]


async def test_each_addressee_owes_what_it_does_for_itself(client, database, around) -> None:
    """EDU-07: the education authority and the township, each by measures of its own."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, *(f"2026-11-{day}" for day in (13, 16, 17, 18, 19, 20)))
    alert = await around.alert(pupil.id)
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    await run_jobs(database)
    due = "2026-11-27T16:00:00Z"
    both = [("education_authority", "open", due), ("township_supervisor", "open", due)]
    assert sorted(await owed(client, around.education, "EDU-07")) == both
    measure = {"kind": "talk_with_guardian", "ordered_on": "2026-11-20"}
    acted = await around.step(around.township, sent.json(), "measures", measure)
    assert acted.status_code == 201, acted.text
    await run_jobs(database)
    assert sorted(each[:2] for each in await owed(client, around.education, "EDU-07")) == [
        ("education_authority", "open"),
        ("township_supervisor", "discharged"),
    ]
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    await around.step(around.teacher, acted.json(), "return", back)
    await run_jobs(database)
    assert sorted(each[:2] for each in await owed(client, around.education, "EDU-07")) == [
        ("education_authority", "cancelled"),
        ("township_supervisor", "discharged"),
    ]


async def test_whoever_orders_the_child_back_by_a_day_owes_that_it_is(
    client, database, around
) -> None:
    """EDU-07: 依法采取措施劝返复学, by an order with a number and a day."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, *(f"2026-11-{day}" for day in (13, 16, 17, 18, 19, 20)))
    alert = await around.alert(pupil.id)
    failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
    sent = await around.step(around.teacher, failed.json(), "written-report", a_report())
    order = {"kind": "order_to_guardian", "ordered_on": "2026-11-20"}
    paper = {"order_number": "责令2026-7", "back_by": "2026-11-24"}
    for missing in ({}, {"order_number": "7"}, {**paper, "back_by": "2026-11-19"}):
        refused = await around.step(around.education, sent.json(), "measures", {**order, **missing})
        assert refused.status_code == 422, missing
    acted = await around.step(around.education, sent.json(), "measures", {**order, **paper})
    assert acted.status_code == 201, acted.text
    (kept,) = acted.json()["measures"]
    assert {name: kept[name] for name in paper} == paper
    await run_jobs(database)
    due = "2026-11-24T16:00:00Z"
    for caller in (around.education, around.township):
        rows = await owed(client, caller, "EDU-07.back")
        assert rows == [("education_authority", "open", due)]
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    await around.step(around.teacher, acted.json(), "return", back)
    await run_jobs(database)
    assert [each[1] for each in await owed(client, around.education, "EDU-07.back")] == [
        "discharged"
    ]
