"""What features call, against a real PostgreSQL."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.core.data.db import Database, Tx
from app.core.jobs import queue
from app.embedded import postgres
from tests.core.jobs.workshop import (
    ATTENTIVE,
    DROWSY,
    collecting,
    count,
    empty,
    listening,
    one_left,
    scheduled,
    working,
)
from tests.waiting import PATIENCE, happens, until


class TestEnqueue:
    async def test_commits_and_rolls_back_with_the_caller(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, enough = collecting("t")
        with contextlib.suppress(ZeroDivisionError):
            async with connection.transaction():
                await queue.enqueue(connection, "t", [{"n": 1}])
                raise ZeroDivisionError
        assert await count(connection) == 0
        async with working(server, database):
            async with connection.transaction():
                await queue.enqueue(connection, "t", [{"n": 2}])
                assert seen == []
            await happens(enough)
            await until(lambda: empty(connection))
        assert seen == [{"n": 2}]

    async def test_wakes_the_worker_long_before_its_next_poll(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        _, enough = collecting("t")
        async with working(server, database, DROWSY):
            await until(lambda: listening(connection))
            await queue.enqueue(connection, "t", [{}])
            await happens(enough)

    async def test_unknown_name_is_refused_at_once(self, connection: asyncpg.Connection) -> None:
        with pytest.raises(queue.UnknownJob):
            await queue.enqueue(connection, "nobody", [{}])

    async def test_many_at_once_under_a_few_keys(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, enough = collecting("t", goal=4)
        payloads = [{"n": n} for n in (1, 1, 2, 3, 4)]
        await queue.enqueue(
            connection, "t", payloads, dedupe_keys=["child:1", "child:1", "child:2", None, None]
        )
        await queue.enqueue(connection, "t", payloads[:1], dedupe_keys=["child:1"])
        async with working(server, database):
            await happens(enough)
            await until(lambda: empty(connection))
        assert sorted(each["n"] for each in seen) == [1, 2, 3, 4]

    async def test_keys_must_match_payloads(self, connection: asyncpg.Connection) -> None:
        collecting("t")
        with pytest.raises(ValueError, match="zip"):
            await queue.enqueue(connection, "t", [{}, {}], dedupe_keys=["a"])
        assert await count(connection) == 0

    async def test_a_change_made_while_its_job_runs_gets_a_run_of_its_own(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen: list[int] = []
        read, go_on = asyncio.Event(), asyncio.Event()

        @queue.job("t")
        async def reassess(tx: Tx, payload: dict[str, Any]) -> None:
            seen.append(await tx.connection.fetchval("SELECT count(*) FROM marks"))
            read.set()
            await go_on.wait()

        _, passed = collecting("after it")
        async with working(server, database):
            await queue.enqueue(connection, "t", [{}], dedupe_keys=["child:1"])
            await happens(read)
            async with connection.transaction():
                await connection.execute("INSERT INTO marks VALUES ('changed')")
                await queue.enqueue(connection, "t", [{}], dedupe_keys=["child:1"])
            await queue.enqueue(connection, "after it", [{}])
            await happens(passed)
            assert await count(connection, "name = 't' AND status = 'running'") == 1
            go_on.set()
            await until(lambda: empty(connection))
        assert seen == [0, 1]

    async def test_a_key_never_makes_one_transaction_wait_for_another(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, _ = collecting("t")
        other = await asyncpg.connect(server.app_url)
        async with working(server, database):
            async with connection.transaction():
                await queue.enqueue(connection, "t", [{}], dedupe_keys=["k"])
                async with asyncio.timeout(PATIENCE):  # it would wait for ever
                    await queue.enqueue(other, "t", [{}], dedupe_keys=["k"])
                await until(lambda: empty(other))
                assert len(seen) == 1
            await until(lambda: empty(other))
        await other.close()
        assert len(seen) == 2

    async def test_what_was_due_first_runs_first(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        """Whenever it was enqueued: what failed and waited is not behind all that came since."""
        seen, enough = collecting("t", 3)
        for n, minutes in enumerate((2, 3, 1)):
            await queue.enqueue(connection, "t", [{"n": n}], delay=timedelta(minutes=-minutes))
        async with working(server, database, replace(DROWSY, concurrency=1)):
            await happens(enough)
        assert [each["n"] for each in seen] == [1, 0, 2]

    async def test_delay_holds_a_job_back(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        seen, enough = collecting("t")
        later, soon = timedelta(hours=1), timedelta(seconds=0.2)
        await queue.enqueue(connection, "t", [{"n": "later"}], dedupe_keys=["k"], delay=later)
        await queue.enqueue(connection, "t", [{"n": "soon"}], dedupe_keys=["k"], delay=soon)
        async with working(server, database, DROWSY):
            await happens(enough)
            await until(lambda: one_left(connection))
        assert (seen, await count(connection)) == ([{"n": "soon"}], 1)


class TestEvery:
    async def test_runs_once_per_occasion_in_china_time(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        times: list[int] = []
        ran = asyncio.Event()

        @queue.every("t", "0 8 * * *")
        async def morning(tx: Tx, payload: dict[str, Any]) -> None:
            times.append(1)
            ran.set()

        now = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
        async with (
            working(server, database, ATTENTIVE, clock=lambda: now),
            working(server, database, ATTENTIVE, clock=lambda: now),
        ):
            await until(lambda: scheduled(connection, datetime(2026, 3, 2, 0, 0, tzinfo=UTC)))
            assert times == []
            now = datetime(2026, 3, 5, 0, 0, 1, tzinfo=UTC)
            await happens(ran)
            await until(lambda: scheduled(connection, datetime(2026, 3, 6, 0, 0, tzinfo=UTC)))
            await until(lambda: empty(connection))
        assert times == [1]

    async def test_it_succeeded_when_its_parts_are_done_too(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        ran, held = asyncio.Event(), asyncio.Event()

        @queue.every("t", "0 8 * * *")
        async def morning(tx: Tx, payload: dict[str, Any]) -> None:
            await queue.enqueue(tx.connection, "part", [{}])

        @queue.job("part", of="t")
        async def part(tx: Tx, payload: dict[str, Any]) -> None:
            ran.set()
            await held.wait()

        @queue.every("u", "0 9 * * *")
        async def an_hour_later(tx: Tx, payload: dict[str, Any]) -> None: ...

        async def told() -> list[datetime | None]:
            return [row["succeeded_at"] for row in await queue.schedules(connection)]

        async def other_succeeded() -> bool:
            return (await told())[1] == now

        async def succeeded() -> bool:
            return (await told())[0] == begun

        now = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
        async with working(server, database, ATTENTIVE, clock=lambda: now):
            await until(lambda: scheduled(connection, datetime(2026, 3, 2, 1, 0, tzinfo=UTC)))
            begun = now = datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC)
            await happens(ran)
            now += timedelta(hours=1)
            await until(other_succeeded)  # so it was looked at since
            assert await told() == [None, now]
            held.set()
            await until(succeeded)
            await queue.hold(connection, "part", {}, "KeyError")
            ran.clear()
            now += timedelta(hours=23)
            await happens(ran)
            await until(lambda: one_left(connection))
            now += timedelta(hours=1)
            await until(other_succeeded)
            assert await told() == [begun, now], "what is held is still to be done"
            await connection.execute("DELETE FROM jobs WHERE name = 'part'")
            begun = now - timedelta(hours=1)
            await until(succeeded)

    async def test_what_no_worker_was_there_for_is_made_up_for_and_another_cron_counts(
        self, connection: asyncpg.Connection, server: postgres.Server, database: Database
    ) -> None:
        times: list[int] = []
        ran = asyncio.Event()

        async def morning(tx: Tx, payload: dict[str, Any]) -> None:
            times.append(1)
            ran.set()

        queue.every("t", "0 8 * * *")(morning)
        now = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
        async with working(server, database, ATTENTIVE, clock=lambda: now):
            await until(lambda: scheduled(connection, datetime(2026, 3, 2, 0, 0, tzinfo=UTC)))
        now = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)
        async with working(server, database, ATTENTIVE, clock=lambda: now):
            await happens(ran)
            await until(lambda: empty(connection))
        queue.REGISTRY.clear()
        queue.every("t", "0 10 * * *")(morning)
        async with working(server, database, ATTENTIVE, clock=lambda: now):
            await until(lambda: scheduled(connection, datetime(2026, 3, 5, 2, 0, tzinfo=UTC)))
        assert times == [1]

    def test_refuses_nonsense_and_double_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(queue, "REGISTRY", {})
        with pytest.raises(ValueError, match="cron"):
            queue.every("t", "at dawn")
        collecting("t")
        with pytest.raises(ValueError, match="twice"):
            collecting("t")


class TestDepth:
    async def test_counts_by_name_and_says_how_late(self, connection: asyncpg.Connection) -> None:
        collecting("a")
        collecting("b")
        await queue.enqueue(connection, "a", [{}, {}])
        await queue.enqueue(connection, "b", [{}], delay=timedelta(hours=1))
        await connection.execute(
            "UPDATE jobs SET run_at = now() - interval '1 min' WHERE name = 'a'"
        )
        await connection.execute("UPDATE jobs SET run_at = now() + interval '1 h' WHERE name = 'b'")
        depth = {row["name"]: row for row in await queue.depth(connection)}
        assert tuple(depth["b"]) == ("b", 1, 0, 0, 0.0)
        assert (depth["a"]["queued"], depth["a"]["held"]) == (2, 0)
        assert depth["a"]["oldest_seconds"] == pytest.approx(60, abs=5)
