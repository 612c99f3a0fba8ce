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

    async with database.begin() as tx:
        # Planned once for all that is pushed, and for more than the one page that it is at first.
        await tx.connection.execute(
            "DISCARD PLANS; SET LOCAL enable_seqscan = off;"
            " SET LOCAL plan_cache_mode = force_generic_plan"
        )
    await push(client, school, an_event(pupil.id))
    await push(client, school, *(an_event(pupil.id) for _ in range(400)))
    new = an_event(pupil.id)
    for event, expected in ((new, "accepted"), (new, "duplicate")):
        status, rows = await reads(event)
        assert (status, rows < 10) == (expected, True), rows
