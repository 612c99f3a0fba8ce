"""Who is sent something first, where not all can be at once."""

import asyncio
import json
from datetime import timedelta

from aiohttp import web

from app.core.data.db import SYSTEM
from app.webhooks import claiming
from app.webhooks.operations import deliveries
from tests.access.factories import an_agency
from tests.waiting import happens, until
from tests.webhooks.workshop import (
    HOME,
    an_endpoint,
    an_event,
    queue,
    row_of,
    sending,
    settings_for,
    subscribed,
)


async def test_of_all_that_waits_the_urgent_goes_first_and_news_last(
    live, bureau, receiver, clock, database_urls
) -> None:
    """Whoever it is for: where one can be sent at a time it is not somebody's news."""
    await an_endpoint(live, bureau, receiver.url)
    news = await subscribed(live)
    clock.advance(seconds=1)
    made = [await queue(live, bureau) for _ in range(2)]
    neighbour = await an_agency(live, "police", HOME)
    await an_endpoint(live, neighbour, receiver.url)
    clock.advance(seconds=1)
    async with live.begin(SYSTEM) as tx:
        (urgent,) = await deliveries.tell(tx, an_event(), agency_id=neighbour, urgent=True)
    async with sending(live, settings_for(receiver, concurrency=1), database_urls.app):
        await until(lambda: len(receiver.received) == 4)
    sent = [(await row_of(live, each))["webhook_id"] for each in (urgent, *made, news)]
    assert (receiver.ids()[0], receiver.ids()[-1]) == (sent[0], sent[-1])
    assert {*receiver.ids()} == {*sent}


async def test_endpoints_take_turns(live, bureau, receiver, database_urls) -> None:
    """However much waits for one, the next is sent something, too."""
    agencies = [bureau, *[await an_agency(live, "police", HOME) for _ in range(2)]]
    full, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        if receiver.in_flight == 3:
            full.set()
        await go_on.wait()
        return web.Response()

    receiver.replies = [wait] * 12
    whose = {}
    for agency in agencies:
        await an_endpoint(live, agency, receiver.url)
        for _ in range(4):
            row = await row_of(live, await queue(live, agency))
            whose[row["webhook_id"]] = agency
    async with sending(live, settings_for(receiver, concurrency=3), database_urls.app):
        await happens(full)
        assert {whose[each] for each in receiver.ids()} == {*agencies}
        go_on.set()
        await until(lambda: len(receiver.received) == 12)


async def test_a_report_finds_a_place_however_slow_all_others_are(
    live, bureau, receiver, database_urls
) -> None:
    """Of eight places six are everybody's, one is for what must be told, one for the urgent."""
    go_on = asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response()

    receiver.replies = [wait] * 30
    await an_endpoint(live, bureau, receiver.url)
    news = [await subscribed(live) for _ in range(9)]
    async with sending(live, settings_for(receiver, concurrency=8), database_urls.app):
        await until(lambda: receiver.in_flight == 6)
        told = [await queue(live, bureau) for _ in range(4)]
        await until(lambda: receiver.in_flight == 7)
        async with live.begin(SYSTEM) as tx:
            (urgent,) = await deliveries.tell(tx, an_event(), agency_id=bureau, urgent=True)
        await until(lambda: receiver.in_flight == 8)
        first = {*receiver.ids()}
        go_on.set()
        await until(lambda: len(receiver.received) == 14)
    names = [[(await row_of(live, each))["webhook_id"] for each in of] for of in (news, told)]
    assert [len(first & {*each}) for each in names] == [6, 1]
    assert (await row_of(live, urgent))["webhook_id"] in first


async def test_a_claim_reads_no_more_the_more_waits(live, bureau, receiver, clock) -> None:
    """A report is claimed with what else is due: it stands behind whatever that takes."""
    await an_endpoint(live, bureau, receiver.url)
    news = await subscribed(live)
    clock.advance(seconds=60)
    limits = (384, clock() + timedelta(seconds=60), 16, [], [], 384, 384)
    async with live.begin(SYSTEM) as tx:
        columns = [*dict(await row_of(live, news))]
        new = {
            "id": "gen_random_uuid()",
            "event_id": "gen_random_uuid()",
            "sequence": "d.sequence + n",
            "ordering_key": "md5((n % 100)::text)::uuid",
        }
        said = ", ".join(new.get(each, f"d.{each}") for each in columns)
        await tx.connection.execute(
            f"INSERT INTO webhook_deliveries ({', '.join(columns)}) SELECT {said}"
            " FROM webhook_deliveries d CROSS JOIN generate_series(1, 20000) n WHERE d.id = $1",
            news,
        )
        # Nobody has counted them: what waits now did not a moment ago.
        plan = await tx.connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claiming._CLAIM}", tx.now, *limits
        )
    (told,) = plan if isinstance(plan, list) else json.loads(plan)
    assert told["Plan"]["Actual Rows"] == 16
    assert told["Plan"]["Shared Hit Blocks"] < 3_000
