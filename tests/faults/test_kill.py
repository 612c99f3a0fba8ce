"""kill -9 of web, worker, PostgreSQL and its supervisor, under load: what was answered stays.

Every request answered 2xx is stored once, every other at most once and never in part, and every
report that is stored reaches the police at least once, under one `webhook-id` (R1, R2, REP-01).
"""

import asyncio
import os
import random
import signal

import pytest

from tests.faults.load import Load, assert_nothing_lost
from tests.faults.town import Town, read_signed
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("faults")

PARTS = ("web", "worker", "postmaster", "supervisor")
WISHES = 12


@pytest.mark.parametrize("parts", [2, pytest.param(len(PARTS), marks=pytest.mark.long)])
async def test_killed_at_random_moments_loses_nothing(town: Town, receiver, parts) -> None:
    load = await asyncio.to_thread(Load.of, town)
    for part in random.sample(PARTS, parts):
        await _strike_during(load, part)
    await load.run(3)
    reports = await assert_nothing_lost(load)

    async def all_delivered() -> bool:
        (row,) = await town.query(
            "SELECT count(*) AS open FROM police_reports WHERE id = ANY ($1::uuid[])"
            " AND state <> 'delivered'",
            list(reports),
        )
        return row["open"] == 0

    await until(all_delivered)
    arrived = read_signed(town, receiver)
    assert arrived.keys() == reports
    assert all(len(set(copies)) == 1 for copies in arrived.values())
    assert await town.query("SELECT name, failure FROM jobs WHERE status = 'held'") == []


async def _strike_during(load: Load, part: str) -> None:
    """Kill a part at some moment of a round of requests; start it again if nothing else does."""
    town = load.town
    moment = load.sent + random.randint(2, WISHES - 2)
    struck = asyncio.Event()

    def strike() -> None:
        os.kill(town.pid(part), signal.SIGKILL)
        struck.set()

    def on_sent(count: int) -> None:
        if count == moment:
            asyncio.get_running_loop().call_later(random.uniform(0, 0.03), strike)

    load.on_sent = on_sent
    async with asyncio.TaskGroup() as together:
        together.create_task(load.run(WISHES))
        await until(struck.is_set)
        if part in town.processes:
            town.kill(part)
            if part == "worker":
                await town.lose_leases()
            await asyncio.to_thread(town.up)
