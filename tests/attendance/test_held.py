"""What waited until it was known which pupil it is about, and is stored then."""

from dataclasses import replace

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
