"""An endpoint that is switched off, or fails, stays subscribed: what is for it waits (R15)."""

from datetime import date, timedelta
from uuid import UUID

import orjson

from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs.events import publish
from app.regions.operations import replace_region
from app.webhooks import jobs
from app.webhooks.operations import deliveries
from tests.access.factories import a_caller
from tests.jobs import hand_out, run_jobs
from tests.regions.factories import some_regions
from tests.waiting import until
from tests.webhooks.workshop import (
    HOME,
    VILLAGE,
    an_endpoint,
    an_event,
    beside,
    has_state,
    queue,
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
    report = await queue(live, bureau)
    await switch(live, endpoint, on=False)
    old = await subscribed(live)
    clock.advance(days=1)
    young = await subscribed(live)
    clock.advance(days=29, seconds=1)
    for on, state in ((True, "pending"), (False, "exhausted")):
        await switch(live, endpoint, on=on)
        async with live.begin(SYSTEM) as tx:
            await jobs.give_up(tx, {})
        assert (await row_of(live, old))["state"] == state
    for each in (young, report):
        assert (await row_of(live, each))["state"] == "pending"


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


async def test_what_waits_is_pulled_forward_once_and_some_at_a_time(
    live, bureau, receiver, monkeypatch
) -> None:
    """Not what is being sent, and nothing before the receiver said (R8)."""
    monkeypatch.setattr(deliveries, "PULLED", 2)
    endpoint, _ = await an_endpoint(live, bureau, receiver.url)
    made = [await subscribed(live) for _ in range(4)]
    async with live.begin(SYSTEM) as tx:
        now, hour = tx.now, timedelta(hours=1)
        sent, asked, *free = made
        for each, state, due, not_before in (
            (sent, "leased", hour, None),
            (asked, "pending", 2 * hour, now + hour),
            *((each, "pending", 3 * hour, None) for each in free),
        ):
            await tx.connection.execute(_WAITS, each, state, now + due, not_before)
        assert await deliveries.pull_forward(tx, [endpoint]) == {endpoint}
        assert await deliveries.pull_forward(tx, [endpoint]) == set()
        assert await deliveries.pull_forward(tx, [endpoint]) == set()
    due = [(await row_of(live, each))["next_at"] for each in made]
    assert due == [now + hour, now + hour, now, now]


_WAITS = """
UPDATE webhook_deliveries SET state = $2::text, next_at = $3, not_before = $4,
    lease = CASE $2::text WHEN 'leased' THEN gen_random_uuid() END
WHERE id = $1
"""


async def test_endpoints_of_the_release_before_are_found(live, bureau) -> None:
    endpoint, _ = await an_endpoint(live, bureau, "https://bureau.example.org/")
    async with live.begin(SYSTEM) as tx:
        before = await tx.connection.fetch("SELECT * FROM subscriptions")
        await tx.connection.execute("DELETE FROM subscriptions WHERE endpoint_id = $1", endpoint)
        for _ in range(2):
            await jobs.subscribe_missed(tx, {})
        assert await tx.connection.fetch("SELECT * FROM subscriptions") == before


async def test_endpoints_and_readers_follow_a_place_that_gets_another_code(
    client, database, settings
) -> None:
    """Also what was announced under the old code and not handed out yet."""
    await some_regions(database, VILLAGE)
    county = await a_caller(database, settings, "civil_affairs", HOME)
    await an_endpoint(database, county.agency_id, "https://county.example.org/")
    told, waits, later = (an_event(region_code=VILLAGE) for _ in range(3))
    async with database.begin(SYSTEM) as tx:
        await publish(tx, told)
    await hand_out(database)
    async with database.begin(SYSTEM) as tx:
        await publish(tx, waits)
        await replace_region(tx, HOME, HOME + 10**6, date(2026, 7, 1))
        moved = later.model_copy(update={"region_code": VILLAGE + 10**6})
        await publish(tx, moved)
    await run_jobs(database)
    answer = await client.get("/v1/events?event_type=webhooks.*", headers=county.headers)
    shown = [(item["id"], item["data"]["region_code"]) for item in answer.json()["items"]]
    now = str(VILLAGE + 10**6)
    assert shown == [(str(each.event_id), now) for each in (told, waits, later)]
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT event_id, region_code FROM webhook_deliveries")
    assert {(row["event_id"], row["region_code"]) for row in rows} == {
        (told.event_id, VILLAGE),
        (waits.event_id, VILLAGE + 10**6),
        (later.event_id, VILLAGE + 10**6),
    }
