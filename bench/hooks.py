"""How fast deliveries go out: `python -m bench.hooks`.

One sender to one endpoint and to eight, against bare aiohttp that signs and posts the same bytes,
and against autocannon (`npm ci` in `openapi`; left out where it is not), to the same receiver in a
process of its own. Then the mix of the one figure that is published (shopware/shopware issue 16560:
46 calls/s by twelve workers): 20,040 events to eight endpoints, one call in ten answered after 500
to 1,000 ms, the first attempt of one in five refused, 24,048 calls. On an embedded server with
fsync on, in a folder of its own.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from app import wiring
from app.core import settings as config
from app.core import startup
from app.core.clock import utc_now
from app.core.data import migrations
from app.core.data.db import SYSTEM, Database, open_engine
from app.core.settings import Settings
from app.regions.divisions import shipped
from app.regions.operations import import_divisions
from app.webhooks import delivery, signing
from bench.handing import AS_SYSTEM, EMPTY, PACKAGES, PROVINCE, TAKEN, announce, endpoints, hand_out
from demo.stage import free_port
from scripts.scratch import choose

DELIVERIES = int(os.environ.get("BENCH_DELIVERIES", "20000"))
CALLS = int(os.environ.get("BENCH_CALLS", "24048"))
RECEIVERS = 8
PUBLISHED = 46.0
IN_FLIGHT = 64
AUTOCANNON = Path(__file__).resolve().parents[1] / "openapi/node_modules/.bin/autocannon"

_OPEN = "SELECT EXISTS (SELECT FROM webhook_deliveries WHERE state IN ('pending', 'leased'))"
_TOWNSHIPS = """
SELECT code FROM regions WHERE code >= $1 AND code < $1 + 10000000000 AND valid_until IS NULL
  AND level = 'township' ORDER BY code
"""
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """Of one way to send: requests/s, and CPU microseconds a request of who sends, and of the
    database.
    """

    rate: float
    cpu: float
    database: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is measured: the database, its owner's connection, and the receiver's port."""

    database: Database
    url: str
    admin: asyncpg.Connection
    port: int
    townships: list[int]

    def of(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def queue(self, path: str, receivers: int, deliveries: int) -> int:
        """Let so many deliveries to one path wait, and no others; return how many it are."""
        events = deliveries * len(PACKAGES) // (TAKEN * receivers)
        await self.admin.execute(f"{EMPTY}, subscriptions, webhook_endpoints")
        await endpoints(self.database, [PROVINCE] * receivers, self.of(path))
        await announce(self.database, events, self.townships)
        await hand_out(self.database, 1_000, events)
        await self.admin.execute("VACUUM ANALYZE")
        count: int = await self.admin.fetchval("SELECT count(*) FROM webhook_deliveries")
        return count


@asynccontextmanager
async def receiver() -> AsyncIterator[int]:
    """Run `bench/sink.py`; yields its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.sink", str(port))
    try:
        await until_it_listens(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def bare(url: str, count: int, body: bytes) -> Figure:
    """Sign and send as many requests of the size of a delivery as aiohttp can."""
    key, left = signing.new_secret(), iter(range(count))
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"content-type": "application/json", "user-agent": "bare"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:

        async def some() -> None:
            for number in left:
                now, name = int(utc_now().timestamp()), f"msg_{number:027d}"
                signed = {
                    "webhook-id": name,
                    "webhook-timestamp": str(now),
                    "webhook-signature": signing.signature([key], name, now, body),
                }
                async with client.post(url, data=body, headers=signed) as answer:
                    await answer.read()

        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
        took, spent = time.perf_counter() - began, time.process_time() - used
        return Figure(count / took, spent / count * 1e6)


async def autocannon(url: str, count: int, body: bytes) -> Figure | None:
    """Send the same by autocannon, which signs nothing; None where it is not installed."""
    if not AUTOCANNON.exists():
        return None
    process = await asyncio.create_subprocess_exec(
        *("node", str(AUTOCANNON), "--json", "--connections", str(IN_FLIGHT)),
        *("--amount", str(count), "--method", "POST", "--body", body.decode()),
        *("--headers", "content-type=application/json", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    began = os.times()
    said, _ = await process.communicate()
    spent = os.times().children_user - began.children_user
    found: dict[str, Any] = json.loads(said)
    answered = found["2xx"]
    if answered != count:
        raise RuntimeError(f"autocannon: {answered} of {count} answered with 2xx")
    return Figure(count / found["duration"], spent / count * 1e6)


async def delivered(place: Place, count: int) -> Figure:
    """Run one sender until all that waits is delivered."""
    stop = asyncio.Event()
    settings = config.Webhooks(
        allowed_networks=("127.0.0.1/32",), allow_http=True, allowed_ports=(place.port,)
    )
    before, used, began = await _servers(place.admin), time.process_time(), time.perf_counter()
    sender = asyncio.create_task(
        delivery.run(
            lambda: asyncpg.connect(place.url),
            begin=lambda: place.database.begin(SYSTEM),
            settings=settings,
            stop=stop,
        )
    )
    while await place.admin.fetchval(_OPEN):  # noqa: ASYNC110  the sender tells nobody
        await asyncio.sleep(0.1)
    took, spent = time.perf_counter() - began, time.process_time() - used
    stop.set()
    await sender
    return Figure(
        count / took, spent / count * 1e6, (await _servers(place.admin) - before) / count * 1e6
    )


async def _servers(admin: asyncpg.Connection) -> float:
    """CPU seconds of the server that this connection leads to, and of all it has started."""
    return _of_server(await admin.fetchval("SELECT pg_backend_pid()"))


def _of_server(backend: int) -> float:
    first = int(_fields(backend)[1])
    found = sum(map(int, _fields(first)[11:15]))
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = _fields(int(process.name))
            if int(fields[1]) == first:
                found += int(fields[11]) + int(fields[12])
    return found / _TICK


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


async def measure(place: Place, table: Table) -> None:
    """Hold one sender against bare aiohttp and autocannon, in turn, the better of two each."""
    for count in (1, RECEIVERS):
        ours: list[Figure] = []
        limits: list[Figure] = []
        for _ in range(2):
            waiting = await place.queue("/in", count, DELIVERIES)
            body = await place.admin.fetchval("SELECT body FROM webhook_deliveries LIMIT 1")
            limits.append(await bare(place.of("/in"), DELIVERIES, body))
            ours.append(await delivered(place, waiting))
        best = max(ours, key=lambda figure: figure.rate)
        limit = max(limits, key=lambda figure: figure.rate)
        cannon = await autocannon(place.of("/in"), DELIVERIES * 2, body)
        table.add_row(str(count), *_compared("bare aiohttp", limit, best, "0.60"))
        if cannon is not None:
            table.add_row(str(count), *_compared("autocannon", cannon, best, "0.20"))


def _compared(name: str, limit: Figure, ours: Figure, mark: str) -> tuple[str, ...]:
    return (
        *(name, f"{limit.rate:,.0f}", f"{ours.rate:,.0f}", f"{ours.rate / limit.rate:.2f}", mark),
        *(f"{limit.cpu:.0f}", f"{ours.cpu:.0f}", f"{ours.database:.0f}"),
    )


async def measure_mix(place: Place, table: Table) -> None:
    """Deliver the mix; count the calls by the attempts that were recorded."""
    waiting = await place.queue("/mix", RECEIVERS, CALLS * 5 // 6)
    figure = await delivered(place, waiting)
    calls = await place.admin.fetchval("SELECT count(*) FROM webhook_attempts")
    again = calls - waiting
    rate = figure.rate * calls / waiting
    slow = await place.admin.fetchval(
        "SELECT count(*) FROM webhook_attempts WHERE duration_ms >= 500"
    )
    table.add_row(
        *(f"{waiting:,}", f"{calls:,}", f"{again / waiting:.0%}", f"{slow / calls:.0%}"),
        *(f"{rate:,.0f}", f"{rate / PUBLISHED:.1f}", "20"),
    )


async def run(settings: Settings) -> None:
    wiring.load()
    console = Console(width=120)
    single = Table(
        *("endpoints", "against", "its req/s", "deliveries/s", "ratio", "mark"),
        *("its CPU µs", "sender CPU µs", "database CPU µs"),
    )
    mix = Table(
        *("deliveries", "calls", "tried again", "≥ 500 ms", "calls/s"),
        *("× the published", "mark"),
    )
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        engine = open_engine(addresses.app_url, settings.database)
        database = Database(engine, startup.keyring(settings), utc_now)
        async with database.begin(SYSTEM) as tx:
            await import_divisions(tx.connection, shipped())
        admin = await asyncpg.connect(addresses.owner_url)
        await admin.execute(AS_SYSTEM)
        townships = [row[0] for row in await admin.fetch(_TOWNSHIPS, PROVINCE)]
        async with receiver() as port:
            place = Place(database, addresses.app_url, admin, port, townships)
            await measure(place, single)
            console.print(single)
            await measure_mix(place, mix)
            console.print(mix)
        await admin.close()
        await database.close()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-hooks-", dir=choose(durable=True).folder))
    os.environ.update({"TONGHU_ENVIRONMENT": "sandbox", "TONGHU_DATA_DIR": str(folder)})
    try:
        uvloop.run(run(Settings()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
