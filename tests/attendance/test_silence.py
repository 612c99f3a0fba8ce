"""A school that says nothing of a pupil owes a word on it (EDU-01: 及时了解)."""

from datetime import datetime

import pytest

from app.attendance import presence
from app.attendance.presence import Sighting
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import renewed
from tests.attendance.factories import School, an_event, push, statuses
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.regions.factories import some_regions
from tests.unresolved.conftest import tick

CLASS = {"class_name": "三年级2班", "since": "2026-09-01"}
LOOK = "attendance.look_for_silence"
OWED = "SELECT state FROM duties WHERE rule = 'EDU-01.silent' ORDER BY counts_from"
KEPT = """
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below)
SELECT id, '{}', 0 FROM presence_doubts
"""
FOUND = "UPDATE presence_doubts SET finding = 'here', found_by = 'somebody', found_at = now()"
NOT_FOUND = "UPDATE presence_doubts SET finding = NULL, found_by = NULL, found_at = NULL"
NEVER_DONE = "UPDATE duties SET state = 'lapsed', lapsed_at = now() WHERE rule = 'EDU-01.silent'"


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200)
    return await everyone(client, database, settings)


async def owed(around, caller=None, **query: str) -> dict[str, str]:
    """Where a school's duty stands, by the child it is about."""
    found = await around.client.get(
        "/v1/duties",
        params={"rule": "EDU-01.silent", **query},
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
    await push(client, around.school, an_event(spoken_of, "2026-11-06", category="present"))
    for _ in range(2):  # asked once
        await tick(database, LOOK)
    for caller in (around.teacher, around.education, around.township):
        assert await owed(around, caller) == dict.fromkeys((silent, in_class, came), "open")
    assert await owed(around, around.education, permitted="proposeWaiver") == {}, (
        "nobody lets it be"
    )
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

    told = await around.announced(about="attendance.pupil_unsaid")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE agencies SET active = false WHERE kind = 'school'")
        await tx.connection.execute("UPDATE attendance_slots SET category = 'withdrawn'")
    await tick(database, LOOK)
    assert await around.announced(about="attendance.pupil_unsaid") == told, "it is closed"


async def test_one_word_speaks_for_no_term(client, database, settings, around) -> None:
    """及时了解: ten school days without a word are a silence, wherever in the term; each is asked
    about once. What somebody is still to look at is no word, unless the school must not know of it.
    """
    pupil = await a_pupil(client, database, settings, around.school.id, **CLASS)

    async def look(day: str, *changes: str) -> list[str]:
        database.clock = lambda: datetime.fromisoformat(f"{day}T10:00:00+08:00")
        async with database.begin(SYSTEM) as tx:
            for change in changes:
                await tx.connection.execute(change)
        for _ in range(2):
            await tick(database, LOOK)
        async with database.begin(SYSTEM) as tx:
            return [row["state"] for row in await tx.connection.fetch(OWED)]

    async def say(day: str) -> None:
        system = renewed(database, settings, around.school.system)
        said = an_event(pupil.id, day, category="present")
        answer = await push(client, School(around.school.id, system), said)
        assert statuses(answer) == ["accepted"]

    await say("2026-09-01")
    assert await look("2026-09-15") == []
    assert await look("2026-09-16") == ["open"]
    assert await look("2026-09-17", NEVER_DONE) == ["lapsed"]
    assert await around.announced(about="attendance.pupil_unsaid") == ["pupil_unsaid"]
    await say("2026-09-17")
    assert await look("2026-12-24") == ["lapsed", "open"], "since that word, anew"
    await say("2026-12-24")
    async with database.begin(SYSTEM) as tx:
        seen = Sighting(pupil.id, new_id(), around.township.agency_id, tx.today, tx.today)
        await presence.sighted(tx, seen)
    assert await look("2026-12-24") == ["lapsed", "open"], "it was seen elsewhere"
    assert await look("2026-12-24", FOUND) == ["lapsed", "discharged"]
    assert await look("2026-12-24", NOT_FOUND) == ["lapsed", "open"], "the same silence"
    assert await look("2026-12-24", KEPT) == ["lapsed", "discharged"]


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
