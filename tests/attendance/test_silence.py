"""A school that says nothing of a pupil owes a word on it (EDU-01: 及时了解)."""

from datetime import datetime

import pytest

from tests.attendance.factories import an_event, push
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.regions.factories import some_regions
from tests.unresolved.conftest import tick

CLASS = {"class_name": "三年级2班", "since": "2026-09-01"}
LOOK = "attendance.look_for_silence"


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200)
    return await everyone(client, database, settings)


async def owed(around, caller=None) -> dict[str, str]:
    """Where a school's duty stands, by the child it is about."""
    found = await around.client.get(
        "/v1/duties",
        params={"rule": "EDU-01.silent"},
        headers=(caller or around.teacher).headers,
    )
    return {each["child_id"]: each["state"] for each in found.json()["items"]}


async def test_a_school_owes_a_word_on_whom_it_never_speaks_of(
    client, database, settings, around
) -> None:
    """Of whom something was said nothing is owed, nor of who has only just come."""
    opened = [
        await a_pupil(
            client,
            database,
            settings,
            around.school.id,
            identity={"name": f"静{number}", "resident_id": None},
            student_numbers=[],
            **said,
        )
        for number, said in enumerate(
            (CLASS, CLASS, *({"since": f"2026-{day}"} for day in ("09-01", "11-09", "11-06")))
        )
    ]
    silent, in_class, spoken_of, new, came = [str(each.id) for each in opened]
    await push(client, around.school, an_event(spoken_of, "2026-09-07", category="present"))
    for _ in range(2):  # asked once
        await tick(database, LOOK)
    for caller in (around.teacher, around.education, around.township):
        assert await owed(around, caller) == dict.fromkeys((silent, in_class, came), "open")
    assert await around.announced() == [], "silence opens no alert"
    assert await around.announced(about="attendance.pupil_unsaid") == ["pupil_unsaid"] * 3

    await around.absent(silent, "2026-11-20", category="excused")
    await around.absent(came, "2026-11-20")
    said = {silent: "discharged", in_class: "open", came: "discharged"}
    assert await owed(around) == said
    await push(client, around.school, a_roll())
    await tick(database, LOOK)
    assert await owed(around) == {**said, in_class: "discharged"}
    taken_back = a_roll(category="withdrawn", time="2026-11-20T09:20:00+08:00")
    await push(client, around.school, taken_back)
    await tick(database, LOOK)
    assert await owed(around) == {**said, in_class: "open"}
    await opened[1].enrol(None)
    await tick(database, LOOK)
    assert await owed(around) == {**said, in_class: "cancelled"}
    assert new not in await owed(around)


@pytest.mark.parametrize(
    ("since", "today", "is_owed"),
    [
        ("2025-09-01", "2026-03-13", False),
        ("2025-09-01", "2026-03-16", True),
        ("2026-07-01", "2026-08-20", False),
    ],
    ids=["begun", "term", "vacation"],
)
async def test_each_term_wants_a_word_and_no_vacation_does(
    client, database, settings, since, today, is_owed
) -> None:
    """What was said in one term says nothing of the next; ten days of school are over first."""
    database.clock = lambda: datetime.fromisoformat(f"{today}T10:00:00+08:00")
    await some_regions(database, 120119101200)
    around = await everyone(client, database, settings)
    pupil = await a_pupil(client, database, settings, around.school.id, since=since)
    if since < "2026":
        said = an_event(str(pupil.id), "2025-12-22", category="present")
        await push(client, around.school, said)
    await tick(database, LOOK)
    assert bool(await owed(around)) is is_owed
