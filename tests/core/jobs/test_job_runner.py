"""The worker, against a real PostgreSQL, with real processes to kill."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from app.core.data.db import Database, Tx
from app.core.jobs import queue
from app.core.jobs.runner import Limits
from app.embedded import postgres
from tests.core.jobs.workshop import (
    ATTENTIVE,
    QUICK,
    collecting,
    count,
    empty,
    failed_again,
    leased_until,
    one_held,
    postmaster,
    reconnected,
    working,
)
from tests.waiting import happens, until

ROOT = Path(__file__).parents[3]


class TestFailure:
    async def test_is_tried_again_then_held_then_released(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        runs: list[int] = []

        @queue.job("t")
        async def fragile(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute("INSERT INTO marks VALUES ('half')")
            runs.append(1)
            if len(runs) <= 3:
                raise ValueError("赵小明 12010120150101001X")

        async with working(server, database):
            await queue.enqueue(connection, "t", [{"id": 7}])
            await until(lambda: one_held(connection))
            (held,) = await queue.held(connection)
            assert (held["name"], held["payload"], held["failures"]) == ("t", '{"id": 7}', 3)
            assert held["failure"].startswith(f"ValueError at {__name__}:")
            assert "赵" not in str(await connection.fetchval("SELECT jobs::text FROM jobs"))
            assert await connection.fetchval("SELECT count(*) FROM marks") == 0
            assert await queue.release(connection, [held["id"]]) == 1
            await until(lambda: empty(connection))
        assert len(runs) == 4
        assert await connection.fetchval("SELECT count(*) FROM marks") == 1

    async def test_of_the_commit_counts_too(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        @queue.job("t")
        async def late(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute(
                "CREATE TEMP TABLE bad (n int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"
            )
            await tx.connection.execute("INSERT INTO bad VALUES (1), (1)")

        owner = await asyncpg.connect(server.superuser_url)
        await owner.execute("GRANT TEMP ON DATABASE tonghu TO tonghu_app")
        await owner.close()
        await queue.enqueue(connection, "t", [{}])
        async with working(server, database):
            await until(lambda: one_held(connection))
        (held,) = await queue.held(connection)
        assert held["failure"].startswith("UniqueViolationError")

    async def test_waits_longer_each_time(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        @queue.job("t")
        async def broken(tx: Tx, payload: dict[str, Any]) -> None:
            raise ValueError

        await queue.enqueue(connection, "t", [{}])
        await connection.execute("UPDATE jobs SET failures = 3")
        before = await connection.fetchval("SELECT now()")
        async with working(server, database, Limits()):
            await until(lambda: failed_again(connection))
        again, after = await connection.fetchrow("SELECT run_at, now() FROM jobs")
        assert before + timedelta(seconds=20) <= again <= after + timedelta(seconds=40)

    async def test_is_not_forgotten_for_what_is_enqueued_under_its_key_meanwhile(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        runs: list[int] = []

        @queue.job("t")
        async def broken(tx: Tx, payload: dict[str, Any]) -> None:
            runs.append(1)
            raise ValueError

        await queue.enqueue(connection, "t", [{}], dedupe_keys=["k"])
        await connection.execute("UPDATE jobs SET failures = 2")
        await queue.enqueue(connection, "t", [{}], dedupe_keys=["k"])
        async with working(server, database):
            await until(lambda: one_held(connection))
        assert runs == [1]


class TestKilledWorker:
    @staticmethod
    async def start(server: postgres.Server) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.core.jobs.killable_worker",
            server.app_url,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    async def test_its_job_runs_elsewhere(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, _ = collecting("test.stuck")
        await queue.enqueue(connection, "test.stuck", [{"id": 1}])
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
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        collecting("test.stuck")
        await queue.enqueue(connection, "test.stuck", [{"poison": True}])
        for _ in range(QUICK.crashes):
            process = await self.start(server)
            assert await process.wait() == -signal.SIGKILL
        async with working(server, database):
            await until(lambda: one_held(connection))
        (held,) = await queue.held(connection)
        assert (held["crashes"], held["failure"]) == (2, "WorkerLost")
        await connection.execute("UPDATE jobs SET failures = 2")
        assert await queue.release(connection, [held["id"]]) == 1, "a fresh start"
        row = await connection.fetchrow("SELECT status, failures, crashes FROM jobs")
        assert tuple(row) == ("queued", 0, 0)


class TestServe:
    async def test_survives_a_crash_of_the_server(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, enough = collecting("t", goal=2)
        async with working(server, database):
            await queue.enqueue(connection, "t", [{"n": 1}])
            await until(lambda: empty(connection))
            os.kill(await postmaster(server), signal.SIGQUIT)
            again = await reconnected(server)
            await queue.enqueue(again, "t", [{"n": 2}])
            await happens(enough)
            await until(lambda: empty(again))
            await again.close()
        assert seen == [{"n": 1}, {"n": 2}]

    async def test_a_late_worker_cannot_finish_what_another_took_over(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        runs: list[int] = []
        begun, go_on = asyncio.Event(), asyncio.Event()

        @queue.job("t")
        async def slow(tx: Tx, payload: dict[str, Any]) -> None:
            runs.append(1)
            await tx.connection.execute("INSERT INTO marks VALUES ('done')")
            begun.set()
            await go_on.wait()

        async with working(server, database):
            await queue.enqueue(connection, "t", [{}])
            await happens(begun)
            await connection.execute("UPDATE jobs SET lease = gen_random_uuid()")
            go_on.set()
            await until(lambda: empty(connection))
        assert runs == [1, 1]
        assert await connection.fetchval("SELECT count(*) FROM marks") == 1

    async def test_passes_by_a_row_that_someone_holds(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, enough = collecting("t")
        await queue.enqueue(connection, "t", [{"n": 1}, {"n": 2}])
        async with connection.transaction():
            await connection.execute("SELECT FROM jobs WHERE payload @> '{\"n\": 1}' FOR UPDATE")
            async with working(server, database):
                await happens(enough)
        assert seen == [{"n": 2}]

    async def test_a_long_job_keeps_its_lease(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        runs: list[int] = []
        go_on = asyncio.Event()

        @queue.job("t")
        async def long(tx: Tx, payload: dict[str, Any]) -> None:
            runs.append(1)
            await go_on.wait()

        await queue.enqueue(connection, "t", [{}])
        async with working(server, database, ATTENTIVE), working(server, database, ATTENTIVE):
            first = await until(lambda: leased_until(connection))

            async def renewed_twice() -> bool:
                lease = await leased_until(connection)
                return lease is not None and lease > first + 2 * ATTENTIVE.poll

            await until(renewed_twice)
            go_on.set()
            await until(lambda: empty(connection))
        assert runs == [1]

    async def test_stop_lets_the_running_finish_and_takes_no_more(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        @queue.job("t")
        async def slow(tx: Tx, payload: dict[str, Any]) -> None:
            begun.set()
            await go_on.wait()

        await queue.enqueue(connection, "t", [{}])
        async with working(server, database) as stop:
            await happens(begun)
            stop.set()
            await queue.enqueue(connection, "t", [{}])
            go_on.set()
        assert await count(connection, "status = 'queued'") == 1
        assert await count(connection) == 1

    async def test_stop_hands_back_what_does_not_end(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        begun = asyncio.Event()

        @queue.job("t")
        async def endless(tx: Tx, payload: dict[str, Any]) -> None:
            await tx.connection.execute("INSERT INTO marks VALUES ('half')")
            begun.set()
            await asyncio.Event().wait()

        await queue.enqueue(connection, "t", [{}])
        limits = Limits(grace=timedelta(seconds=0.1))
        async with working(server, database, limits):
            await happens(begun)
        row = await connection.fetchrow("SELECT status, failures, crashes FROM jobs")
        assert tuple(row) == ("queued", 0, 0)
        assert await connection.fetchval("SELECT count(*) FROM marks") == 0

    async def test_works_on_no_more_than_it_may(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        now, most = 0, 0

        @queue.job("t")
        async def counted(tx: Tx, payload: dict[str, Any]) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await tx.connection.execute("SELECT pg_sleep(0.002)")
            now -= 1

        await queue.enqueue(connection, "t", [{}] * 60)
        async with working(server, database, Limits(concurrency=3)):
            await until(lambda: empty(connection))
        assert most == 3
