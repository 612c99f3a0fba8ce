"""An endpoint that is switched off, or fails, stays subscribed: what is for it waits (R15)."""

from uuid import UUID

import orjson

from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.webhooks import jobs
from tests.waiting import until
from tests.webhooks.workshop import (
    an_endpoint,
    beside,
    has_state,
    row_of,
    sending,
    settings_for,
    status,
    subscribed,
)


async def switch(database: Database, endpoint: UUID, *, on: bool) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE webhook_endpoints SET active = $2 WHERE id = $1", endpoint, on
        )


async def test_what_happens_while_it_is_off_arrives_in_order_when_it_is_on(
    live, bureau, receiver, clock, database_urls
) -> None:
    endpoint, _ = await an_endpoint(live, bureau, receiver.url)
    report = new_id()
    await switch(live, endpoint, on=False)
    async with sending(live, settings_for(receiver), database_urls.app):
        made = [await subscribed(live, report) for _ in range(3)]
        clock.advance(days=29)
        await until(has_state(live, await beside(live, receiver), "succeeded", 1))
        receiver.received.clear()
        await switch(live, endpoint, on=True)
        await until(has_state(live, made[-1], "succeeded", 1))
    bodies = [orjson.loads(each.body)["data"] for each in receiver.received]
    assert [body["sequence"] for body in bodies] == [1, 2, 3]


async def test_it_is_held_for_thirty_days(live, bureau, receiver, clock) -> None:
    endpoint, _ = await an_endpoint(live, bureau, receiver.url)
    await switch(live, endpoint, on=False)
    old = await subscribed(live)
    clock.advance(days=1)
    young = await subscribed(live)
    clock.advance(days=29, seconds=1)
    async with live.begin(SYSTEM) as tx:
        await jobs.give_up(tx, {})
    assert (await row_of(live, old))["state"] == "exhausted"
    assert (await row_of(live, young))["state"] == "pending"


async def test_with_the_first_success_what_failed_is_tried_again_but_not_before_it_was_asked(
    live, bureau, receiver, database_urls
) -> None:
    await an_endpoint(live, bureau, receiver.url)
    receiver.replies = [status(500)] * 3
    async with sending(live, settings_for(receiver), database_urls.app):
        failed = [await subscribed(live) for _ in range(3)]
        for each in failed:
            await until(has_state(live, each, "pending", 1))
        receiver.replies = [status(500, retry_after="7200")]
        asked = await subscribed(live)
        await until(has_state(live, asked, "pending", 1))
        later = (await row_of(live, asked))["next_at"]
        await until(has_state(live, await subscribed(live), "succeeded", 1))
        for each in failed:
            await until(has_state(live, each, "succeeded", 2))
    row = await row_of(live, asked)
    assert (row["state"], row["next_at"]) == ("pending", later)
