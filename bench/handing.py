"""How fast facts are handed out and delivered: `python -m bench.handing`.

Events/s of the handing out by itself, with no endpoint, 3,000 and 30,000, by the batch and one at a
time; then deliveries/s of one sender to one endpoint, against the same requests by bare aiohttp. On
an embedded server with fsync on, in a folder of its own. Endpoints stand at the townships of one
province (nine of ten), at its counties and above; each takes two packages of five.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import aiohttp
import asyncpg
import uvloop
from aiohttp import web
from rich.console import Console
from rich.table import Table

from app import wiring
from app.children.events import ChildChanged
from app.core import settings as config
from app.core import startup
from app.core.clock import utc_now
from app.core.data import migrations
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, open_engine
from app.core.ids import new_id
from app.core.jobs.events import publish
from app.core.settings import Settings
from app.regions.divisions import shipped
from app.regions.operations import import_divisions
from app.webhooks import delivery, signing
from app.webhooks.handing import BATCH, SMALL_BATCH
from app.webhooks.models import SECRET_PLACE
from app.webhooks.operations import fan_out
from demo.stage import free_port
from scripts.scratch import choose

ENDPOINTS = (0, 3_000, 30_000)
EVENTS = int(os.environ.get("BENCH_EVENTS", "10000"))
DELIVERIES = EVENTS // 2
ONE_AT_A_TIME = EVENTS // 50
PROVINCE = 130000000000
PACKAGES = ("attendance", "children", "duties", "referrals", "visits")
IN_FLIGHT = 64

_PLACES = """
SELECT code FROM regions WHERE code >= $1 AND code < $1 + 10000000000 AND valid_until IS NULL
  AND level = $2 ORDER BY code
"""
_AGENCIES = """
INSERT INTO agencies (id, kind, name, region_code, active, version, created_at, updated_at)
SELECT id, 'civil_affairs', 'bench ' || n, place, true, 1, now(), now()
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS a (id, place, n)
"""
_ENDPOINTS = """
INSERT INTO webhook_endpoints (id, agency_id, url, description, event_types, mandatory, relation,
    region_code, region_lo, region_hi, secret_sealed, last_sequence, active, version, created_at,
    updated_at)
SELECT id, id, $3, 'bench',
       ARRAY[($4::text[])[n % 5 + 1] || '.*', ($4::text[])[(n + 1) % 5 + 1] || '.*'], false,
       'region', place, place, place + 1, sealed, 0, true, 1, now(), now()
FROM unnest($1::uuid[], $2::bigint[], $5::bytea[]) WITH ORDINALITY AS a (id, place, sealed, n)
"""
_SUBSCRIBE = """
INSERT INTO subscriptions (endpoint_id, wire_name, agency_id, relation, region_code)
SELECT e.id, taken, e.agency_id, e.relation, e.region_code
FROM webhook_endpoints e, unnest(e.event_types) AS taken ON CONFLICT DO NOTHING
"""
_EMPTY = (
    "TRUNCATE webhook_attempts, webhook_deliveries, events, event_named, subject_sequences, jobs"
)
_AS_SYSTEM = "SELECT set_config('tonghu.caller', 'system', false)"
_OPEN = "SELECT EXISTS (SELECT FROM webhook_deliveries WHERE state IN ('pending', 'leased'))"


async def endpoints(database: Database, places: list[int], url: str) -> None:
    """Register one endpoint at each place, each of an agency of its own."""
    ids = [new_id() for _ in places]
    keyring: Keyring = database.keyring
    sealed = [keyring.seal(SECRET_PLACE, each, signing.new_secret()) for each in ids]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("SET LOCAL statement_timeout = 0")
        await tx.connection.execute(_AGENCIES, ids, places)
        await tx.connection.execute(_ENDPOINTS, ids, places, url, list(PACKAGES), sealed)
        await tx.connection.execute(_SUBSCRIBE)


def spread(count: int, townships: list[int], counties: list[int]) -> list[int]:
    """Choose where `count` endpoints stand."""
    above = [PROVINCE] * (count // 10_000)
    middle = [counties[n % len(counties)] for n in range(count // 10)]
    below = count - len(above) - len(middle)
    return [*above, *middle, *(townships[n % len(townships)] for n in range(below))]


def kind_of(package: str) -> type[ChildChanged]:
    """Make a kind of event of a package, which no job waits for."""

    class Kind(ChildChanged):
        wire_name: ClassVar[str] = f"{package}.bench"

    return Kind


KINDS = [*map(kind_of, PACKAGES)]


async def announce(database: Database, count: int, townships: list[int]) -> float:
    """Publish events about as many subjects, a hundred in a transaction; return events/s."""

    def event(number: int) -> ChildChanged:
        place = townships[number * 7 % len(townships)]
        return KINDS[number % len(KINDS)](
            subject_id=new_id(),
            region_code=place,
            home_county=place // 1_000_000 * 1_000_000,
            version=2,
            sections=["education"],
            previous_region_code=None,
        )

    began = time.perf_counter()
    for start in range(0, count, 100):
        async with database.begin(SYSTEM) as tx:
            await publish(tx, *map(event, range(start, min(start + 100, count))))
    return count / (time.perf_counter() - began)


async def hand_out(database: Database, size: int, passes: int) -> tuple[float, int, int]:
    """Hand out what waits; return events/s, events and deliveries."""
    began, events, deliveries = time.perf_counter(), 0, 0
    for _ in range(passes):
        async with database.begin(SYSTEM) as tx:
            passed = await fan_out.hand_out(tx, size)
        if passed is None or not passed.events:
            break
        events, deliveries = events + passed.events, deliveries + passed.deliveries
    return events / (time.perf_counter() - began), events, deliveries


async def measure_handing(database: Database, owner: str, table: Table) -> None:
    admin = await asyncpg.connect(owner)
    await admin.execute(_AS_SYSTEM)
    townships = [row[0] for row in await admin.fetch(_PLACES, PROVINCE, "township")]
    counties = [row[0] for row in await admin.fetch(_PLACES, PROVINCE, "county")]
    there, first = 0, 0.0
    for count in ENDPOINTS:
        await endpoints(
            database, spread(count - there, townships, counties), "https://bench.invalid/"
        )
        there = count
        await admin.execute(_EMPTY)
        await announce(database, 1_000, townships)
        await hand_out(database, 1_000, 10)  # warms up
        await announce(database, ONE_AT_A_TIME, townships)
        await admin.execute("ANALYZE")
        one, *_ = await hand_out(database, 1, ONE_AT_A_TIME)
        announced = await announce(database, EVENTS, townships)
        batch = BATCH if count < max(ENDPOINTS) else SMALL_BATCH
        rate, events, made = await hand_out(database, batch, EVENTS)
        first = first or rate
        table.add_row(
            f"{count:,}",
            f"{made / events:.1f}",
            f"{announced:,.0f}",
            f"{one:,.0f}",
            f"{rate:,.0f}",
            f"{rate / one:.0f}",
            f"{rate / first:.2f}",
            f"{rate * made / events:,.0f}",
        )
    await admin.close()


async def receive(port: int) -> None:
    """Answer every POST with 204, in a process of its own."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/in", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def bare(url: str, count: int, body: bytes) -> float:
    """Send as many requests of the size of a delivery as aiohttp can; return requests/s."""
    headers = {"webhook-id": "msg_0", "webhook-signature": "v1,0" * 12, "webhook-timestamp": "1"}
    left = iter(range(count))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:

        async def some() -> None:
            for _ in left:
                async with client.post(url, data=body) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
        return count / (time.perf_counter() - began)


async def measure_delivering(
    database: Database, urls: startup.DatabaseAddresses, table: Table
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/in"
    admin = await asyncpg.connect(urls.owner_url)
    await admin.execute(_AS_SYSTEM)
    await admin.execute(f"{_EMPTY}, subscriptions, webhook_endpoints")
    townships = [row[0] for row in await admin.fetch(_PLACES, PROVINCE, "township")]
    receiver = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.handing", str(port)
    )
    try:
        await until_it_listens(port)
        for count in (1, 8):
            await admin.execute(f"{_EMPTY}, subscriptions, webhook_endpoints")
            await endpoints(database, [PROVINCE] * count, url)
            await announce(database, DELIVERIES * 2 // count, townships)
            await hand_out(database, 1_000, EVENTS)
            waiting = await admin.fetchval("SELECT count(*) FROM webhook_deliveries")
            body = await admin.fetchval("SELECT body FROM webhook_deliveries LIMIT 1")
            await admin.execute("ANALYZE")
            limit = max([await bare(url, DELIVERIES, body) for _ in range(2)])
            rate = await delivered(database, urls.app_url, port, admin, waiting)
            figures = (f"{limit:,.0f}", f"{rate:,.0f}", f"{rate / limit:.2f}")
            table.add_row(f"{count}", *figures, "0.60")
    finally:
        receiver.terminate()
        await receiver.wait()
        await admin.close()


async def delivered(
    database: Database, url: str, port: int, admin: asyncpg.Connection, count: int
) -> float:
    """Run one sender until all that waits is delivered; return deliveries/s."""
    stop = asyncio.Event()
    settings = config.Webhooks(
        allowed_networks=("127.0.0.1/32",), allow_http=True, allowed_ports=(port,)
    )
    began = time.perf_counter()
    sender = asyncio.create_task(
        delivery.run(
            lambda: asyncpg.connect(url),
            begin=lambda: database.begin(SYSTEM),
            settings=settings,
            stop=stop,
        )
    )
    while await admin.fetchval(_OPEN):  # noqa: ASYNC110  the sender tells nobody
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    stop.set()
    await sender
    return count / took


async def run(settings: Settings) -> None:
    wiring.load()
    console = Console(width=120)
    handing = Table(
        *("endpoints", "deliveries/event", "announced/s", "one at a time/s", "events/s"),
        *("× one at a time", "of no endpoint", "deliveries/s"),
    )
    delivering = Table("endpoints", "bare aiohttp/s", "deliveries/s", "ratio", "mark")
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        engine = open_engine(addresses.app_url, settings.database)
        database = Database(engine, startup.keyring(settings), utc_now)
        async with database.begin(SYSTEM) as tx:
            await import_divisions(tx.connection, shipped())
        await measure_handing(database, addresses.owner_url, handing)
        console.print(handing)
        await measure_delivering(database, addresses, delivering)
        console.print(delivering)
        await database.close()


def main() -> None:
    if len(sys.argv) > 1:
        uvloop.run(receive(int(sys.argv[1])))
    folder = Path(tempfile.mkdtemp(prefix="tonghu-bench-", dir=choose(durable=True).folder))
    os.environ.update({"TONGHU_ENVIRONMENT": "sandbox", "TONGHU_DATA_DIR": str(folder)})
    try:
        uvloop.run(run(Settings()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
