"""Who is asked of a doubt again and again: by sets, once each, and by two workers once."""

from app.attendance import asked
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import an_agency
from tests.at_once import behind
from tests.attendance.factories import VILLAGE
from tests.children.factories import a_child
from tests.police_reports.factories import COUNTY, rows

RUN = "attendance.ask_again"
_DOUBTS = """
INSERT INTO presence_doubts (id, home_county, child_id, region_code, school_id, school_day,
    seen_by_id, opened_at)
SELECT gen_random_uuid(), $1, $2, $3, $4, date '2026-11-19' - n, $4, now()
FROM generate_series(1, $5) AS n
"""
_HIDDEN = """
INSERT INTO hidden_subjects (subject_id, hidden_from, hidden_below)
SELECT id, ARRAY[school_id], 0 FROM presence_doubts
"""


async def doubted(database, number: int) -> None:
    """Make doubts that a school must know nothing of, and an office that comes late."""
    child = await a_child(database, VILLAGE)
    school = await an_agency(database, "school", COUNTY)
    about = (child.home_county, child.id, child.region_code, school)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_DOUBTS, *about, number)
        await tx.connection.execute(_HIDDEN)
    await an_agency(database, "education", COUNTY)


async def handed_over(database) -> int:
    told = [row["wire_name"] for row in await rows(database, "events")]
    return told.count("attendance.presence_handed_over")


async def run(database, payload) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY[RUN].handler(tx, payload)


async def waiting(database) -> list[dict[str, str]]:
    return [row["payload"] for row in await rows(database, "jobs") if row["name"] == RUN]


async def test_two_workers_ask_once(live_database) -> None:
    await doubted(live_database, 3)
    held = "SELECT FROM presence_doubts ORDER BY id DESC LIMIT 1 FOR UPDATE"
    await behind(live_database, held, *(lambda: run(live_database, {}) for _ in range(2)))
    assert await handed_over(live_database) == 3


async def test_a_set_a_transaction_and_no_second_run_meanwhile(database, monkeypatch) -> None:
    await doubted(database, 3)
    monkeypatch.setattr(asked, "_SET", 2)
    await run(database, {})
    [next_set] = await waiting(database)
    await run(database, {})  # still under way
    assert await waiting(database) == [next_set]
    async with database.begin(SYSTEM) as tx:  # nor while a worker is at it
        await tx.connection.execute(
            "UPDATE jobs SET status = 'running', lease = gen_random_uuid(), lease_until = now()"
            " WHERE name = $1",
            RUN,
        )
    await run(database, {})
    assert await waiting(database) == [next_set]
    async with database.begin(SYSTEM) as tx:  # what waits for an operator holds up nobody else
        await tx.connection.execute(
            "UPDATE jobs SET status = 'held', lease = NULL, lease_until = NULL WHERE name = $1", RUN
        )
    await run(database, {})
    assert len(await waiting(database)) == 2
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM jobs WHERE name = $1", RUN)
    await run(database, next_set)
    assert await waiting(database) == []
