"""SIGTERM under load: not ready first, what is in flight is finished, nothing is left running."""

import asyncio
import signal
import subprocess

import asyncpg
import httpx
import pytest
from aiohttp import web

from tests.faults.load import AT_ONCE, Load, assert_nothing_lost
from tests.faults.town import Town
from tests.waiting import PATIENCE, until
from tests.webhooks.workshop import Receiver

pytestmark = pytest.mark.xdist_group("faults")

DONE = 0


async def answers(http: httpx.AsyncClient, path: str) -> int | None:
    """Ask; None: nobody listens."""
    try:
        return (await http.get(path)).status_code
    except httpx.TransportError:
        return None


async def test_web_finishes_what_is_in_flight_and_nothing_is_left_running(town: Town) -> None:
    load = await asyncio.to_thread(Load.of, town)
    holder = await asyncpg.connect(town.database)
    lock = holder.transaction()
    await lock.start()
    await holder.execute("LOCK TABLE audit_entries")  # who calls now waits in mid-request
    running = asyncio.create_task(load.run(AT_ONCE * 3))
    await until(lambda: all_wait(town))
    process = town.processes["web"]
    async with httpx.AsyncClient(base_url=town.base, timeout=PATIENCE) as http:
        process.send_signal(signal.SIGTERM)
        assert await until(lambda: not_ready(http))
        assert await answers(http, "/livez") == httpx.codes.OK  # the door is open still
        process.send_signal(signal.SIGTERM)
    await until(lambda: closed(town))
    assert process.poll() is None
    in_flight = [wish for wish in load.wishes if wish.tries]
    await lock.rollback()
    await holder.close()
    assert await ended(process) == DONE
    assert [wish.promised for wish in in_flight] == [True] * AT_ONCE
    assert await ended(town.processes["worker"], signal.SIGTERM) == DONE
    await until(town.is_gone)

    await asyncio.to_thread(town.up)  # the callers that found the door closed go on
    await running
    await assert_nothing_lost(load)


async def test_worker_writes_down_what_it_was_sending(town: Town, receiver: Receiver) -> None:
    load = await asyncio.to_thread(Load.of, town)
    go_on = asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response()

    receiver.replies = [hold]
    await load.run(1)
    await until(lambda: receiver.in_flight)
    town.processes["worker"].send_signal(signal.SIGTERM)
    go_on.set()
    assert await ended(town.processes["worker"]) == DONE
    rows = await town.query(
        "SELECT state, attempts FROM webhook_deliveries WHERE ordering_key = $1", load.wishes[0].id
    )
    assert [tuple(row) for row in rows] == [("succeeded", 1)]


async def ended(process: subprocess.Popen[bytes], number: int | None = None) -> int:
    if number is not None:
        process.send_signal(number)
    return await asyncio.to_thread(process.wait, PATIENCE)


async def not_ready(http: httpx.AsyncClient) -> bool:
    return await answers(http, "/readyz") == httpx.codes.SERVICE_UNAVAILABLE


async def closed(town: Town) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", town.port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def all_wait(town: Town) -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return len(await town.query(waiting)) >= AT_ONCE
