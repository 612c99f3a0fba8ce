"""Facts under fire: web, worker and database killed, endpoints switched off and on, eight who
announce, and one who changes files by the API.

Every subscriber gets every fact that was committed, once or more, those about one subject in their
order; nothing that was promised is lost (R1, R13, R15).
"""

import asyncio
import contextlib
import os
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from aiohttp import web

from app.children.events import ChildChanged
from app.core import settings as config
from app.core.clock import utc_now
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, TemporarilyUnavailable, open_engine
from app.core.ids import new_id
from app.core.jobs.events import Event, publish
from tests.faults.town import VILLAGE, Town
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("faults")

WRITERS = 8
SUBJECTS = [new_id() for _ in range(400)]
"""Some fifty facts about each at most: a claim looks at all that wait behind others of one."""
SUBSCRIBERS = ("first", "second", "third")
LOST = (TemporarilyUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Told(Event):
    """A fact no handler waits for."""

    wire_name: ClassVar[str] = "children.told"
    subject: ClassVar[str] = "child"


FACTS = (Told.wire_name, ChildChanged.wire_name)


@dataclass
class Desk:
    """What each subscriber got, as it came: number by number of each subject."""

    arrived: dict[str, dict[str, list[int]]] = field(
        default_factory=lambda: {name: defaultdict(list) for name in SUBSCRIBERS}
    )
    facts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def all_have(self, count: int) -> bool:
        return min(len(self.facts[name]) for name in SUBSCRIBERS) >= count

    async def take(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        if body["type"] in FACTS:
            name, data = request.match_info["name"], body["data"]
            if data["event_id"] not in self.facts[name]:
                self.facts[name].add(data["event_id"])
                self.arrived[name][data["subject_id"]].append(data["sequence"])
        return web.Response(status=204)


@contextlib.asynccontextmanager
async def subscribing(town: Town) -> AsyncIterator[tuple[Desk, list[UUID]]]:
    """Register the subscribers and listen for them, until the block ends."""

    def register() -> list[UUID]:
        with town.caller("county", "registration") as county:
            return [
                UUID(
                    county.call("POST", "/v1/webhook-endpoints", _endpoint(town, name)).json()["id"]
                )
                for name in SUBSCRIBERS
            ]

    endpoints = await asyncio.to_thread(register)
    desk = Desk()
    app = web.Application()
    app.router.add_post("/{name}", desk.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", town.receiver_port).start()
        yield desk, endpoints
    finally:
        await runner.cleanup()
        await switch(town, endpoints, on=False)


def _endpoint(town: Town, name: str) -> dict[str, object]:
    url = f"http://127.0.0.1:{town.receiver_port}/{name}"
    return {"url": url, "description": name, "event_types": ["children.*"]}


async def switch(town: Town, endpoints: list[UUID], *, on: bool) -> None:
    await town.query(
        "UPDATE webhook_endpoints SET active = $2 WHERE id = ANY ($1::uuid[])", endpoints, on
    )


@pytest.mark.parametrize(
    ("count", "strikes"), [(400, 3), pytest.param(20_000, 12, marks=pytest.mark.long)]
)
async def test_every_subscriber_gets_every_fact_in_order(town: Town, count, strikes) -> None:
    promised: list[UUID] = []
    changed: list[tuple[UUID, int]] = []
    engine = open_engine(town.database, config.Database(pool_size=WRITERS))
    database = Database(engine, Keyring.generate(), utc_now)
    async with subscribing(town) as (desk, endpoints):
        since = new_id()
        async with asyncio.TaskGroup() as together:
            for _ in range(WRITERS):
                together.create_task(announce(database, promised, count))
            together.create_task(change(town, changed, promised, count))
            together.create_task(strike(town, endpoints, promised, count, strikes))
        await switch(town, endpoints, on=True)
        await town.lose_leases()
        kept = await town.query(
            """SELECT id, subject_id, sequence, (data ->> 'version')::integer AS version
               FROM events WHERE wire_name = ANY ($1::text[]) AND id > $2 ORDER BY sequence""",
            FACTS,
            since,
        )
        for tenth in range(1, 11):
            await until(partial(all_have, town, desk, len(kept) * tenth // 10))
    await database.close()
    ids = {str(row["id"]) for row in kept}
    assert {str(each) for each in promised} <= ids
    assert {*changed} <= {(row["subject_id"], row["version"]) for row in kept}
    assert changed
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in kept:
        numbers[str(row["subject_id"])].append(row["sequence"])
    for name in SUBSCRIBERS:
        assert desk.facts[name] == ids
        assert desk.arrived[name] == numbers
    places = await town.query("SELECT position FROM events WHERE position > 0 ORDER BY position")
    assert [row["position"] for row in places] == [*range(1, len(places) + 1)]


async def announce(database: Database, promised: list[UUID], count: int) -> None:
    """Announce two facts in each transaction, of which one in twenty is given up."""
    while len(promised) < count:
        facts = [_fact(subject) for subject in random.sample(SUBJECTS, 2)]
        given_up = random.random() < 0.05
        try:
            async with database.begin(SYSTEM) as tx:
                await publish(tx, *facts)
                1 // (not given_up)
        except LOST:
            await asyncio.sleep(0.1)
        except ZeroDivisionError:
            pass
        else:
            promised.extend(fact.event_id for fact in facts)


async def change(
    town: Town, changed: list[tuple[UUID, int]], promised: list[UUID], count: int
) -> None:
    """Move pupils from class to class; what is answered 200 is promised."""
    who = await asyncio.to_thread(town.token, "county", "registration")
    headers = {"authorization": f"Bearer {who.token}", "purpose-of-use": who.purpose}
    async with httpx.AsyncClient(base_url=town.base, headers=headers) as client:
        while len(promised) < count:
            pupil = random.choice(town.pupils)
            try:
                read = await client.get(f"/v1/children/{pupil}")
                answer = read.is_success and await client.patch(
                    f"/v1/children/{pupil}",
                    json={"education": {"class_name": str(random.random())}},
                    headers={
                        "if-match": read.headers["etag"],
                        "content-type": "application/merge-patch+json",
                    },
                )
            except httpx.TransportError:
                answer = False
            if not answer:
                await asyncio.sleep(0.1)
            elif answer.is_success:
                changed.append((UUID(pupil), answer.json()["version"]))
            else:
                assert answer.status_code in {412, 429, 503}, answer.text


async def all_have(town: Town, desk: Desk, count: int) -> bool:
    """Whether every subscriber has so many; what failed meanwhile is due now."""
    if desk.all_have(count):
        return True
    await town.query(
        "UPDATE webhook_deliveries SET next_at = now() WHERE state = 'pending' AND next_at > now()"
    )
    await asyncio.sleep(0.5)
    return False


def _fact(subject: UUID) -> Told:
    county = VILLAGE // 1_000_000 * 1_000_000
    return Told(subject_id=subject, region_code=VILLAGE, home_county=county)


async def strike(
    town: Town, endpoints: list[UUID], promised: list[UUID], count: int, strikes: int
) -> None:
    """Now and then kill worker, database or web, switch one endpoint off and the others on."""

    def reached(share: int) -> bool:
        return len(promised) >= count * share // (strikes + 2)

    for number in range(strikes):
        await until(partial(reached, number + 1))
        await switch(town, endpoints, on=True)
        await switch(town, [endpoints[number % len(endpoints)]], on=False)
        part = ("worker", "postmaster", "web")[number % 3]
        os.kill(town.pid(part), signal.SIGKILL)
        if part != "postmaster":
            town.kill(part)
            await town.lose_leases()
            await asyncio.to_thread(town.up)
