"""Manual replays really send, however often (R18)."""

import asyncio
from uuid import UUID

from aiohttp import web

from app.core.data.db import SYSTEM, Database
from app.webhooks.operations import deliveries
from tests.waiting import until
from tests.webhooks.workshop import (
    an_endpoint,
    attempts_of,
    has_state,
    pass_time_until_due,
    queue,
    row_of,
    sending,
    settings_for,
    status,
)


class TestReplay:
    async def test_each_one_really_sends(self, live, bureau, receiver, database_urls) -> None:
        await an_endpoint(live, bureau, receiver.url)
        made = await queue(live, bureau)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, made, "succeeded", 1))
            await replay(live, made)
            await until(has_state(live, made, "succeeded", 2))
            await replay(live, made, times=2)  # before the first of them is on its way
            await until(has_state(live, made, "succeeded", 4))
        assert len(receiver.received) == 4
        assert len(set(receiver.ids())) == 1
        triggers = [row["trigger"] for row in await attempts_of(live, made)]
        assert triggers == ["auto", "manual", "manual", "manual"]
        async with live.begin(SYSTEM) as tx:
            announced = await tx.connection.fetch("SELECT wire_name FROM events ORDER BY n")
        # It was delivered for the first time once.
        names = [row["wire_name"] for row in announced]
        assert names == ["webhooks.delivery_overdue", "webhooks.delivery_succeeded"]

    async def test_it_was_delivered_when_it_first_was(
        self, live, bureau, receiver, clock, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        made = await queue(live, bureau)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(has_state(live, made, "succeeded", 1))
            first = (await row_of(live, made))["delivered_at"]
            clock.advance(hours=1)
            await replay(live, made)
            await until(has_state(live, made, "succeeded", 2))
        assert (await row_of(live, made))["delivered_at"] == first

    async def test_during_a_send_follows_it(self, live, bureau, receiver, database_urls) -> None:
        go_on = asyncio.Event()

        async def wait(_: web.Request) -> web.StreamResponse:
            await go_on.wait()
            return web.Response()

        await an_endpoint(live, bureau, receiver.url)
        receiver.replies = [wait]
        made = await queue(live, bureau)
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(lambda: receiver.in_flight)
            await replay(live, made)
            go_on.set()
            await until(has_state(live, made, "succeeded", 2))

    async def test_restarts_the_schedule_of_an_exhausted_one(
        self, live, bureau, receiver, clock, database_urls
    ) -> None:
        await an_endpoint(live, bureau, receiver.url)
        made = await queue(live, bureau)
        async with live.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE webhook_deliveries SET delivery_class = 'S', state = 'exhausted',"
                " attempts = 10 WHERE id = $1",
                made,
            )
        receiver.replies = [status(500)]
        async with sending(live, settings_for(receiver), database_urls.app):
            await replay(live, made)
            await until(has_state(live, made, "pending", 11))
            await pass_time_until_due(live, made, clock)
            await until(has_state(live, made, "succeeded", 12))


async def replay(live: Database, delivery_id: UUID, times: int = 1) -> None:
    async with live.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT * FROM webhook_deliveries WHERE id = $1", delivery_id
        )
        for _ in range(times):
            await deliveries.replay_delivery(tx, row)
