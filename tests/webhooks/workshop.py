"""A real HTTP receiver, a sender beside it, and deliveries to send."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import standardwebhooks
import time_machine
from aiohttp import web

from app.core import settings as config
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs.events import publish
from app.webhooks import delivery, signing
from app.webhooks.events import WebhookOverdue
from app.webhooks.models import SECRET_PLACE, WebhookEndpoint
from app.webhooks.operations import deliveries, endpoints, fan_out
from tests.access.factories import an_agency
from tests.waiting import PATIENCE

TOWNSHIP = 120119101000
VILLAGE = 120119101200
HOME = 120119000000
QUICK = delivery.Limits(poll=timedelta(milliseconds=20))

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Clock:
    """The time as the test says."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with `replies` in turn, then 200; keeps what it was sent."""

    url: str = ""
    port: int = 0
    received: list[Received] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.received]

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(headers, await request.read()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self.replies.pop(0) if self.replies else status(200)
            return await reply(request)
        finally:
            self.in_flight -= 1


def status(code: int, text: str = "", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers=named)

    return reply


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@contextlib.asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    try:
        receiver.port = await _listen(runner, tls)
        receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{receiver.port}/in"
        yield receiver
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, tls: ssl.SSLContext | None) -> int:
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        except OSError:
            continue
        return port


def settings_for(*receivers: Receiver, **others: Any) -> config.Webhooks:
    return config.Webhooks(
        allowed_networks=("127.0.0.1/32",),
        allow_http=True,
        allowed_ports=tuple(receiver.port for receiver in receivers),
        **others,
    )


@contextlib.asynccontextmanager
async def sending(
    database: Database, settings: config.Webhooks, url: str
) -> AsyncIterator[asyncio.Event]:
    """Run a sender; leaving the block stops it and waits for its end. If it dies before, so does
    the block, which would wait in vain.
    """
    stop, block = asyncio.Event(), asyncio.current_task()
    task = asyncio.create_task(
        delivery.run(
            lambda: asyncpg.connect(url),
            begin=lambda: database.begin(SYSTEM),
            settings=settings,
            stop=stop,
            limits=QUICK,
        )
    )
    task.add_done_callback(lambda _: None if stop.is_set() or block is None else block.cancel())
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await task


async def an_endpoint(
    database: Database,
    agency_id: UUID,
    url: str,
    *,
    event_types: tuple[str, ...] = ("webhooks.*",),
    relation: str = "region",
    secret: bytes | None = None,
    region: tuple[int, int] = (120119000000, 120120000000),
) -> tuple[UUID, bytes]:
    """Put an endpoint into the table; returns its id and secret."""
    identity, key = new_id(), secret or signing.new_secret()
    async with database.begin(SYSTEM) as tx:
        tx.session.add(
            WebhookEndpoint(
                id=identity,
                agency_id=agency_id,
                url=url,
                description="测试",
                event_types=list(event_types),
                mandatory=True,
                relation=relation,
                region_code=region[0],
                region_lo=region[0],
                region_hi=region[1],
                secret_sealed=tx.keyring.seal(SECRET_PLACE, identity, key),
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
        await tx.flush()
        await endpoints.subscribe(tx, identity)
    return identity, key


def an_event(subject_id: UUID | None = None, region_code: int = TOWNSHIP) -> WebhookOverdue:
    """Some event: any will do."""
    return WebhookOverdue(
        subject_id=subject_id or new_id(),
        region_code=region_code,
        home_county=HOME,
        delivery_id=new_id(),
        source_event_id=new_id(),
        source_wire_name="police_reports.report_filed",
        agency_id=new_id(),
    )


def facts_of(event: WebhookOverdue) -> dict[str, Any]:
    """What a delivery of it says, beside its place in order."""
    codes = {"region_code": f"{event.region_code:012d}", "home_county": f"{event.home_county:012d}"}
    return {**event.model_dump(mode="json"), **codes, "event_id": str(event.event_id)}


async def queue(database: Database, agency_id: UUID, subject_id: UUID | None = None) -> UUID:
    """Queue one mandatory delivery; returns its id."""
    async with database.begin(SYSTEM) as tx:
        (made,) = await deliveries.tell(tx, an_event(subject_id), agency_id=agency_id)
    return made


async def subscribed(database: Database, subject_id: UUID | None = None) -> UUID:
    """Publish an event for those who subscribed to such; returns the delivery of the one."""
    async with database.begin(SYSTEM) as tx:
        event = an_event(subject_id)
        await publish(tx, event)
        await fan_out.hand_out(tx, 1_000)
        made: UUID = await tx.connection.fetchval(
            "SELECT id FROM webhook_deliveries WHERE event_id = $1", event.event_id
        )
    return made


async def beside(database: Database, receiver: Receiver) -> UUID:
    """Queue one to another agency, too: that it arrived tells that the sender took its turns."""
    neighbour = await an_agency(database, "police", HOME)
    await an_endpoint(database, neighbour, receiver.url)
    return await queue(database, neighbour)


async def row_of(database: Database, delivery_id: UUID) -> Any:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchrow(
            "SELECT * FROM webhook_deliveries WHERE id = $1", delivery_id
        )


async def attempts_of(database: Database, delivery_id: UUID) -> list[Any]:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch(
            "SELECT * FROM webhook_attempts WHERE delivery_id = $1 ORDER BY number", delivery_id
        )


async def waits_for(database: Database, delivery_id: UUID) -> timedelta:
    """Say how long after the end of its last attempt a delivery is due."""
    attempt = (await attempts_of(database, delivery_id))[-1]
    ended = attempt["started_at"] + timedelta(milliseconds=attempt["duration_ms"])
    wait: timedelta = (await row_of(database, delivery_id))["next_at"] - ended
    return wait


async def pass_time_until_due(database: Database, delivery_id: UUID, clock: Clock) -> None:
    """An attempt lasts as long as it lasts: only the row says when the next one is due."""
    clock.now = (await row_of(database, delivery_id))["next_at"] + timedelta(seconds=1)


def has_state(database: Database, delivery_id: UUID, state: str, attempts: int) -> Any:
    async def reached() -> bool:
        row = await row_of(database, delivery_id)
        return (row["state"], row["attempts"]) == (state, attempts)

    return reached


def verified(received: Received, key: bytes, now: datetime) -> Any:
    """Verify as a receiver would at `now`, with the reference library; returns the payload."""
    with time_machine.travel(now, tick=False):
        webhook = standardwebhooks.Webhook(signing.secret_text(key))
        return webhook.verify(received.body, received.headers)
