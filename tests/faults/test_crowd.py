"""Eight o'clock, over real sockets: whatever the crowd does, reports and the police are served."""

import asyncio

import asyncpg
import httpx
import pytest

from app.core.areas import Lane
from app.core.http.admission import places
from app.core.settings import Database
from demo import api
from demo.cast import Cast
from tests.access.apps import Form, authorization, pkce
from tests.faults.load import Load, a_report
from tests.faults.town import Town
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.xdist_group("faults")

CROWD = 60
INSIDE = places(Database().pool_size)[Lane.machines]
"""How many of a crowd of machines are let in at once."""
GUESSERS = 30


def browser(town: Town, address: str) -> httpx.AsyncClient:
    """Come from an address of this machine, over as many connections as asked for."""
    limits = httpx.Limits(max_connections=None)
    transport = httpx.AsyncHTTPTransport(local_address=address, limits=limits)
    return httpx.AsyncClient(base_url=town.base, transport=transport, timeout=PATIENCE)


async def police_reads(town: Town, http: httpx.AsyncClient) -> int:
    police = await asyncio.to_thread(town.token, "police", "protection")
    headers = {"authorization": f"Bearer {police.token}", "purpose-of-use": "protection"}
    return (await http.get("/v1/police-reports", headers=headers)).status_code


async def test_machines_that_wait_keep_nobody_else_waiting(town: Town) -> None:
    load = await asyncio.to_thread(Load.of, town)
    holder = await asyncpg.connect(town.database)
    lock = holder.transaction()
    await lock.start()
    await holder.execute("LOCK TABLE attendance_events")  # whoever pushes now waits in mid-request
    push = load._wish(2)
    headers = {"authorization": f"Bearer {load.callers['attendance'].token}"}
    async with browser(town, "127.0.0.1") as http:

        async def pushed(number: int) -> httpx.Response:
            key = {"idempotency-key": f"crowd-{number}"}
            return await http.post(push.path, json=push.body, headers=headers | key)

        crowd = [asyncio.ensure_future(pushed(number)) for number in range(CROWD)]
        await until(lambda: any(each.done() for each in crowd))
        report = a_report(town)
        await load.send(http, report)
        assert (report.status, report.tries) == (201, 1)
        assert await police_reads(town, http) == 200
        await until(lambda: sum(each.done() for each in crowd) == CROWD - INSIDE)
        refused = [each.result() for each in crowd if each.done()]
        assert {answer.json()["type"] for answer in refused} == {"/problems/too-many-at-once"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        await lock.rollback()
        await holder.close()
        done = [(await each).status_code for each in crowd]
    assert sorted(done)[:INSIDE] == [202] * INSIDE


async def test_guessers_keep_nobody_else_out(town: Town) -> None:
    cast = Cast.read(town.data_dir)
    person = cast.people["county_officer"]
    _, challenge = pkce()
    asked = authorization(cast.app_client_id, challenge, redirect_uri=api.CALLBACK)
    load = await asyncio.to_thread(Load.of, town)
    told: list[int] = []
    over = asyncio.Event()
    async with browser(town, "127.0.0.2") as elsewhere, browser(town, "127.0.0.1") as http:

        async def guess(form: Form, number: int) -> None:
            while not over.is_set():
                fields = {**form.fields, "username": f"nobody{number}", "password": "guess"}
                told.append((await elsewhere.post(form.action, data=fields)).status_code)

        form = Form(await elsewhere.get("/oauth/authorize", params=asked))
        async with asyncio.TaskGroup() as together:
            for number in range(GUESSERS):
                together.create_task(guess(form, number))
            await until(lambda: told.count(429) > GUESSERS)
            report = a_report(town)
            await load.send(http, report)
            mine = Form(await http.get("/oauth/authorize", params=asked))
            fields = {**mine.fields, "username": person.username, "password": person.password}

            async def signed_in() -> bool:
                return (await http.post(mine.action, data=fields)).status_code == 303

            await until(signed_in)
            over.set()
    assert (report.status, report.tries) == (201, 1)
    assert {400, 429} <= set(told) <= {400, 429, 503}
