"""From a report's 201 to the first byte of it at the police: `python -m bench.told`.

One web process and one worker on a database of their own; a civil affairs office files a report
every fifth of a second. First while nothing else happens, then while 1,000 schools push as in
`bench.herd` and 20,000 deliveries to endpoints of other agencies wait, a tenth of them to be
answered slowly and a fifth refused at first.
"""

import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from app.core import startup
from app.core.clock import utc_now
from app.core.data import migrations
from app.core.data.db import Database, open_engine
from app.core.settings import Settings
from bench.__main__ import log_aside, server
from bench.handing import PROVINCE, announce, endpoints, hand_out
from bench.herd import Town, at, herd
from bench.hooks import receiver
from bench.world import World, build
from scripts.scratch import choose

CALM, EVERY = 50, 0.2
WAITING = int(os.environ.get("BENCH_DELIVERIES", "20000"))
OTHERS = 8
FILED = 201


async def file(town: Town, number: int) -> tuple[str, float] | None:
    """File one report about a child of its own; return its id and when that was answered."""
    report = str(uuid4())
    body = {
        "id": report,
        "child_id": str(town.world.pupils[number % len(town.world.pupils)]),
        "situations": ["domestic_violence"],
        "urgency": "immediate",
        "found_at": utc_now().isoformat(),
        "narrative": "示例",
        "reporter": {"name": "示例", "phone": "+86-22-00000000", "position": "儿童主任"},
    }
    caller = {**town.world.officer, "purpose-of-use": "protection", "idempotency-key": report}
    status, _ = await town.ask("POST", "/v1/police-reports", caller, json.dumps(body).encode())
    return (report, time.monotonic()) if status == FILED else None


async def arrivals(port: int) -> dict[str, float]:
    async with httpx.AsyncClient() as http:
        found: dict[str, float] = (await http.post(f"http://127.0.0.1:{port}/times")).json()
    return found


async def waits(port: int, filed: list[tuple[str, float] | None]) -> list[float]:
    """Milliseconds from each answer to the first byte; waits until all have arrived."""
    wanted = dict(each for each in filed if each is not None)
    while not wanted.keys() <= (there := await arrivals(port)).keys():  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return [(there[report] - answered) * 1e3 for report, answered in wanted.items()]


async def play(town: Town, database: Database, port: int, townships: list[int]) -> Table:
    table = Table("", "filed", "not 201", "p50 ms", "p99 ms", "most ms")

    def row(name: str, filed: list[tuple[str, float] | None], took: list[float]) -> None:
        figures = (statistics.median(took), at(took, 0.99), max(took))
        missed = str(filed.count(None))
        table.add_row(name, str(len(filed)), missed, *(f"{figure:.0f}" for figure in figures))

    filed = [await file(town, 0)]
    await waits(port, filed)  # the worker is up
    filed = []
    for number in range(1, CALM + 1):
        filed.append(await file(town, number))
        await asyncio.sleep(EVERY / 4)
    row("calm", filed, await waits(port, filed))
    await announce(database, WAITING * 5 // (2 * OTHERS), townships)
    await hand_out(database, 1_000, WAITING)
    pushing = asyncio.ensure_future(herd(town))
    filed = []
    while not pushing.done():
        filed.append(await file(town, CALM + 1 + len(filed)))
        await asyncio.sleep(EVERY)
    row("under load", filed, await waits(port, filed))
    return table


async def prepare(settings: Settings, url: str) -> tuple[World, list[int]]:
    """Fill the database; one police endpoint, and those of other agencies."""
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        engine = open_engine(addresses.app_url, settings.database)
        database = Database(engine, startup.keyring(settings), utc_now)
        world = await build(database, settings)
        await endpoints(database, [PROVINCE] * OTHERS, f"{url}/mix")
        owner = await asyncpg.connect(addresses.owner_url)
        await owner.execute("SELECT set_config('tonghu.caller', 'system', false)")
        townships = [
            row[0]
            for row in await owner.fetch(
                "SELECT code FROM regions WHERE code >= $1 AND code < $1 + 10000000000"
                " AND level = 'township' AND valid_until IS NULL",
                PROVINCE,
            )
        ]
        await owner.execute("ANALYZE")
        await owner.close()
        await database.close()
    return world, townships


async def run(settings: Settings, folder: Path, port: int) -> Table:
    url = f"http://127.0.0.1:{port}"
    with log_aside(folder / "log"):
        world, townships = await prepare(settings, url)
        async with startup.reachable_database(settings) as addresses:
            engine = open_engine(addresses.app_url, settings.database)
            database = Database(engine, startup.keyring(settings), utc_now)
            with server("app.main:create_app", {}) as (pid, web):
                body = {
                    "url": f"{url}/police",
                    "description": "bench",
                    "event_types": ["police_reports.report_filed"],
                }
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web}") as http:
                    made = await http.post("/v1/webhook-endpoints", json=body, headers=world.police)
                if made.status_code != FILED:
                    raise RuntimeError(made.text)
                worker = await asyncio.create_subprocess_exec(
                    *(str(Path(sys.executable).parent / "tonghu"), "worker"),
                    stdout=asyncio.subprocess.DEVNULL,
                )
                try:
                    return await play(Town(web, pid, world), database, port, townships)
                finally:
                    worker.terminate()
                    await worker.wait()
                    await database.close()


async def measure(folder: Path) -> Table:
    async with receiver() as port:
        os.environ |= {
            "TONGHU_WEBHOOKS__ALLOWED_NETWORKS": '["127.0.0.1/32"]',
            "TONGHU_WEBHOOKS__ALLOW_HTTP": "true",
            "TONGHU_WEBHOOKS__ALLOWED_PORTS": f"[{port}]",
        }
        return await run(Settings(), folder, port)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-told-", dir=choose(durable=True).folder))
    os.environ |= {
        "TONGHU_ENVIRONMENT": "sandbox",
        "TONGHU_DATA_DIR": str(folder),
        "TONGHU_RATE_LIMIT__PER_SECOND": "100000",
        "TONGHU_RATE_LIMIT__BURST": "1000000",
    }
    try:
        Console(width=100).print(uvloop.run(measure(folder)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
