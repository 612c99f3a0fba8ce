"""The keys of a worker become wrong while it sends: it waits, and records then what came of it."""

import asyncio

import structlog
from aiohttp import web

from app.core.data.crypto import Keyring
from tests.waiting import until
from tests.webhooks.workshop import (
    an_endpoint,
    attempts_of,
    queue,
    row_of,
    sending,
    settings_for,
)


async def test_what_came_of_a_delivery_waits_for_the_right_keys(
    live, bureau, receiver, database_urls
) -> None:
    go_on, right = asyncio.Event(), live.keyring

    async def wait(_: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response(text="taken")

    receiver.replies = [wait]
    await an_endpoint(live, bureau, receiver.url)
    made = await queue(live, bureau)
    with structlog.testing.capture_logs() as said:
        async with sending(live, settings_for(receiver), database_urls.app):
            await until(lambda: receiver.in_flight == 1)
            live.keyring = Keyring.for_intake({}, {})
            go_on.set()
            await until(lambda: "KeysWrong" in {each.get("error") for each in said})
            live.keyring = right
            await until(lambda: attempts_of(live, made))
    assert (await row_of(live, made))["state"] == "succeeded"
    assert len(receiver.received) == 1, "once"
