"""Eight o'clock: 1,000 schools push within five seconds, and the police read meanwhile.

`python -m bench.herd` starts one web process on a database of its own, as `make bench` does, and
prints what became of the batches and how long the police waited. A client that is told to come back
does so when `Retry-After` says, on a new connection.
"""

import asyncio
import json
import os
import re
import shutil
import statistics
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import asyncpg
import uvloop
from rich.console import Console
from rich.table import Table

from app.core import startup
from app.core.clock import local_date, utc_now
from app.core.data import migrations
from app.core.data.db import Database, open_engine
from app.core.settings import Settings
from bench.__main__ import server
from bench.reader import Reading, begin, end
from bench.world import PUPILS, World, build
from scripts.scratch import choose

CLIENTS = 1_000
WITHIN_SECONDS = 5.0
EVENTS = 40
"""What a school with 570 pupils has to tell of a morning on which 7 in 100 are away."""
EVENLY = 2
OVERLOAD = 3
OVERLOAD_SECONDS = 15.0
READS = 300
READ_EVERY = 0.02
CALM_PAUSE = 0.005
READ, ACCEPTED, COME_BACK = 200, 202, 503


@dataclass
class Tally:
    """What clients were told. `tries`: of those who got through."""

    tries: list[int] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Town:
    """One server and who calls it."""

    port: int
    pid: int
    world: World

    async def ask(
        self, method: str, path: str, caller: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str]]:
        """Send one request on a connection of its own; return status and headers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in caller.items())
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        await reader.read()
        writer.close()
        named = (line.partition(": ") for line in answer[1:] if line)
        return int(answer[0].split()[1]), {name.lower(): value for name, _, value in named}

    def batch(self, number: int) -> bytes:
        """Make one school's morning, about pupils and a day nobody else tells of at that time."""
        slices = PUPILS // EVENTS
        first = number % slices * EVENTS
        day = (local_date(utc_now()) - timedelta(days=number // slices % 300)).isoformat()
        run, now = uuid4(), utc_now().isoformat()
        events = [
            {
                "source": "urn:bench",
                "id": f"{run}/{place}",
                "student": {"child_id": str(child)},
                "school_day": day,
                "session": "whole_day",
                "category": "present",
                "time": now,
            }
            for place, child in enumerate(self.world.pupils[first : first + EVENTS])
        ]
        return json.dumps({"events": events}).encode()

    async def push(self, body: bytes, tally: Tally, *, again: bool) -> None:
        """Push one batch until it is taken, or once."""
        tries = 0
        while True:
            tries += 1
            status, headers = await self.ask(
                "POST", "/v1/attendance-events", self.world.school, body
            )
            tally.answers[status] += 1
            if status == ACCEPTED:
                tally.tries.append(tries)
                return
            if not again or status != COME_BACK:
                return
            await asyncio.sleep(float(headers["retry-after"]))

    async def police(self, reads: int = 0) -> asyncio.subprocess.Process:
        """Let the police read their reports; without end while the herd is here."""
        pause = CALM_PAUSE if reads else READ_EVERY
        return await begin(
            Reading(self.port, "/v1/police-reports", self.world.police, pause, reads)
        )

    async def refusals(self) -> Counter[str]:
        """Count what was turned away before it was anything, by how many seconds that took."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        found = re.findall(r'request_seconds_bucket{le="(\S+)",operation="-"} (\S+)', text)
        return Counter({le: int(float(count)) for le, count in found})

    def memory(self) -> int:
        """Resident MiB of the web process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024


async def evenly(town: Town) -> float:
    """Push as many batches as there are clients, as few side by side as run; return batches/s."""
    numbers, tally = iter(range(CLIENTS)), Tally()

    async def one_after_another() -> None:
        for number in numbers:
            await town.push(town.batch(number), tally, again=True)

    began = perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(EVENLY)))
    return CLIENTS / (perf_counter() - began)


async def herd(town: Town) -> tuple[Tally, float]:
    """Let all come within WITHIN_SECONDS; return what they were told, and when the last was in."""
    tally, bodies = Tally(), [town.batch(number) for number in range(CLIENTS)]
    began = perf_counter()

    async def come(number: int) -> None:
        await asyncio.sleep(number * WITHIN_SECONDS / CLIENTS)
        await town.push(bodies[number], tally, again=True)

    await asyncio.gather(*map(come, range(CLIENTS)))
    return tally, perf_counter() - began


async def overload(town: Town, peak: float) -> tuple[Tally, float]:
    """Send OVERLOAD times the peak, whatever comes of it; return batches/s that got in."""
    tally, rate = Tally(), OVERLOAD * peak
    bodies = [town.batch(number) for number in range(int(rate * OVERLOAD_SECONDS))]
    began = perf_counter()

    async def come(number: int) -> None:
        await asyncio.sleep(number / rate)
        await town.push(bodies[number], tally, again=False)

    await asyncio.gather(*map(come, range(len(bodies))))
    return tally, tally.answers[ACCEPTED] / (perf_counter() - began)


def at(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


async def play(town: Town) -> Table:
    p50 = statistics.median((await end(await town.police(READS)))[0])
    peak = await evenly(town)
    before, earlier = town.memory(), await town.refusals()
    police = await town.police()
    tally, took = await herd(town)
    waits, statuses = await end(police)
    after, refusals = town.memory(), await town.refusals() - earlier
    prompt = refusals["0.05"] / max(1, refusals["+Inf"])
    flood, goodput = await overload(town, peak)
    table = Table("what", "found", "mark")
    rows: list[tuple[str, Any, str]] = [
        ("batches of the herd accepted", f"{tally.answers[ACCEPTED]:,} of {CLIENTS:,}", "all"),
        (
            "tries each, mean / most",
            f"{statistics.mean(tally.tries):.1f} / {max(tally.tries)}",
            "≤ 6",
        ),
        ("last one in after", f"{took:.1f} s", ""),
        ("the same sent evenly", f"{CLIENTS / peak:.1f} s", ""),
        ("herd over evenly", f"{took * peak / CLIENTS:.2f}", "≤ 3"),
        ("refused meanwhile", f"{tally.answers[COME_BACK]:,}", ""),
        ("refused within 50 ms, by the server's clock", f"{prompt:.0%}", "all"),
        ("police reads, calm p50", f"{p50:.1f} ms", ""),
        (
            "police reads in the herd, p50 / p99",
            f"{at(waits, 0.5):.1f} / {at(waits, 0.99):.1f} ms",
            "",
        ),
        ("p99 over calm p50", f"{at(waits, 0.99) / p50:.1f}", "≤ 10"),
        ("police reads not answered 200", len(statuses) - statuses.count(READ), "0"),
        (f"goodput at {OVERLOAD} × overload over peak", f"{goodput / peak:.2f}", "≥ 0.8"),
        ("answers in the overload", str(dict(flood.answers)), ""),
        ("web process before and after the herd", f"{before} / {after} MiB", "flat"),
    ]
    for row in rows:
        table.add_row(*map(str, row))
    return table


async def prepare(settings: Settings) -> World:
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        engine = open_engine(addresses.app_url, settings.database)
        database = Database(engine, startup.keyring(settings), utc_now)
        world = await build(database, settings)
        owner = await asyncpg.connect(addresses.owner_url)
        await owner.execute("ANALYZE")
        await owner.close()
        await database.close()
    return world


async def run(settings: Settings) -> Table:
    world = await prepare(settings)
    async with startup.reachable_database(settings):
        with server("app.main:create_app", {}) as (pid, port):
            return await play(Town(port, pid, world))


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-herd-", dir=choose(durable=True).folder))
    os.environ |= {
        "TONGHU_ENVIRONMENT": "sandbox",
        "TONGHU_DATA_DIR": str(folder),
        "TONGHU_RATE_LIMIT__PER_SECOND": "100000",
        "TONGHU_RATE_LIMIT__BURST": "1000000",
    }
    try:
        Console(width=110).print(uvloop.run(run(Settings())))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
