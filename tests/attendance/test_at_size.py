"""What a push reads does not grow with what was pushed before."""

from datetime import timedelta

import pytest

from app.attendance import queries
from app.core.data.db import SYSTEM
from tests.attendance.factories import VILLAGE, a_school, an_event, push, statuses
from tests.children.enrolling import a_pupil
from tests.regions.factories import some_regions

pytestmark = pytest.mark.usefixtures("swept")

READ = """
SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE relname = 'attendance_events'
"""
ROLLS = """
INSERT INTO attendance_rolls (id, agency_id, batch_id, source, event_id, content_sha256, class_name,
    class_key, school_day, session, happened_at, pupils, spoke_for, received_at)
SELECT gen_random_uuid(), $1, gen_random_uuid(), 'x', n::text, '-', '二班', '二班',
    date '2026-11-19' - n, 'whole_day', now(), 1, 1, now() FROM generate_series(1, 3000) AS n
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


@pytest.fixture
async def places(database) -> None:
    await some_regions(database, VILLAGE)


@pytest.mark.usefixtures("places")
async def test_rolls_are_looked_up_by_their_days(client, database, settings) -> None:
    """Of ten years of a class, those since the day that is asked for."""
    school = await a_school(database, settings)
    pupil = await a_pupil(
        client, database, settings, school.id, class_name="二班", since="2016-09-01"
    )
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(ROLLS, school.id)
        # What it is at first fits a few pages, which are read whole as quickly.
        await tx.connection.execute("SELECT count_rows('attendance_rolls')")
        for _ in range(7):  # a plan made for anybody comes after five that are made for one
            before = await tx.connection.fetchval(READ.replace("events", "rolls"))
            await queries.absences(
                tx,
                school_id=school.id,
                region_code=VILLAGE,
                returned_on={pupil.id: None},
                since={pupil.id: tx.today - timedelta(days=20)},
                today=tx.today,
            )
            read = await tx.connection.fetchval(READ.replace("events", "rolls")) - before
            assert read <= 2 * 20, read
