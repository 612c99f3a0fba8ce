"""The job queue against a real PostgreSQL, with real worker processes to kill."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from app.core import embedded, job_runner, jobs, rls, settings
from app.core.clock import utc_now
from app.core.crypto import Keyring
from app.core.db import Database, Tx, open_engine
from app.core.job_runner import Limits

QUICK = Limits(
    poll=timedelta(seconds=0.1),
    lease=timedelta(seconds=0.6),
    failures=3,
    crashes=2,
    backoff=timedelta(milliseconds=10),
    grace=timedelta(seconds=5),
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    """A server of our own: one test crashes it."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="tonghu-jobs-", dir=memory if memory.is_dir() else None))
    try:
        with embedded.acquire(place / "database", throwaway=True) as lease:
            yield lease.server
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
async def tables(server: embedded.Server) -> None:
    owner = await asyncpg.connect(server.owner_url)
    for name in ("jobs", "job_schedules"):
        table = SQLModel.metadata.tables[name]
        for definition in (CreateTable(table), *[CreateIndex(index) for index in table.indexes]):
            await owner.execute(str(definition.compile(dialect=PGDialect())))
        for statement in rls.statements(rls.TABLES[name]):
            await owner.execute(statement)
    await owner.execute("CREATE TABLE marks (text text)")
    await owner.execute("GRANT ALL ON marks TO tonghu_app")
    await owner.close()


@pytest.fixture
async def connection(
    server: embedded.Server, tables: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the app role to an empty queue; the registry is empty too."""
    monkeypatch.setattr(jobs, "REGISTRY", {})
    owner = await asyncpg.connect(server.owner_url)
    await owner.execute("DELETE FROM jobs; DELETE FROM job_schedules; DELETE FROM marks")
    await owner.close()
    connection = await asyncpg.connect(server.app_url)
    yield connection
    if not connection.is_closed():
        await connection.close()


@pytest.fixture
async def database(server: embedded.Server) -> AsyncIterator[Database]:
    engine = open_engine(server.app_url, settings.Database())
    yield Database(engine, Keyring.generate(), utc_now)
    await engine.dispose()


@contextlib.asynccontextmanager
async def working(
    server: embedded.Server,
    database: Database,
    limits: Limits = QUICK,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[asyncio.Event]:
    """Run a worker; leaving the block stops it and waits for its end."""
    stop = asyncio.Event()
    worker = asyncio.create_task(
        job_runner.run(
            lambda: asyncpg.connect(server.app_url),
            begin=database.begin,
            clock=clock,
            stop=stop,
            limits=limits,
        )
    )
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await worker


async def until(reached: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(15):
        while not await reached():  # noqa: ASYNC110  what is awaited happens in the database
            await asyncio.sleep(0.01)


async def count(connection: asyncpg.Connection, where: str = "true") -> int:
    number: int = await connection.fetchval(f"SELECT count(*) FROM jobs WHERE {where}")
    return number


def collecting(name: str, goal: int = 1) -> tuple[list[dict[str, Any]], asyncio.Event]:
    """Register a job that collects its payloads; the event is set when there are `goal` of them."""
    seen: list[dict[str, Any]] = []
    enough = asyncio.Event()

    @jobs.job(name)
    async def collect(tx: Tx, payload: dict[str, Any]) -> None:
        seen.append(payload)
        if len(seen) >= goal:
            enough.set()

    return seen, enough


class TestEnqueue:
    async def test_commits_and_rolls_back_with_the_caller(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen, enough = collecting("t")
        with contextlib.suppress(ZeroDivisionError):
            async with connection.transaction():
                await jobs.enqueue(connection, "t", [{"n": 1}])
                raise ZeroDivisionError
        assert await count(connection) == 0
        async with working(server, database):
            async with connection.transaction():
                await jobs.enqueue(connection, "t", [{"n": 2}])
                assert seen == []
            async with asyncio.timeout(5):
                await enough.wait()
            await until(lambda: empty(connection))
        assert seen == [{"n": 2}]

    async def test_wakes_the_worker_long_before_its_next_poll(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        _, enough = collecting("t")
        async with working(server, database, Limits()):
            await until(lambda: listening(connection))
            await jobs.enqueue(connection, "t", [{}])
            async with asyncio.timeout(2):
                await enough.wait()

    async def test_unknown_name_is_refused_at_once(self, connection: asyncpg.Connection) -> None:
        with pytest.raises(jobs.UnknownJob):
            await jobs.enqueue(connection, "nobody", [{}])

    async def test_many_at_once_under_a_few_keys(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen, enough = collecting("t", goal=4)
        payloads = [{"n": n} for n in (1, 1, 2, 3, 4)]
        await jobs.enqueue(
            connection, "t", payloads, dedupe_keys=["child:1", "child:1", "child:2", None, None]
        )
        await jobs.enqueue(connection, "t", payloads[:1], dedupe_keys=["child:1"])
        async with working(server, database):
            async with asyncio.timeout(5):
                await enough.wait()
            await until(lambda: empty(connection))
        assert sorted(each["n"] for each in seen) == [1, 2, 3, 4]

    async def test_keys_must_match_payloads(self, connection: asyncpg.Connection) -> None:
        collecting("t")
        with pytest.raises(ValueError, match="zip"):
            await jobs.enqueue(connection, "t", [{}, {}], dedupe_keys=["a"])
        assert await count(connection) == 0

    async def test_a_change_made_while_its_job_runs_gets_a_run_of_its_own(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen: list[int] = []
        read, go_on = asyncio.Event(), asyncio.Event()

        @jobs.job("t")
        async def reassess(tx: Tx, payload: dict[str, Any]) -> None:
            seen.append(await tx.connection.fetchval("SELECT count(*) FROM marks"))
            read.set()
            await go_on.wait()

        async with working(server, database):
            await jobs.enqueue(connection, "t", [{}], dedupe_keys=["child:1"])
            async with asyncio.timeout(5):
                await read.wait()
            async with connection.transaction():
                await connection.execute("INSERT INTO marks VALUES ('changed')")
                await jobs.enqueue(connection, "t", [{}], dedupe_keys=["child:1"])
            go_on.set()
            await until(lambda: empty(connection))
        assert seen == [0, 1]

    async def test_a_key_never_makes_one_transaction_wait_for_another(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen, _ = collecting("t")
        other = await asyncpg.connect(server.app_url)
        async with working(server, database):
            async with connection.transaction():
                await jobs.enqueue(connection, "t", [{}], dedupe_keys=["k"])
                async with asyncio.timeout(2):
                    await jobs.enqueue(other, "t", [{}], dedupe_keys=["k"])
                    await until(lambda: empty(other))
                assert len(seen) == 1
            await until(lambda: empty(other))
        await other.close()
        assert len(seen) == 2

    async def test_delay_holds_a_job_back(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen, enough = collecting("t")
        await jobs.enqueue(connection, "t", [{"n": "later"}], delay=timedelta(hours=1))
        await jobs.enqueue(connection, "t", [{"n": "soon"}], delay=timedelta(seconds=0.2))
        async with working(server, database, Limits()):
            async with asyncio.timeout(3):
                await enough.wait()
            await until(lambda: one_left(connection))
        assert seen == [{"n": "soon"}]


class TestFailure:
    async def test_is_tried_again_then_held_then_released(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        runs: list[int] = []

        @jobs.job("t")
        async def fragile(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute("INSERT INTO marks VALUES ('half')")
            runs.append(1)
            if len(runs) <= 3:
                raise ValueError("赵小明 12010120150101001X")

        async with working(server, database):
            await jobs.enqueue(connection, "t", [{"id": 7}])
            await until(lambda: one_held(connection))
            (held,) = await jobs.held(connection)
            assert (held.name, held.payload, held.failures) == ("t", {"id": 7}, 3)
            assert held.failure is not None
            assert held.failure.startswith(f"ValueError at {__name__}:")
            assert "赵" not in str(await connection.fetchval("SELECT jobs::text FROM jobs"))
            assert await connection.fetchval("SELECT count(*) FROM marks") == 0
            assert await jobs.release(connection, [held.id]) == 1
            await until(lambda: empty(connection))
        assert len(runs) == 4
        assert await connection.fetchval("SELECT count(*) FROM marks") == 1

    async def test_of_the_commit_counts_too(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        @jobs.job("t")
        async def late(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute(
                "CREATE TEMP TABLE bad (n int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"
            )
            await tx.connection.execute("INSERT INTO bad VALUES (1), (1)")

        owner = await asyncpg.connect(server.superuser_url)
        await owner.execute("GRANT TEMP ON DATABASE tonghu TO tonghu_app")
        await owner.close()
        await jobs.enqueue(connection, "t", [{}])
        async with working(server, database):
            await until(lambda: one_held(connection))
        (held,) = await jobs.held(connection)
        assert held.failure is not None
        assert held.failure.startswith("UniqueViolationError")

    async def test_waits_longer_each_time(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        @jobs.job("t")
        async def broken(tx: Tx, payload: dict[str, Any]) -> None:
            raise ValueError

        await jobs.enqueue(connection, "t", [{}])
        await connection.execute("UPDATE jobs SET failures = 3")
        async with working(server, database, Limits()):
            await until(lambda: failed_again(connection))
        wait = await connection.fetchval("SELECT run_at - now() FROM jobs")
        assert timedelta(seconds=15) < wait <= timedelta(seconds=40)


class TestSteps:
    async def test_open_their_own_transactions(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        @jobs.job_in_steps("t")
        async def deliver(begin: jobs.Begin, payload: dict[str, Any]) -> None:
            for text in ("claimed", "sent"):
                async with begin() as tx:
                    await tx.connection.execute("INSERT INTO marks VALUES ($1)", text)

        await jobs.enqueue(connection, "t", [{}])
        async with working(server, database):
            await until(lambda: empty(connection))
        assert await connection.fetchval("SELECT count(*) FROM marks") == 2


class TestKilledWorker:
    @staticmethod
    async def start(server: embedded.Server) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.core.jobs_worker",
            server.app_url,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def test_its_job_runs_elsewhere(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen, _ = collecting("test.stuck")
        await jobs.enqueue(connection, "test.stuck", [{"id": 1}])
        process = await self.start(server)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        process.kill()
        await process.wait()
        assert await count(connection, "status = 'running'") == 1
        async with working(server, database):
            await until(lambda: empty(connection))
        assert seen == [{"id": 1}]
        assert await connection.fetchval("SELECT count(*) FROM marks") == 0

    async def test_a_job_that_kills_its_worker_is_held(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        collecting("test.stuck")
        await jobs.enqueue(connection, "test.stuck", [{"poison": True}])
        for _ in range(QUICK.crashes):
            process = await self.start(server)
            assert await process.wait() == -signal.SIGKILL
        async with working(server, database):
            await until(lambda: one_held(connection))
        (held,) = await jobs.held(connection)
        assert (held.crashes, held.failure) == (2, "WorkerLost")


class TestServe:
    async def test_survives_a_crash_of_the_server(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        seen, enough = collecting("t", goal=2)
        async with working(server, database):
            await jobs.enqueue(connection, "t", [{"n": 1}])
            await until(lambda: empty(connection))
            os.kill(await postmaster(server), signal.SIGQUIT)
            again = await reconnected(server)
            await jobs.enqueue(again, "t", [{"n": 2}])
            async with asyncio.timeout(15):
                await enough.wait()
            await until(lambda: empty(again))
            await again.close()
        assert seen == [{"n": 1}, {"n": 2}]

    async def test_a_late_worker_cannot_finish_what_another_took_over(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        @jobs.job("t")
        async def slow(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute("INSERT INTO marks VALUES ('done')")
            begun.set()
            await go_on.wait()

        async with working(server, database):
            await jobs.enqueue(connection, "t", [{}])
            async with asyncio.timeout(5):
                await begun.wait()
            await connection.execute("UPDATE jobs SET lease = gen_random_uuid()")
            go_on.set()
            await until(lambda: empty(connection))
        assert await connection.fetchval("SELECT count(*) FROM marks") == 1

    async def test_a_long_job_keeps_its_lease(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        runs: list[int] = []
        go_on = asyncio.Event()

        @jobs.job("t")
        async def long(tx: Tx, payload: dict[str, Any]) -> None:
            runs.append(1)
            await go_on.wait()

        await jobs.enqueue(connection, "t", [{}])
        async with working(server, database), working(server, database):
            await until(lambda: renewed_beyond_two_leases(connection))
            go_on.set()
            await until(lambda: empty(connection))
        assert runs == [1]

    async def test_stop_lets_the_running_finish_and_takes_no_more(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        @jobs.job("t")
        async def slow(tx: Tx, payload: dict[str, Any]) -> None:
            begun.set()
            await go_on.wait()

        await jobs.enqueue(connection, "t", [{}])
        async with working(server, database) as stop:
            async with asyncio.timeout(5):
                await begun.wait()
            stop.set()
            await jobs.enqueue(connection, "t", [{}])
            go_on.set()
        assert await count(connection, "status = 'queued'") == 1
        assert await count(connection) == 1

    async def test_stop_hands_back_what_does_not_end(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        begun = asyncio.Event()

        @jobs.job("t")
        async def endless(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute("INSERT INTO marks VALUES ('half')")
            begun.set()
            await asyncio.Event().wait()

        await jobs.enqueue(connection, "t", [{}])
        limits = Limits(grace=timedelta(seconds=0.1))
        async with working(server, database, limits), asyncio.timeout(5):
            await begun.wait()
        row = await connection.fetchrow("SELECT status, failures, crashes FROM jobs")
        assert tuple(row) == ("queued", 0, 0)
        assert await connection.fetchval("SELECT count(*) FROM marks") == 0

    async def test_works_on_no_more_than_it_may(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        now, most = 0, 0

        @jobs.job("t")
        async def counted(tx: Tx, payload: dict[str, Any]) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await tx.connection.execute("SELECT pg_sleep(0.002)")
            now -= 1

        await jobs.enqueue(connection, "t", [{}] * 60)
        async with working(server, database, Limits(concurrency=3)):
            await until(lambda: empty(connection))
        assert most == 3


class TestEvery:
    async def test_runs_once_per_occasion_in_china_time(
        self, connection: asyncpg.Connection, server: embedded.Server, database: Database
    ) -> None:
        times: list[int] = []
        ran = asyncio.Event()

        @jobs.every("t", "0 8 * * *")
        async def morning(tx: Tx, payload: dict[str, Any]) -> None:
            times.append(1)
            ran.set()

        now = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
        async with (
            working(server, database, clock=lambda: now),
            working(server, database, clock=lambda: now),
        ):
            await until(lambda: scheduled(connection, datetime(2026, 3, 2, 0, 0, tzinfo=UTC)))
            assert times == []
            now = datetime(2026, 3, 5, 0, 0, 1, tzinfo=UTC)
            async with asyncio.timeout(5):
                await ran.wait()
            await until(lambda: scheduled(connection, datetime(2026, 3, 6, 0, 0, tzinfo=UTC)))
            await until(lambda: empty(connection))
        assert times == [1]

    def test_refuses_nonsense_and_double_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jobs, "REGISTRY", {})
        with pytest.raises(ValueError, match="cron"):
            jobs.every("t", "at dawn")
        collecting("t")
        with pytest.raises(ValueError, match="twice"):
            collecting("t")


class TestDepth:
    async def test_counts_by_name_and_says_how_late(self, connection: asyncpg.Connection) -> None:
        collecting("a")
        collecting("b")
        await jobs.enqueue(connection, "a", [{}, {}])
        await jobs.enqueue(connection, "b", [{}], delay=timedelta(hours=1))
        await connection.execute(
            "UPDATE jobs SET run_at = now() - interval '1 min' WHERE name = 'a'"
        )
        await connection.execute("UPDATE jobs SET run_at = now() + interval '1 h' WHERE name = 'b'")
        depth = await jobs.depth(connection)
        assert depth["b"] == jobs.Depth(queued=1, running=0, held=0, oldest_seconds=0.0)
        assert (depth["a"].queued, depth["a"].held) == (2, 0)
        assert depth["a"].oldest_seconds == pytest.approx(60, abs=5)


async def empty(connection: asyncpg.Connection) -> bool:
    return await count(connection) == 0


async def one_left(connection: asyncpg.Connection) -> bool:
    return await count(connection) == 1


async def one_held(connection: asyncpg.Connection) -> bool:
    return await count(connection, "status = 'held'") == 1


async def failed_again(connection: asyncpg.Connection) -> bool:
    return await count(connection, "failures = 4") == 1


async def renewed_beyond_two_leases(connection: asyncpg.Connection) -> bool:
    held_for = await connection.fetchval("SELECT lease_until - run_at FROM jobs")
    return held_for is not None and held_for > QUICK.lease * 3


async def listening(connection: asyncpg.Connection) -> object:
    """Say whether the worker has found nothing to do and waits to be told."""
    return await connection.fetchval(
        "SELECT true FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database() AND state = 'idle' AND query LIKE '%min(run_at)%'"
    )


async def scheduled(connection: asyncpg.Connection, when: datetime) -> bool:
    return bool(await connection.fetchval("SELECT max(next_at) FROM job_schedules") == when)


async def postmaster(server: embedded.Server) -> int:
    admin = await asyncpg.connect(server.superuser_url)
    await admin.execute("CHECKPOINT")  # a throwaway server may lose what it wrote last
    folder = await admin.fetchval("SHOW data_directory")
    await admin.close()
    return int((Path(folder) / "postmaster.pid").read_text().split()[0])


async def reconnected(server: embedded.Server) -> asyncpg.Connection:
    async with asyncio.timeout(15):
        while True:
            try:
                return await asyncpg.connect(server.app_url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
