"""What is owed for a report is hidden by its own row, whichever was written first: that it is
hidden, or that it is owed.
"""

import asyncio
from uuid import UUID

import orjson
import pytest

from app.core.data import hiding
from app.core.data.db import SYSTEM, Reach
from app.core.jobs import queue
from app.police_reports.operations import hidden
from tests.at_once import all_waiting
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import ACCEPT, step
from tests.waiting import PATIENCE

AS_SAID = """
SELECT count(*) FROM {table} t LEFT JOIN hidden_subjects h ON h.subject_id = t.{column}
WHERE (t.hidden_from, t.hidden_below, t.police_below, t.filed_by_id)
    IS DISTINCT FROM (h.hidden_from, h.hidden_below, h.police_below, h.filed_by_id)
"""
BY_ITS_ID = """
SELECT count(*) FROM duties d JOIN hidden_subjects h ON h.subject_id = d.subject_id
LEFT JOIN hidden_subjects own ON own.subject_id = d.id
WHERE (own.hidden_from, own.hidden_below, own.police_below, own.filed_by_id)
    IS DISTINCT FROM (h.hidden_from, h.hidden_below, h.police_below, h.filed_by_id)
"""
"""What is told later of what is owed, that it is overdue, goes by the id of the duty."""


async def _hidden_of(database, agency_id: UUID) -> tuple[int, int]:
    """Return how many duties kept to some there are, and how many of them an agency may see, by the
    policy alone; what rows say must be what is said of what they are about.
    """
    kept = "SELECT count(*) FROM duties WHERE told_to IS NOT NULL"
    async with database.begin(SYSTEM) as tx:
        for table, column in hiding.CARRYING.items():
            sql = AS_SAID.format(table=table, column=column)
            assert await tx.connection.fetchval(sql) == 0, table
        assert await tx.connection.fetchval(BY_ITS_ID) == 0
        there = await tx.connection.fetchval(kept)
    async with database.begin(Reach(0, 10**12, agency=agency_id)) as tx:
        return there, await tx.connection.fetchval(kept)


async def _weigh(database) -> None:
    """Let the jobs that open duties run, and no other."""
    async with database.begin(SYSTEM) as tx:
        found = await tx.connection.fetch(
            "SELECT name, payload::text FROM jobs WHERE name = 'duties.weigh_event' ORDER BY id"
        )
        assert found
        for job in found:
            await queue.REGISTRY[job["name"]].handler(tx, orjson.loads(job["payload"]))


async def test_what_is_done_for_it_as_it_is_hidden_waits_its_turn(
    app, settings, live_database, monkeypatch
) -> None:
    """To acknowledge it ends one duty and opens another: whoever hides it wants both rows."""
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        report_id = await filed(client, offices.school)
        await run_jobs(live_database)
        await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    note, noting, go_on = hiding.note, asyncio.Event(), asyncio.Event()

    async def late(*asked) -> None:
        monkeypatch.setattr(hiding, "note", note)
        noting.set()
        await go_on.wait()
        await note(*asked)

    async def hide() -> None:
        async with live_database.begin(SYSTEM) as tx:
            await hidden.hide(tx, UUID(report_id), [offices.township.agency_id])

    monkeypatch.setattr(hiding, "note", late)
    async with asyncio.timeout(PATIENCE):
        weighing = asyncio.ensure_future(_weigh(live_database))
        await noting.wait()
        hides = asyncio.ensure_future(hide())
        await all_waiting(live_database, [hides], 1)
        go_on.set()
        await asyncio.gather(weighing, hides)
    assert (await _hidden_of(live_database, offices.township.agency_id))[1] == 0


@pytest.fixture
async def report(app, settings, live_database):
    """A report that nothing is owed for so far, and the township that may know of it."""
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        yield UUID(await filed(client, offices.school)), offices.township.agency_id


async def test_what_is_hidden_as_it_comes_to_be_owed_is_hidden(live_database, report) -> None:
    report_id, township = report
    async with asyncio.timeout(PATIENCE):
        async with live_database.begin(SYSTEM) as tx:
            await hidden.hide(tx, report_id, [township])
            weighing = asyncio.ensure_future(_weigh(live_database))
            await all_waiting(live_database, [weighing], 1)
        await weighing
    there, seen = await _hidden_of(live_database, township)
    assert there
    assert seen == 0


async def test_what_comes_to_be_owed_after_it_was_hidden_is_hidden(live_database, report) -> None:
    report_id, township = report
    async with live_database.begin(SYSTEM) as tx:
        await hidden.hide(tx, report_id, [township])
    await _weigh(live_database)
    there, seen = await _hidden_of(live_database, township)
    assert there
    assert seen == 0


async def test_what_comes_to_be_owed_as_it_is_hidden_is_hidden(live_database, report) -> None:
    report_id, township = report

    async def hide() -> None:
        async with live_database.begin(SYSTEM) as tx:
            await hidden.hide(tx, report_id, [township])

    await run_jobs(live_database)
    there, seen = await _hidden_of(live_database, township)
    assert 0 < seen <= there, "so far it may know"
    async with asyncio.timeout(PATIENCE):
        async with live_database.begin(SYSTEM) as tx:
            await tx.connection.execute(hiding.ONE_AT_A_TIME, [report_id])
            hides = asyncio.ensure_future(hide())
            await all_waiting(live_database, [hides], 1)
            await tx.connection.execute(
                "INSERT INTO duties (id, rule, subject_id, home_county, region_code, bearer_role,"
                " told_to, period, counts_from, opened_at, due_at, state, version)"
                " SELECT gen_random_uuid(), 'late', subject_id, home_county, region_code,"
                " bearer_role, told_to, period, counts_from, opened_at, due_at, state, version"
                " FROM duties WHERE told_to IS NOT NULL LIMIT 1"
            )
        await hides
    assert await _hidden_of(live_database, township) == (there + 1, 0)


async def test_what_hides_it_from_offices_is_not_what_hides_it_from_police(
    live_database, report
) -> None:
    """Words that mean some office hide nothing from those who police."""
    report_id, township = report
    await run_jobs(live_database)
    for below in ("hidden_below = 1000000, police_below = 0", "police_below = 1000"):
        async with live_database.begin(SYSTEM) as tx:
            await hidden.hide(tx, report_id, [township])
            hide = f"UPDATE hidden_subjects SET {below} WHERE subject_id = $1"
            await tx.connection.execute(hide, report_id)
            await hiding.note(tx.connection, [report_id])
        assert (await _hidden_of(live_database, township))[0]


async def test_of_several_each_is_hidden_and_each_is_waited_for(
    app, settings, live_database
) -> None:
    """Held in one order, whoever names them: two who hide the same never wait in a circle."""
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        ids = sorted([UUID(await filed(client, offices.school)) for _ in range(2)])
    await run_jobs(live_database)
    township = offices.township.agency_id
    async with live_database.begin(SYSTEM) as tx:
        for each in ids:
            await hidden.hide(tx, each, [township])
    there, _ = await _hidden_of(live_database, township)
    assert there

    async def note() -> None:
        async with live_database.begin(SYSTEM) as tx:
            below = "UPDATE hidden_subjects SET police_below = 1000 WHERE subject_id = ANY ($1)"
            await tx.connection.execute(below, ids)
            await hiding.note(tx.connection, ids[::-1])

    free = "SELECT pg_try_advisory_xact_lock(hashtextextended('hidden/' || $1::uuid, 5))"
    async with asyncio.timeout(PATIENCE):
        async with live_database.begin(SYSTEM) as tx:
            await tx.connection.execute(hiding.ONE_AT_A_TIME, ids[1:])
            noting = asyncio.ensure_future(note())
            await all_waiting(live_database, [noting], 1)
            async with live_database.begin(SYSTEM) as other:
                assert not await other.connection.fetchval(free, ids[0])
        await noting
    await _hidden_of(live_database, township)
