"""What waited until it was known which pupil it is about, and is stored then."""

from dataclasses import replace
from datetime import timedelta

from app.attendance import storing
from app.attendance.events import AbsencesRecorded
from app.attendance.operations import store_held
from app.attendance.schemas import Statement
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.attendance.factories import VILLAGE, a_school, an_event
from tests.children.factories import everywhere


async def test_a_session_that_two_of_one_id_speak_of_changed_once(database, settings) -> None:
    school = await a_school(database, settings)
    pupil = await school.pupil(database)
    said = [
        an_event(pupil.id, id="one", category=category, time=f"2026-11-20T08:0{minute}:00+08:00")
        for minute, category in enumerate(("unexcused", "present"))
    ]
    async with database.begin(SYSTEM) as tx:
        kept = [(Statement.model_validate(each), new_id(), tx.now, new_id()) for each in said]
        await store_held(
            tx, replace(everywhere(), agency_id=school.id, region_code=VILLAGE), pupil, kept
        )
        told = await tx.connection.fetch(
            "SELECT data ->> 'changed', data ->> 'unexcused' FROM events WHERE wire_name = $1",
            AbsencesRecorded.wire_name,
        )
        category = await tx.connection.fetchval(
            "SELECT category FROM attendance_slots WHERE child_id = $1", pupil.id
        )
    assert category == "present"
    assert [tuple(row) for row in told] == [("1", "0")]


async def test_what_is_taken_away_leaves_what_else_was_said_of_the_session(
    database, settings
) -> None:
    """By the rules by which it would have been believed without: the sequence, then the time, of a
    clock that is doubted when it was received. Of another session or school it says nothing.
    """
    school, another = [await a_school(database, settings) for _ in range(2)]
    pupil = await school.pupil(database)
    at = "2026-11-20T{}:00+08:00".format
    last, before, fallen, *others = (
        an_event(pupil.id, category="excused", sequence=2, time=at("08:01")),
        an_event(pupil.id, category="late", sequence=1, time=at("07:00")),
        an_event(pupil.id, category="present", time="1970-01-01T00:00:00Z"),
        an_event(pupil.id, category="unexcused", time=at("08:05")),
        an_event(pupil.id, category="withdrawn", sequence=9, session="morning"),
    )
    elsewhere = an_event(pupil.id, category="withdrawn", sequence=9)
    believed = "SELECT category FROM attendance_slots WHERE school_id = $1 AND session = $2"

    async def takes(event: dict, *, found: bool) -> str:
        said = Statement.model_validate(event)
        gone, _ = await storing.take_away(tx, school.id, pupil.id, new_id(), [said])
        assert gone == ({(said.source, said.id)} if found else set())
        return await tx.connection.fetchval(believed, school.id, "whole_day")

    async with database.begin(SYSTEM) as tx:
        for of, events in ((school, [last, before, fallen, *others]), (another, [elsewhere])):
            sender = replace(everywhere(), agency_id=of.id, region_code=VILLAGE)
            kept = [(Statement.model_validate(e), new_id(), tx.now, new_id()) for e in events]
            await store_held(tx, sender, pupil, kept)
        assert await takes({**last, "category": "unexcused"}, found=False) == "excused"
        assert await takes(last, found=True) == "late"
        assert await takes(before, found=True) == "present"
        assert await takes(fallen, found=True) == "unexcused"


async def test_of_all_that_is_stored_days_ahead_it_is_told_again(database, settings) -> None:
    """Whether it kept its own id, or that was taken meanwhile."""
    school = await a_school(database, settings)
    pupil = await school.pupil(database)
    said = [
        an_event(pupil.id, day, id="one", category="excused", time="2026-11-20T08:00:00+08:00")
        for day in ("2026-11-23", "2026-11-24")
    ]
    async with database.begin(SYSTEM) as tx:
        kept = [(Statement.model_validate(each), new_id(), tx.now, new_id()) for each in said]
        sender = replace(everywhere(), agency_id=school.id, region_code=VILLAGE)
        await store_held(tx, sender, pupil, kept)
        again = await tx.connection.fetch(
            "SELECT run_at - now() AS wait FROM jobs WHERE name = 'attendance.day_came'"
            " ORDER BY run_at"
        )
    first, second = (row["wait"] for row in again)
    assert second - first == timedelta(days=1)
