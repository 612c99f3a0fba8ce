"""What a batch was answered is kept small and given again (I4)."""

from uuid import uuid4

from app.core.data.db import SYSTEM
from tests.attendance.factories import a_school, an_event, push


async def test_what_is_kept_is_small_and_what_was_kept_before_is_read(
    client, database, settings
) -> None:
    school = await a_school(database, settings)
    pupil = await school.pupil(database)
    pushed = await push(client, school, *(an_event(pupil.id) for _ in range(100)))
    async with database.begin(SYSTEM) as tx:
        kept = await tx.connection.fetchval("SELECT answer FROM attendance_batches")
        assert len(kept) < len(pushed.content) / 4
        copy = (
            "INSERT INTO attendance_batches (id, agency_id, caller, answer, received_at)"
            " SELECT $1, agency_id, caller, $2, received_at FROM attendance_batches"
        )
        await tx.connection.execute(copy, before := uuid4(), pushed.content)
    for each in (pushed.json()["batch_id"], before):
        again = await client.get(f"/v1/attendance-batches/{each}", headers=school.system.headers)
        assert again.content == pushed.content
