"""The worker's side of `app.core.jobs.queue`: claim, run, finish or try again, keep the leases.

Only `app.worker` calls `run`. A worker claims with SKIP LOCKED, marks each row with a lease of its
own and renews it; a lease that ran out means its worker died, and the row goes to another.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog
from croniter import croniter

from app.core import tracing
from app.core.clock import CHINA, Clock
from app.core.data.db import TemporarilyUnavailable, transaction
from app.core.jobs import queue

CONNECTION_FAILED: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server hung up while a statement was being sent
    TemporarilyUnavailable,
)
STATEMENT_SECONDS: Final = 10.0
"""Each round of statements is short; a longer wait means the server is out of reach."""

Connect = Callable[[], Awaitable[asyncpg.Connection]]
_PULSE_SECONDS = 30.0
log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """The worker was silent past its lease and the job went to another; roll back."""


@dataclass(frozen=True)
class Limits:
    """How the worker behaves; the defaults are the production values.

    `lease`: a killed worker's jobs run elsewhere after this and up to one `poll` more.
    `failures`, `crashes`: a job is held when it has raised, or lost its worker, this many times.
    `backoff` doubles with each failure up to `longest_backoff`, less up to half at random.
    `grace`: at stop, what still runs after this is cancelled and handed back.
    """

    concurrency: int = 10
    poll: timedelta = timedelta(seconds=5)
    lease: timedelta = timedelta(seconds=15)
    failures: int = 10
    crashes: int = 5
    backoff: timedelta = timedelta(seconds=5)
    longest_backoff: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(seconds=25)


# Of the due jobs under one key the one that failed most stays and the rest are merged into it; a
# row whose enqueuer has not committed is invisible here, stays, and runs later. A key that is
# running waits, so that runs of one key seldom overlap (two workers claiming at once still can).
_CLAIM: Final = """
WITH due AS (
    SELECT id, name, dedupe_key, run_at, failures + crashes AS mishaps FROM jobs AS waiting
    WHERE status = 'queued' AND run_at <= now() AND name = ANY ($1::text[])
      AND (dedupe_key IS NULL OR NOT EXISTS (
          SELECT FROM jobs AS same
          WHERE same.status = 'running'
            AND same.name = waiting.name AND same.dedupe_key = waiting.dedupe_key))
    ORDER BY run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT DISTINCT ON (name, dedupe_key, CASE WHEN dedupe_key IS NULL THEN id END)
        id, name, dedupe_key
    FROM due
    ORDER BY name, dedupe_key, CASE WHEN dedupe_key IS NULL THEN id END, mishaps DESC, run_at, id
), merged AS (
    DELETE FROM jobs WHERE id IN (
        SELECT twin.id FROM jobs AS twin
        JOIN chosen ON twin.name = chosen.name AND twin.dedupe_key = chosen.dedupe_key
        WHERE twin.status = 'queued' AND twin.run_at <= now() AND twin.id <> chosen.id
        FOR UPDATE OF twin SKIP LOCKED)
)
UPDATE jobs SET status = 'running', lease = gen_random_uuid(), lease_until = now() + $3::interval
FROM chosen WHERE jobs.id = chosen.id
RETURNING jobs.id, jobs.name, jobs.payload::text AS payload, jobs.lease
"""

_SECONDS_TO_NEXT: Final = """
SELECT extract(epoch FROM min(run_at) - now())::float8 FROM jobs
WHERE status = 'queued' AND run_at > now() AND name = ANY ($1::text[])
"""

_FINISH: Final = "DELETE FROM jobs WHERE id = $1 AND lease = $2"

_FAIL: Final = """
UPDATE jobs
SET status = CASE WHEN failures + 1 >= $3 THEN 'held' ELSE 'queued' END,
    failures = failures + 1, failure = raised.failure, lease = NULL, lease_until = NULL,
    run_at = now() + (1 - random() / 2) * least($4::interval * 2 ^ failures, $5::interval)
FROM unnest($1::uuid[], $2::text[]) AS raised (lease, failure)
WHERE jobs.status = 'running' AND jobs.lease = raised.lease
"""

_RENEW: Final = """
UPDATE jobs SET lease_until = now() + $2::interval
WHERE status = 'running' AND lease = ANY ($1::uuid[])
"""

_HAND_BACK: Final = """
UPDATE jobs SET status = 'queued', lease = NULL, lease_until = NULL
WHERE status = 'running' AND lease = ANY ($1::uuid[]) RETURNING pg_notify($2, '')
"""

# The short random wait parts a job that kills its worker from the ones it took down with it.
_RECLAIM: Final = """
UPDATE jobs
SET status = CASE WHEN crashes + 1 >= $1 THEN 'held' ELSE 'queued' END,
    crashes = crashes + 1, failure = 'WorkerLost', lease = NULL, lease_until = NULL,
    run_at = now() + random() * crashes * interval '1 second'
WHERE id IN (
    SELECT id FROM jobs WHERE status = 'running' AND lease_until < now()
    ORDER BY id FOR UPDATE SKIP LOCKED)
"""


# A held job is one still to be done.
_SETTLE: Final = """
UPDATE job_schedules s SET succeeded_at = s.begun_at
WHERE s.begun_at IS DISTINCT FROM s.succeeded_at AND NOT EXISTS (
    SELECT FROM unnest($1::text[], $2::text[]) AS p (schedule, name)
    JOIN jobs ON jobs.name = p.name WHERE p.schedule = s.name)
"""


@dataclass
class _Worker:
    begin: queue.Begin
    clock: Clock
    limits: Limits
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    raised: dict[UUID, str] = field(default_factory=dict)


async def run(
    connect: Connect,
    *,
    begin: queue.Begin,
    clock: Clock,
    stop: asyncio.Event,
    limits: Limits | None = None,
) -> None:
    """Run every registered job until `stop` is set, then finish what is in flight.

    `connect` opens a direct connection (LISTEN does not pass a transaction pooler), again after
    each loss of the server. `begin` opens a job's transaction on a connection of its own.
    """
    worker = _Worker(begin, clock, limits or Limits())
    relay = asyncio.create_task(wake_at(stop, worker.wake))
    losses = 0
    try:
        while not stop.is_set():
            try:
                connection = await connect()
                losses = 0
                try:
                    await _serve(worker, connection, stop)
                    await connection.close(timeout=STATEMENT_SECONDS)
                finally:
                    connection.terminate()
            except CONNECTION_FAILED as error:
                log.warning("jobs.connection_lost", error=type(error).__qualname__)
                await wait(stop, min(0.1 * 2**losses, 5.0))
                losses = min(losses + 1, 10)  # pragma: no cover  the server went away
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await _cancel(worker)


async def wake_at(stop: asyncio.Event, wake: asyncio.Event) -> None:
    """Set `wake` once `stop` is set."""
    await stop.wait()
    wake.set()


async def listen(connect: Connect, channel: str, wake: asyncio.Event) -> None:
    """Set `wake` whenever something is said on a channel, and once after each loss of the server,
    until cancelled. Who waits for it polls all the same.
    """
    while True:
        try:
            connection = await connect()
            lost = asyncio.Event()
            try:
                connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                await connection.add_listener(channel, lambda *_: wake.set())
                wake.set()
                while not lost.is_set():
                    await wait(lost, _PULSE_SECONDS)
                    await connection.execute("SELECT 1")  # a silent server is lost, too
            finally:
                connection.terminate()
        except CONNECTION_FAILED as error:  # pragma: no cover  the server is away for long
            log.warning("jobs.listener_lost", error=type(error).__qualname__)
        await asyncio.sleep(1)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than `seconds`."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await event.wait()
    except TimeoutError:
        pass


async def _cancel(worker: _Worker) -> list[UUID]:
    leases, tasks = list(worker.running), list(worker.running.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return leases


async def _serve(worker: _Worker, connection: asyncpg.Connection, stop: asyncio.Event) -> None:
    """Work on one connection, one statement at a time, until stopped or the server is lost."""
    loop = asyncio.get_running_loop()
    limits = worker.limits
    await connection.add_listener(queue.CHANNEL, lambda *_: worker.wake.set())
    connection.add_termination_listener(lambda *_: worker.wake.set())
    await _plan(connection, worker.clock())
    pulse = min(limits.poll, limits.lease / 3).total_seconds()
    beat_at, stop_by = loop.time(), None
    while True:
        worker.wake.clear()
        async with asyncio.timeout(STATEMENT_SECONDS):
            await _record(worker, connection)
            if loop.time() >= beat_at:
                await _beat(worker, connection)
                beat_at = loop.time() + pulse
            until = beat_at - loop.time()
            if not stop.is_set():  # pragma: no branch  told to stop at this moment
                until = min(until, await _claim(worker, connection))
        if stop.is_set():
            stop_by = stop_by or loop.time() + limits.grace.total_seconds()
            if not (worker.running or worker.raised):
                return
            if loop.time() >= stop_by:  # pragma: no branch  jobs end sooner
                await connection.fetch(_HAND_BACK, await _cancel(worker), queue.CHANNEL)
                return
            until = min(until, stop_by - loop.time())
        await wait(worker.wake, until)


async def _claim(worker: _Worker, connection: asyncpg.Connection) -> float:
    """Start what is due and there is room for; return the seconds until it is worth looking."""
    room = worker.limits.concurrency - len(worker.running)
    if room <= 0:
        return float("inf")
    names = list(queue.REGISTRY)
    rows = await connection.fetch(_CLAIM, names, room, worker.limits.lease)
    for row in rows:
        task = asyncio.create_task(_execute(worker, row))
        worker.running[row["lease"]] = task
        task.add_done_callback(functools.partial(_settle, worker, row))
    if rows:
        return 0.0
    seconds: float | None = await connection.fetchval(_SECONDS_TO_NEXT, names)
    return float("inf") if seconds is None else seconds


async def _execute(worker: _Worker, row: asyncpg.Record) -> None:
    """Run one job; its row goes in the same transaction as its work."""
    registered = queue.REGISTRY[row["name"]]
    payload = orjson.loads(row["payload"])
    with tracing.span(f"job {registered.name}"):
        await _do(worker, row, registered, payload)


async def _do(
    worker: _Worker, row: asyncpg.Record, registered: queue.Job, payload: dict[str, Any]
) -> None:
    async with worker.begin() as tx:
        await registered.handler(tx, payload)
        done = await tx.connection.execute(_FINISH, row["id"], row["lease"])
        if done != "DELETE 1":  # pragma: no branch  another took it up meanwhile
            raise LeaseLost


def _settle(worker: _Worker, row: asyncpg.Record, task: asyncio.Task[None]) -> None:
    del worker.running[row["lease"]]
    worker.wake.set()
    error = None if task.cancelled() else task.exception()
    if error is None:
        return
    failure = describe(error)
    log.warning("jobs.failed", job=row["name"], job_id=row["id"], failure=failure)
    if not isinstance(error, LeaseLost):
        worker.raised[row["lease"]] = failure


def describe(error: BaseException) -> str:
    """Name the exception, or the one behind it, and where it was raised."""
    error = error.__cause__ or error
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_globals.get('__name__')}:{place.tb_lineno}" if place else ""
    return type(error).__qualname__ + where


async def _record(worker: _Worker, connection: asyncpg.Connection) -> None:
    """Queue what failed for another try, or hold it."""
    if not worker.raised:
        return
    leases, failures = list(worker.raised), list(worker.raised.values())
    limits = worker.limits
    await connection.execute(
        _FAIL, leases, failures, limits.failures, limits.backoff, limits.longest_backoff
    )
    for lease in leases:
        del worker.raised[lease]


async def _beat(worker: _Worker, connection: asyncpg.Connection) -> None:
    """Keep our leases, take over those of dead workers, enqueue what the schedule says."""
    if worker.running:
        await connection.execute(_RENEW, list(worker.running), worker.limits.lease)
    await connection.execute(_RECLAIM, worker.limits.crashes)
    now = worker.clock()
    async with transaction(connection):
        due = await connection.fetch(
            """SELECT name FROM job_schedules WHERE name = ANY ($1::text[]) AND next_at <= $2
               FOR UPDATE SKIP LOCKED""",
            [each.name for each in queue.REGISTRY.values() if each.cron],
            now,
        )
        for (name,) in due:
            await queue.enqueue(connection, name, [{}], dedupe_keys=[""])
            await connection.execute(
                "UPDATE job_schedules SET next_at = $2, begun_at = $3 WHERE name = $1",
                name,
                _next(queue.REGISTRY[name].cron or "", now),
                now,
            )
    parts = [(each.of or each.name, each.name) for each in queue.REGISTRY.values()]
    await connection.execute(_SETTLE, *map(list, zip(*parts, strict=True)))


async def _plan(connection: asyncpg.Connection, now: datetime) -> None:
    """Enter new schedules and those whose cron changed; the others keep their next occasion."""
    for each in queue.REGISTRY.values():
        if each.cron:
            await connection.execute(
                """INSERT INTO job_schedules (name, cron, next_at) VALUES ($1, $2, $3)
                   ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, next_at = excluded.next_at
                   WHERE job_schedules.cron <> excluded.cron""",
                each.name,
                each.cron,
                _next(each.cron, now),
            )


def _next(cron: str, now: datetime) -> datetime:
    following: datetime = croniter(cron, now.astimezone(CHINA)).get_next(datetime)
    return following
