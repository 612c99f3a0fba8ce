"""The police's system is broken for a while; the worker dies between sending and writing it down.

The schedule of retries is the production one; the test only moves its next moment to now.
"""

import asyncio
import os
import signal

import httpx
import pytest
from aiohttp import web

from tests.faults import load as loads
from tests.faults.town import Town, desk, read_signed
from tests.waiting import PATIENCE, until
from tests.webhooks.workshop import Receiver, hang, status

pytestmark = pytest.mark.xdist_group("faults")


async def filed(town: Town) -> str:
    load = await asyncio.to_thread(loads.Load.of, town)
    wish = loads.a_report(town)
    async with httpx.AsyncClient(base_url=town.base, timeout=PATIENCE) as http:
        await load.send(http, wish)
    assert wish.status == 201, load.surprises
    return wish.id


async def failed(town: Town, report_id: str, attempts: int) -> None:
    """Wait until an attempt is written down as failed, then let the next one be due."""

    async def made() -> object:
        return await town.query(
            "UPDATE webhook_deliveries SET next_at = now() WHERE ordering_key = $1"
            " AND state = 'pending' AND attempts = $2"
            " RETURNING pg_notify('tonghu_deliveries', '')",
            report_id,
            attempts,
        )

    await until(made)


async def chain_when_delivered(town: Town, report_id: str) -> dict:
    """Read what one API call tells of a report once it has arrived."""
    county = await asyncio.to_thread(town.token, "county", "protection")
    headers = {"authorization": f"Bearer {county.token}", "purpose-of-use": "protection"}
    async with httpx.AsyncClient(base_url=town.base, headers=headers, timeout=PATIENCE) as http:

        async def delivered() -> dict | None:
            chain = (await http.get(f"/v1/police-reports/{report_id}/chain")).json()
            if chain["state"] == "delivered":
                return chain
            await due_again(town, report_id)
            return None

        return await until(delivered)


async def garbage(request: web.Request) -> web.StreamResponse:
    """Answer with something that is not HTTP."""
    assert request.transport is not None
    request.transport.write(b"\x00\xff no HTTP at all \r\n\r\n")
    request.transport.close()
    return web.Response()


async def test_broken_receiver_gets_it_when_it_is_back(town: Town) -> None:
    broken = [status(500), hang, status(302, location="/elsewhere"), garbage]
    receiver = Receiver(replies=list(broken))
    async with desk(town, receiver):
        report_id = await filed(town)
        for attempt in range(1, len(broken) + 1):
            await failed(town, report_id, attempt)
    while_away = len(receiver.received)
    async with desk(town, receiver):
        chain = await chain_when_delivered(town, report_id)
    arrived = read_signed(town, receiver)[report_id]
    assert while_away >= len(broken)
    assert len(set(arrived)) == 1
    [delivery] = chain["deliveries"]
    assert delivery["webhook_id"] == arrived[0][0]
    told = [one["status"] for one in delivery["attempts"]]
    assert told[:4] == [500, None, 302, None]
    assert told[-1] == 200


async def due_again(town: Town, report_id: str) -> None:
    """Let the next attempt be due now: one that met a closed door would wait for minutes."""
    await town.query(
        "UPDATE webhook_deliveries SET next_at = now() WHERE ordering_key = $1"
        " AND state = 'pending' RETURNING pg_notify('tonghu_deliveries', '')",
        report_id,
    )


@pytest.mark.long
async def test_worker_killed_between_send_and_mark_sends_the_same_again(
    town: Town, receiver: Receiver
) -> None:
    async def kill_worker(_: web.Request) -> web.StreamResponse:
        os.kill(town.pid("worker"), signal.SIGKILL)
        return web.Response()

    receiver.replies = [kill_worker]
    report_id = await filed(town)
    await until(lambda: town.processes["worker"].poll() is not None)
    await town.lose_leases()
    await asyncio.to_thread(town.up)
    chain = await chain_when_delivered(town, report_id)
    first, second = read_signed(town, receiver)[report_id]
    assert first == second
    [delivery] = chain["deliveries"]
    assert delivery["webhook_id"] == first[0]
    assert [one["number"] for one in delivery["attempts"]] == [2]
