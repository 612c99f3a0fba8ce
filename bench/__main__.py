"""Measure four hot paths against a bare handler that repeats the same statements, in one run.

`make bench` prints requests/s and CPU per request of the web process, and their ratios. The
database is the embedded server with its production settings (fsync on), in a folder of its own.
"""

import asyncio
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from app.core import startup
from app.core.clock import local_date, utc_now
from app.core.data import migrations
from app.core.data.db import open_engine
from app.core.settings import Settings
from bench.load import Job, Result
from bench.replay import Recording, RecordingDatabase, renew
from bench.world import World, build, call
from demo.stage import free_port
from scripts.scratch import choose

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CONNECTIONS = 8
BATCH = 500
BATCH_ROUNDS = 12
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured path: what is sent, and the first mark its ratio must reach."""

    name: str
    method: str
    path: str
    caller: dict[str, str]
    body: Any
    status: int
    mark: float


@dataclass(frozen=True, slots=True)
class Figure:
    """Requests/s and CPU microseconds per request of one server process."""

    rate: float
    cpu: float


def paths(world: World) -> list[Measured]:
    """List what is measured. `{uuid}` becomes a fresh id in each request."""
    today = local_date(utc_now()).isoformat()
    visit = {
        "id": "{uuid}",
        "child_id": str(world.child),
        "visited_on": today,
        "visitor_type": "social_worker",
        "findings": [{"domain": "life", "abnormal": False}],
    }
    child = f"/v1/children/{world.child}"
    return [
        Measured("child by id", "GET", child, world.officer, None, 200, 0.40),
        Measured("list of 50", "GET", "/v1/children?limit=50", world.officer, None, 200, 0.40),
        Measured("visit created", "POST", "/v1/visits", world.officer, visit, 201, 0.40),
    ]


def batch(world: World, size: int) -> dict[str, Any]:
    """Make a batch of attendance events, new every time."""
    day, run = local_date(utc_now()).isoformat(), uuid4()
    return {
        "events": [
            {
                "source": "urn:bench",
                "id": f"{run}/{number}",
                "student": {"child_id": str(child)},
                "school_day": day,
                "session": "whole_day",
                "category": "present",
                "time": utc_now().isoformat(),
            }
            for number, child in enumerate(world.pupils[:size])
        ]
    }


async def record(
    database: RecordingDatabase, settings: Settings, world: World, one: Measured
) -> Recording:
    """Run one request through the app and note its statements and answer."""
    body = json.loads(json.dumps(one.body).replace("{uuid}", str(uuid4()))) if one.body else None
    await call(database, settings, one.method, one.path, one.caller, body)  # warm caches first
    body = json.loads(json.dumps(one.body).replace("{uuid}", str(uuid4()))) if one.body else None
    recording = Recording(one.path.partition("?")[0], one.method, world.known)
    database.noted = recording
    answer = await call(database, settings, one.method, one.path, one.caller, body)
    database.noted = None
    recording.status, recording.answer = answer.status_code, answer.content
    return recording


@contextmanager
def server(target: str, port: int, environment: dict[str, str]) -> Iterator[int]:
    """Run one uvicorn process; yields its pid."""
    arguments = ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--factory"]
    command = [sys.executable, "-m", "uvicorn", target, *arguments, "--no-access-log"]
    process = subprocess.Popen(
        [*command, "--log-level", "warning"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a line for each request
    )
    try:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/livez", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(pid: int, port: int, one: Measured, seconds: float) -> Figure:
    """Load one path from a process of its own."""
    job = Job(
        host="127.0.0.1",
        port=port,
        method=one.method,
        path=one.path,
        headers={name: value for name, value in one.caller.items() if name != "x-client"},
        body=json.dumps(one.body) if one.body else None,
        connections=CONNECTIONS,
        seconds=seconds,
        expect=one.status,
    )
    before = cpu_seconds(pid)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(job)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result = Result(**json.loads(done.stdout))
    if result.others or not result.requests:
        raise RuntimeError(f"{one.name}: {result.others} other answers, e.g. {result.example}")
    used = cpu_seconds(pid) - before
    return Figure(result.requests / result.seconds, used / result.requests * 1e6)


def measure_batches(port: int, world: World, size: int) -> float:
    """Push batches of one size, one after another; returns events/s."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        bodies = [batch(world, size) for _ in range(BATCH_ROUNDS + 1)]
        began = 0.0
        for number, body in enumerate(bodies):
            if number == 1:  # the first warms up
                began = time.perf_counter()
            answer = http.post("/v1/attendance-events", json=body, headers=world.school)
            answer.raise_for_status()
            counted = {result["status"] for result in answer.json()["results"]}
            if counted != {"accepted"}:
                raise RuntimeError(f"batch of {size}: {counted}")
    return BATCH_ROUNDS * size / (time.perf_counter() - began)


async def bare_insert(url: str, recording: Recording) -> float:
    """Run the recorded INSERT of 500 events bare, in its own transaction; returns events/s."""
    statement, arguments = next(
        one for one in recording.statements if re.search(r"INSERT INTO attendance_events", one[0])
    )
    made = recording.made_here()
    reach = next(one for one in recording.statements if "tonghu.lo" in one[0])
    connection = await asyncpg.connect(url)

    began = 0.0
    for number in range(BATCH_ROUNDS + 1):
        if number == 1:
            began = time.perf_counter()
        fresh = {old: uuid4() for old in made}
        run = str(uuid4())
        renewed = [
            [f"{run}/{place}" for place in range(BATCH)]
            if isinstance(argument, list | tuple)
            and argument
            and isinstance(argument[0], str)
            and argument[0].endswith("/0")
            else renew(list(argument) if isinstance(argument, tuple) else argument, fresh, [])
            for argument in arguments
        ]
        async with connection.transaction():
            await connection.fetch(reach[0], *reach[1])
            await connection.execute(statement, *renewed)
    took = time.perf_counter() - began
    await connection.close()
    return BATCH_ROUNDS * BATCH / took


async def prepare(settings: Settings, folder: Path) -> tuple[World, list[Recording], Recording]:
    """Migrate, fill and record."""
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        engine = open_engine(addresses.app_url, settings.database)
        database = RecordingDatabase(engine, startup.keyring(settings), utc_now)
        world = await build(database, settings)
        owner = await asyncpg.connect(addresses.owner_url)
        await owner.execute("ANALYZE")
        await owner.close()
        recordings = [await record(database, settings, world, one) for one in paths(world)]
        push = Measured(
            "", "POST", "/v1/attendance-events", world.school, batch(world, BATCH), 202, 0
        )
        pushed = Recording(push.path, push.method, world.known)
        database.noted = pushed
        await call(database, settings, push.method, push.path, push.caller, push.body)
        database.noted = None
        await database.close()
    (folder / "recordings").write_bytes(pickle.dumps(recordings))
    return world, recordings, pushed


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-bench-", dir=choose(durable=True).folder))
    os.environ.update(
        {
            "TONGHU_ENVIRONMENT": "sandbox",
            "TONGHU_DATA_DIR": str(folder),
            "TONGHU_RATE_LIMIT__PER_SECOND": "100000",
            "TONGHU_RATE_LIMIT__BURST": "1000000",
        }
    )
    settings = Settings()
    try:
        world, _, pushed = uvloop.run(prepare(settings, folder))
        run(settings, folder, world, pushed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(settings: Settings, folder: Path, world: World, pushed: Recording) -> None:
    """Measure both servers in turn, twice, and print the better round of each."""
    console = Console(width=110)
    table = Table("path", "bare req/s", "Tonghu req/s", "ratio", "mark", "bare CPU µs", "CPU µs")
    lease_holder = startup.reachable_database(settings)

    async def measured() -> tuple[list[list[Figure]], list[list[Figure]], float, float, float, int]:
        async with lease_holder as addresses:
            return await asyncio.to_thread(rounds, addresses.app_url)

    def rounds(
        url: str,
    ) -> tuple[list[list[Figure]], list[list[Figure]], float, float, float, int]:
        bare_environment = {
            "BENCH_RECORDINGS": str(folder / "recordings"),
            "BENCH_DATABASE": url,
        }
        bare_port = free_port()
        with server("bench.replay:bare_app", bare_port, bare_environment) as bare_pid:
            port = free_port()
            with server("app.main:create_app", port, {}) as pid:
                idle = _rss(pid)
                found: tuple[list[list[Figure]], list[list[Figure]]] = ([], [])
                for one in paths(world):
                    measure(pid, port, one, 1.0)
                    measure(bare_pid, bare_port, one, 1.0)
                    found[0].append([measure(bare_pid, bare_port, one, SECONDS) for _ in range(2)])
                    found[1].append([measure(pid, port, one, SECONDS) for _ in range(2)])
                five_hundred = measure_batches(port, world, BATCH)
                single = measure_batches(port, world, 1)
                inserts = asyncio.run(bare_insert(url, pushed))
        return (*found, five_hundred, single, inserts, idle)

    bare, ours, five_hundred, single, inserts, idle = asyncio.run(measured())
    for one, bare_rounds, our_rounds in zip(paths(world), bare, ours, strict=True):
        limit = max(bare_rounds, key=lambda figure: figure.rate)
        best = max(our_rounds, key=lambda figure: figure.rate)
        table.add_row(
            one.name,
            f"{limit.rate:,.0f}",
            f"{best.rate:,.0f}",
            f"{best.rate / limit.rate:.2f}",
            f"{one.mark:.2f}",
            f"{limit.cpu:,.0f}",
            f"{best.cpu:,.0f}",
        )
    table.add_row(
        f"batch of {BATCH} events",
        f"{inserts:,.0f} ev/s",
        f"{five_hundred:,.0f} ev/s",
        f"{five_hundred / inserts:.2f}",
        "0.25",
        "",
        "",
    )
    console.print(table)
    gain = five_hundred / single
    console.print(f"A batch of {BATCH} takes {gain:.1f} × the events/s of a batch of 1 (mark 8).")
    console.print(f"Idle web process: {idle / 1024:.0f} MiB resident (mark 150).")


def _rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
