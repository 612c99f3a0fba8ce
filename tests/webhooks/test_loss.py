"""Nothing is lost: killed senders, lost leases, a database that hangs up (R1, R2)."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import asyncpg
from aiohttp import web

from app.core.clock import utc_now
from app.core.data import db
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.webhooks import delivery
from tests import schema
from tests.waiting import until
from tests.webhooks.workshop import (
    QUICK,
    an_endpoint,
    attempts_of,
    beside,
    has_state,
    queue,
    row_of,
    sending,
    settings_for,
    verified,
)

ROOT = Path(__file__).parents[2]


async def test_killed_between_send_and_mark_sends_again(
    live, bureau, receiver, clock, database_urls
) -> None:
    clock.now = began = utc_now()  # the killed process lives in real time
    _, key = await an_endpoint(live, bureau, receiver.url)
    made = await queue(live, bureau)
    doomed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.webhooks.killable_sender"),
        *(database_urls.app, str(receiver.port)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
    )
    await doomed.communicate(live.keyring.to_json().encode())
    assert doomed.returncode == -signal.SIGKILL
    assert len(receiver.received) == 1
    row = await row_of(live, made)
    assert (row["state"], row["attempts"]) == ("leased", 1)
    lease = row["next_at"] - began
    assert lease >= timedelta(seconds=settings_for().attempt_seconds)

    async with sending(live, settings_for(receiver), database_urls.app):
        clock.now = row["next_at"] + timedelta(seconds=1)
        await until(has_state(live, made, "succeeded", 2))
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(first.headers["webhook-timestamp"]) >= int(began.timestamp())
    assert int(second.headers["webhook-timestamp"]) == int(clock.now.timestamp())
    verified(second, key, clock.now)
    assert [row["number"] for row in await attempts_of(live, made)] == [2]


async def test_result_under_a_lost_lease_is_logged_but_decides_nothing(
    live, bureau, receiver, database_urls
) -> None:
    await an_endpoint(live, bureau, receiver.url)
    go_on = asyncio.Event()

    async def wait(_):
        await go_on.wait()
        raise ConnectionResetError

    receiver.replies = [wait]
    made = await queue(live, bureau)
    async with sending(live, settings_for(receiver), database_urls.app):
        await until(lambda: receiver.in_flight)
        taken_over = new_id()
        async with live.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE webhook_deliveries SET lease = $2 WHERE id = $1", made, taken_over
            )
        go_on.set()

        async def logged() -> bool:
            return len(await attempts_of(live, made)) == 1

        await until(logged)
    row = await row_of(live, made)
    assert (row["state"], row["lease"]) == ("leased", taken_over)


async def test_what_is_on_its_way_keeps_its_lease_as_time_passes(
    live, bureau, receiver, clock, database_urls
) -> None:
    go_on = asyncio.Event()

    async def wait(_):
        await go_on.wait()
        return web.Response()

    def ticking() -> datetime:
        clock.advance(milliseconds=1)
        return clock.now

    live.clock = ticking
    await an_endpoint(live, bureau, receiver.url)
    receiver.replies = [wait]
    made = await queue(live, bureau)
    settings = settings_for(receiver)
    async with sending(live, settings, database_urls.app):
        await until(lambda: receiver.in_flight)
        await until(has_state(live, await beside(live, receiver), "succeeded", 1))
        leased = (await row_of(live, made))["next_at"]
        go_on.set()
        await until(has_state(live, made, "succeeded", 1))
    (attempt,) = await attempts_of(live, made)
    lease = timedelta(seconds=settings.attempt_seconds) + QUICK.margin
    assert leased > attempt["started_at"] + lease


async def test_a_secret_that_cannot_be_read_is_a_failed_attempt_and_others_go_on(
    live, bureau, receiver, database_urls
) -> None:
    broken, _ = await an_endpoint(live, bureau, receiver.url)
    made = await queue(live, bureau)
    async with live.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_endpoints SET secret_sealed = '-' WHERE id = $1", broken
        )
    async with sending(live, settings_for(receiver), database_urls.app):
        await until(has_state(live, await beside(live, receiver), "succeeded", 1))
    assert await has_state(live, made, "pending", 1)()
    (attempt,) = await attempts_of(live, made)
    assert (attempt["error"], attempt["status"]) == ("internal_error", None)


async def test_database_that_hangs_up_stops_nothing(
    live, bureau, receiver, pg, database_urls
) -> None:
    await an_endpoint(live, bureau, receiver.url)
    go_on = asyncio.Event()

    async def wait(_):
        await go_on.wait()
        raise ConnectionResetError

    receiver.replies = [wait]
    first = await queue(live, bureau)
    async with sending(live, settings_for(receiver), database_urls.app):
        await until(lambda: receiver.in_flight)
        await hang_up(pg, database_urls)
        await until(lambda: answers(live))
        go_on.set()
        await until(has_state(live, first, "pending", 1))
        second = await queue(live, bureau)
        await until(has_state(live, second, "succeeded", 1))


async def hang_up(pg: str, urls: schema.Urls) -> None:
    """End every session of the app on this test's database."""
    admin = await asyncpg.connect(pg)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = $1 AND usename = 'tonghu_app'",
        urlsplit(urls.app).path.strip("/"),
    )
    await admin.close()


async def answers(live: db.Database) -> bool:
    try:
        async with live.begin() as tx:
            return bool(await tx.connection.fetchval("SELECT true"))
    except db.TemporarilyUnavailable:
        return False


async def test_an_attempt_is_logged_once_though_nobody_heard_that_it_was(
    live, bureau, receiver, database_urls, monkeypatch
) -> None:
    await an_endpoint(live, bureau, receiver.url)
    record, lost = delivery._record, list[int]()
    lose_the_line = Mock(side_effect=db.TemporarilyUnavailable)

    async def recorded(tx: db.Tx, results: list[Any]) -> None:
        await record(tx, results)
        lost.append(len(results))

    class Deaf(db.Database):
        """Loses the line once, when what was recorded is committed."""

        @contextlib.asynccontextmanager
        async def begin(self, reach: db.Reach | None = None) -> AsyncIterator[db.Tx]:
            async with super().begin(reach) as tx:
                yield tx
            if len(lost) == 1:
                lost.extend([0])
                lose_the_line()

    monkeypatch.setattr(delivery, "_record", recorded)
    deaf = Deaf(live.engine, live.keyring, live.clock)
    made = await queue(live, bureau)
    async with sending(deaf, settings_for(receiver), database_urls.app):
        await until(lambda: len(lost) > 2)
    assert await has_state(live, made, "succeeded", 1)()
    assert len(await attempts_of(live, made)) == 1
