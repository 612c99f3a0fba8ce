"""Background jobs: enqueued in the caller's transaction, run at least once by the worker (D8).

The queue is the table `jobs`. A job's row is deleted in the very transaction that does its work,
guarded by its lease, so what a handler writes to the database is written exactly once; anything
else it does (an HTTP call) may happen twice. Payloads carry ids only. A failure is recorded as the
exception's class and place, never its message: messages quote data.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import orjson
from croniter import croniter
from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.core.data import distribution, rls
from app.core.data.columns import Instant
from app.core.data.db import Tx

Begin = Callable[[], AbstractAsyncContextManager[Tx]]
Handler = Callable[[Tx, dict[str, Any]], Awaitable[None]]
Step = Callable[[Tx, UUID], Awaitable[UUID | None]]
Work = TypeVar("Work", bound=Callable[..., Awaitable[None]])
CHANNEL: Final = "tonghu_jobs"
FIRST: Final = str(UUID(int=0))
"""The id before all others."""


class UnknownJob(LookupError):
    """No handler is registered under this name."""


@dataclass(frozen=True)
class Job:
    """What to run under a name, in one transaction. `of`: the periodic job that queues it."""

    name: str
    handler: Handler
    cron: str | None = None
    of: str | None = None


REGISTRY: dict[str, Job] = {}


def _register(new: Job, work: Work) -> Work:
    if new.name in REGISTRY:
        raise ValueError(f"job {new.name!r} is registered twice")
    REGISTRY[new.name] = new
    return work


def job(name: str, *, of: str | None = None) -> Callable[[Handler], Handler]:
    """Register `async def handler(tx, payload)`. It runs in one transaction, which the worker opens
    and commits (D2); the time is `tx.now`. `of`: the periodic job that it is a part of, which has
    not succeeded while this is to be done.
    """
    return lambda handler: _register(Job(name, handler, of=of), handler)


def every(name: str, cron: str) -> Callable[[Handler], Handler]:
    """Register a `job` that is also enqueued, with an empty payload, whenever `cron` says.

    Five cron fields in China time. One run per occasion however many workers there are, at most
    one `poll` late; occasions missed while no worker ran are made up for by a single run.
    """
    if not croniter.is_valid(cron):
        raise ValueError(f"not a cron expression: {cron!r}")
    return lambda handler: _register(Job(name, handler, cron), handler)


# By its own name as the key, under which an index finds it; of the release before, which gave none,
# a second walk goes beside the first once.
_UNDER_WAY: Final = """
SELECT EXISTS (SELECT FROM jobs WHERE name = $1 AND dedupe_key = $1 AND status = 'queued')
    OR EXISTS (SELECT FROM jobs WHERE name = $1 AND dedupe_key = $1 AND status = 'running')
"""


def walk(name: str, cron: str) -> Callable[[Step], Step]:
    """Register `async def step(tx, after)`, which looks at the rows of one set, by id, beginning
    after one; it returns the last it looked at, None at the end. Begun whenever `cron` says, as in
    `every`, unless it is still under way; each set queues the next in the same transaction.
    """

    def register(step: Step) -> Step:
        async def handler(tx: Tx, payload: dict[str, Any]) -> None:
            if not payload and await tx.connection.fetchval(_UNDER_WAY, name):
                return
            after = await step(tx, UUID(payload.get("after", FIRST)))
            if after is not None:
                onward = [{"after": str(after)}]
                await enqueue(tx.connection, name, onward, dedupe_keys=[name])

        every(name, cron)(handler)
        return step

    return register


class JobRow(SQLModel, table=True):
    """One job; `status` says where it stands.

    `queued`: waits for `run_at`; `running`: leased by a worker until `lease_until`;
    `held`: raised or lost its worker too often, waits for an operator (`release`).
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'held')", name="status"),
        CheckConstraint("(status = 'running') = (lease IS NOT NULL)", name="lease"),
        Index("ix_jobs_due", "run_at", "id", postgresql_where=text("status = 'queued'")),
        Index("ix_jobs_running", "name", "dedupe_key", postgresql_where=text("status = 'running'")),
        Index(
            "ix_jobs_queued_key",
            "name",
            "dedupe_key",
            postgresql_where=text("status = 'queued' AND dedupe_key IS NOT NULL"),
        ),
        # Rows live for milliseconds: vacuum early, or the indexes fill with the dead.
        {"postgresql_with": {"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.02"}},
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    name: str
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    dedupe_key: str | None
    status: str = Field(sa_column=Column(Text, nullable=False, server_default="queued"))
    run_at: datetime = Field(sa_type=Instant, sa_column_kwargs={"server_default": func.now()})
    enqueued_at: datetime = Field(sa_type=Instant, sa_column_kwargs={"server_default": func.now()})
    lease: UUID | None
    lease_until: datetime | None = Field(sa_type=Instant)
    failures: int = Field(sa_column_kwargs={"server_default": "0"})
    crashes: int = Field(sa_column_kwargs={"server_default": "0"})
    failure: str | None


class ScheduleRow(SQLModel, table=True):
    """When a job registered by `every` is enqueued next, was last, and when that was which last
    came to its end: it and its parts (`of`) were all done.
    """

    __tablename__ = "job_schedules"
    name: str = Field(primary_key=True)
    cron: str
    next_at: datetime = Field(sa_type=Instant)
    begun_at: datetime | None = Field(default=None, sa_type=Instant)
    succeeded_at: datetime | None = Field(default=None, sa_type=Instant)


distribution.in_one_place("workers claim from one queue", "jobs", "job_schedules")
rls.allow("jobs", "SELECT, INSERT, UPDATE, DELETE")
rls.allow("job_schedules", "SELECT, INSERT, UPDATE")


# --- what features and operators call ------------------------------------------------------------

_ENQUEUE: Final = """
WITH added AS (
    INSERT INTO jobs (name, payload, dedupe_key, run_at)
    SELECT p.name, p.payload::jsonb, p.dedupe_key, now() + $4::interval
    FROM unnest($1::text[], $2::text[], $3::text[]) AS p (name, payload, dedupe_key)
)
SELECT pg_notify($5, '')
"""


async def enqueue(
    connection: asyncpg.Connection,
    name: str,
    payloads: Sequence[dict[str, Any]],
    *,
    dedupe_keys: Sequence[str | None] | None = None,
    delay: timedelta | None = None,
) -> None:
    """Add one job per payload in the caller's transaction; workers hear of them at its commit.

    Jobs of one name waiting under one dedupe key become a single run, so a key must stand for
    the same payload. That run starts after the last of them was committed: nobody's change is
    missed, and enqueuing never waits for another transaction.

    Raises UnknownJob; ValueError if the keys are not as many as the payloads.
    """
    if name not in REGISTRY:
        raise UnknownJob(name)
    rows: dict[object, tuple[str, str | None]] = {}
    keys = dedupe_keys if dedupe_keys is not None else [None] * len(payloads)
    for position, (payload, key) in enumerate(zip(payloads, keys, strict=True)):
        rows.setdefault(position if key is None else key, (orjson.dumps(payload).decode(), key))
    if rows:
        texts, kept = zip(*rows.values(), strict=True)
        names = [name] * len(texts)
        await connection.execute(_ENQUEUE, names, texts, kept, delay or timedelta(), CHANNEL)


async def enqueue_for(
    connection: asyncpg.Connection, name: str, field: str, values: Iterable[int]
) -> None:
    """Add one job for each value, which its payload holds as `field` and its dedupe key repeats: a
    county in which it still waits is not queued again. See `enqueue`.
    """
    each = [*values]
    payloads = [{field: value} for value in each]
    await enqueue(connection, name, payloads, dedupe_keys=[*map(str, each)])


async def hold(
    connection: asyncpg.Connection, name: str, payload: dict[str, Any], failure: str
) -> None:
    """Add a job that waits for an operator from the first: its work was tried, and failed."""
    await connection.execute(
        "INSERT INTO jobs (name, payload, status, failure) VALUES ($1, $2::jsonb, 'held', $3)",
        name,
        orjson.dumps(payload).decode(),
        failure,
    )


async def held(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return the jobs that wait for an operator, the oldest hundred: id, name, payload (JSON),
    failures, crashes, and failure, the last exception's class and place, never its message.
    """
    rows: list[asyncpg.Record] = await connection.fetch(
        """SELECT id, name, payload::text AS payload, failures, crashes, failure
           FROM jobs WHERE status = 'held' ORDER BY id LIMIT 100"""
    )
    return rows


async def release(connection: asyncpg.Connection, ids: Sequence[int]) -> int:
    """Give held jobs a fresh start; return how many there were."""
    released = await connection.fetch(
        """UPDATE jobs SET status = 'queued', run_at = now(), failures = 0, crashes = 0
           WHERE id = ANY ($1::bigint[]) AND status = 'held' RETURNING pg_notify($2, '')""",
        ids,
        CHANNEL,
    )
    return len(released)


async def depth(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return the state of the queue, of each job name that has rows: name, how many are queued,
    running and held, and oldest_seconds, how long past due the longest-waiting one is.
    """
    rows: list[asyncpg.Record] = await connection.fetch(
        """SELECT name,
                  count(*) FILTER (WHERE status = 'queued') AS queued,
                  count(*) FILTER (WHERE status = 'running') AS running,
                  count(*) FILTER (WHERE status = 'held') AS held,
                  greatest(0, extract(epoch FROM now() - min(run_at)
                      FILTER (WHERE status = 'queued')))::float8 AS oldest_seconds
           FROM jobs GROUP BY name"""
    )
    return rows


async def schedules(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return of each periodic job: name, cron, next_at, begun_at and succeeded_at."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT name, cron, next_at, begun_at, succeeded_at FROM job_schedules"
        " WHERE name = ANY ($1::text[]) ORDER BY name",
        [each.name for each in REGISTRY.values() if each.cron],
    )
    return rows
