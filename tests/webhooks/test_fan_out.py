"""Facts are handed out in the order of their commits, whoever else writes, fails or hands out."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs import queue as jobs
from app.core.jobs.events import publish
from app.webhooks import handing
from app.webhooks.operations import fan_out
from tests.access.factories import an_agency
from tests.jobs import hand_out, run_jobs
from tests.waiting import PATIENCE, until
from tests.webhooks.workshop import HOME, VILLAGE, an_endpoint, an_event

WRITERS, ROUNDS, SUBJECTS = 8, 12, 5


@contextlib.asynccontextmanager
async def handing_out(database: Database, url: str) -> AsyncIterator[None]:
    """Run a worker's loop that hands out, until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        handing.run(
            lambda: asyncpg.connect(url),
            begin=lambda: database.begin(SYSTEM),
            stop=stop,
            limits=handing.Limits(poll=timedelta(milliseconds=20)),
        )
    )
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await task


async def rows(database: Database, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch(sql, *arguments)


async def test_writers_at_once_and_two_workers_invert_nothing_and_leave_no_gap(
    live, database_urls
) -> None:
    """Each changes a row, as who changes a file does, and announces that. The row counts its own
    changes: in that order the facts about it must be numbered, placed and told.
    """
    county = await an_agency(live, "civil_affairs", HOME)
    await an_endpoint(live, county, "https://county.example.org/")
    changed = [await an_agency(live, "school", VILLAGE) for _ in range(SUBJECTS)]
    unlocked = [new_id() for _ in range(3)]
    versions: dict[UUID, tuple[UUID, int]] = {}
    dice = random.Random(8)

    async def write() -> None:
        for _ in range(ROUNDS):
            about = dice.sample(changed, 2)
            said = [an_event(each, VILLAGE) for each in (*about, *dice.sample(unlocked, 2))]
            noted = {}
            with contextlib.suppress(ZeroDivisionError):
                async with live.begin(SYSTEM) as tx:
                    await tx.connection.execute("SELECT pg_current_xact_id()")
                    for each in sorted(about):
                        version = await tx.connection.fetchval(_CHANGE, each)
                        noted[said[about.index(each)].event_id] = (each, version)
                    await publish(tx, *said)
                    if dice.random() < 0.2:
                        raise ZeroDivisionError
                versions.update(noted)

    async with handing_out(live, database_urls.app), handing_out(live, database_urls.app):
        async with asyncio.TaskGroup() as together:
            for _ in range(WRITERS):
                together.create_task(write())

        async def handed_out() -> bool:
            return not await rows(live, "SELECT FROM events WHERE position IS NULL")

        await until(handed_out)
    kept = await rows(live, "SELECT id, subject_id, sequence FROM events ORDER BY position")
    places = await rows(live, "SELECT position FROM events ORDER BY position")
    assert [row["position"] for row in places] == [*range(1, len(kept) + 1)]
    assert len(kept) == 2 * len(versions)
    numbers, fed = defaultdict(list), defaultdict(list)
    for row in kept:
        numbers[row["subject_id"]].append(row["sequence"])
        fed[row["subject_id"]].append(versions.get(row["id"]))
    assert all(each == [*range(1, len(each) + 1)] for each in numbers.values())
    assert all(fed[subject] == sorted(fed[subject]) for subject in changed)
    told = await rows(live, "SELECT event_id, body FROM webhook_deliveries")
    assert {row["event_id"]: orjson.loads(row["body"])["data"]["sequence"] for row in told} == {
        row["id"]: row["sequence"] for row in kept
    }


_CHANGE = "UPDATE agencies SET version = version + 1 WHERE id = $1 RETURNING version"


async def test_who_finds_somebody_handing_out_leaves_it_to_them(live) -> None:
    async with live.begin(SYSTEM) as tx:
        await publish(tx, an_event())
    async with live.begin(SYSTEM) as first, live.begin(SYSTEM) as second:
        assert await fan_out.hand_out(first, 10) == fan_out.Pass(1, 0)
        assert await fan_out.hand_out(second, 10) is None


async def test_whoever_sets_an_event_aside_keeps_the_turn(live) -> None:
    """Else another hands out meanwhile, and a place in the feed is given twice."""
    fat = an_event(region_code=VILLAGE).model_copy(update={"source_wire_name": "x" * 300_000})
    async with live.begin(SYSTEM) as tx:
        await publish(tx, fat)
    async with live.begin(SYSTEM) as first, live.begin(SYSTEM) as second:
        assert await handing._hand_out_or_hold(first) == fan_out.Pass(1, 0)
        assert await fan_out.hand_out(second, 10) is None


async def test_what_was_too_much_at_a_time_is_tried_by_halves(live, monkeypatch) -> None:
    """Else a batch that takes longer than a statement may is tried for ever."""
    async with live.begin(SYSTEM) as tx:
        await publish(tx, an_event(region_code=VILLAGE))

    def too_much(*_: Any) -> bytes:
        raise asyncpg.QueryCanceledError

    monkeypatch.setattr(fan_out, "body_of", too_much)

    def begin() -> Any:
        return live.begin(SYSTEM)

    sizes = [8]
    for _ in range(3):
        size, more = await handing._pass(begin, sizes[-1])
        assert not more, "it waits before it tries again"
        sizes.append(size)
    assert sizes == [8, 4, 2, 1]


async def test_what_cannot_be_handed_out_is_set_aside_and_stops_no_other(
    live, database_urls, monkeypatch
) -> None:
    county = await an_agency(live, "civil_affairs", HOME)
    await an_endpoint(live, county, "https://county.example.org/")
    said = [an_event(region_code=VILLAGE) for _ in range(20)]
    fat = said[7].model_copy(update={"source_wire_name": "x" * 300_000})
    said[7] = fat
    async with live.begin(SYSTEM) as tx:
        await publish(tx, *said)
        await tx.connection.execute(_MALFORMED, new_id(), VILLAGE, HOME, tx.now)
    async with handing_out(live, database_urls.app):

        async def told() -> bool:
            return len(await rows(live, "SELECT FROM webhook_deliveries")) == 19

        await until(told)

        async def held() -> Any:
            async with live.begin(SYSTEM) as tx:
                found = await jobs.held(tx.connection)
            return found if len(found) == 2 else None

        job, other = await until(held)
    assert other["failure"].startswith("InvalidTextRepresentationError at ")
    assert job["name"] == "webhooks.fan_out"
    assert orjson.loads(job["payload"]) == {"event": str(fat.event_id)}
    assert job["failure"].startswith("PayloadTooLarge at ")
    last = await rows(live, "SELECT max(position) AS last FROM events")
    assert last[0]["last"] == 21
    monkeypatch.setattr(fan_out, "body_of", lambda *_: b"{}")  # somebody saw to it
    async with live.begin(SYSTEM) as tx:
        await jobs.release(tx.connection, [job["id"]])
    await run_jobs(live)
    assert len(await rows(live, "SELECT FROM webhook_deliveries")) == 20


_MALFORMED = """
INSERT INTO events (id, wire_name, subject_id, region_code, home_county, data, occurred_at)
VALUES ($1, 'webhooks.delivery_overdue', $1, $2, $3, '{"agency_id": "nobody"}', $4)
"""


async def test_what_fails_for_a_while_is_not_set_aside(live, database_urls, monkeypatch) -> None:
    county = await an_agency(live, "civil_affairs", HOME)
    await an_endpoint(live, county, "https://county.example.org/")
    async with live.begin(SYSTEM) as tx:
        await publish(tx, an_event(region_code=VILLAGE))
    busy, render = iter(range(handing.BATCH.bit_length() + 2)), fan_out.body_of

    def rendered(*what: Any) -> bytes:
        for _ in busy:
            raise asyncpg.LockNotAvailableError
        return render(*what)

    monkeypatch.setattr(fan_out, "body_of", rendered)
    async with handing_out(live, database_urls.app):

        async def told() -> bool:
            return len(await rows(live, "SELECT FROM webhook_deliveries")) == 1

        await until(told)
    async with live.begin(SYSTEM) as tx:
        assert not await jobs.held(tx.connection)


async def test_what_the_release_before_announced_is_numbered_after_what_was_told(database) -> None:
    """It gives events no number, and queues a job for each; both releases run for a while."""
    county = await an_agency(database, "civil_affairs", HOME)
    await an_endpoint(database, county, "https://county.example.org/")
    subject, earlier, later = new_id(), new_id(), new_id()
    async with database.begin(SYSTEM) as tx:
        await publish(tx, an_event(subject, VILLAGE))
        for event in (later, earlier):  # as they were said, whatever their ids
            await tx.connection.execute(
                "INSERT INTO events (id, wire_name, subject_id, region_code, home_county, data,"
                " occurred_at) VALUES ($1, 'webhooks.delivery_overdue', $2, $3, $4, '{}', $5)",
                event,
                subject,
                VILLAGE,
                HOME,
                tx.now,
            )
            await jobs.enqueue(tx.connection, handing.JOB, [{"event": str(event)}])
    await run_jobs(database)
    await hand_out(database)
    told = await rows(
        database, "SELECT sequence, event_id FROM webhook_deliveries ORDER BY sequence"
    )
    assert [row["sequence"] for row in told] == [1, 2, 3]
    assert [row["event_id"] for row in told[1:]] == [later, earlier]
