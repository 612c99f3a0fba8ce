"""What a push reads does not grow with what was pushed before."""

from tests.attendance.factories import a_school, an_event, push, statuses

READ = """
SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE relname = 'attendance_events'
"""


async def test_an_event_is_looked_up_among_the_agencys_by_its_whole_key(
    client, database, settings
) -> None:
    school = await a_school(database, settings)
    pupil = await school.pupil(database)

    async def reads(event) -> tuple[str, int]:
        async with database.begin() as tx:
            before = await tx.connection.fetchval(READ)
        (status,) = statuses(await push(client, school, event))
        async with database.begin() as tx:
            return status, await tx.connection.fetchval(READ) - before

    await push(client, school, an_event(pupil.id))  # planned while there was next to nothing
    await push(client, school, *(an_event(pupil.id) for _ in range(400)))
    new = an_event(pupil.id)
    for event, expected in ((new, "accepted"), (new, "duplicate")):
        status, rows = await reads(event)
        assert (status, rows < 10) == (expected, True), rows
