"""Measure the hot paths against a bare app that owes the same, in one run: `make bench`.

It prints requests/s and CPU of the web process, their ratios, and what lists take. The bare app is
`bench/bare.py`; the batch is also sent to one as it is written first (`bench/plain.py`). The
database is the embedded server with its production settings (fsync on), in a folder of its own;
`BENCH_CHILDREN` says of how many children.
"""

import asyncio
import json
import os
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
from app.core.data.db import Database, open_engine
from app.core.settings import Settings
from bench import plain
from bench.load import Job, Result
from bench.world import CHILDREN, World, build, call
from demo.stage import free_port
from scripts.scratch import choose

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
CONNECTIONS = 8
BATCH = 500
BATCH_ROUNDS = 12
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured path: what is sent, what is answered, the mark its ratio must reach."""

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
    """List what is measured. In each request `{uuid}` becomes a fresh id, `{child}` one of a
    school's pupils: a visit is held against the others of its child and day.
    """
    today = local_date(utc_now()).isoformat()
    visit = {
        "id": "{uuid}",
        "child_id": "{child}",
        "visited_on": today,
        "visitor_type": "social_worker",
        "findings": [{"domain": "life", "abnormal": False}],
    }
    child = f"/v1/children/{world.child}"
    return [
        Measured("child by id", "GET", child, world.officer, None, 200, 0.60),
        Measured("list of 50", "GET", "/v1/children", world.officer, None, 200, 0.60),
        Measured("visit created", "POST", "/v1/visits", world.officer, visit, 201, 0.60),
    ]


def lists(world: World) -> list[tuple[str, str, dict[str, str], float]]:
    """List the lists that are timed: name, path, caller, and the mark of p95 in milliseconds."""
    asked = {
        "children": "/v1/children",
        "of a category": "/v1/children?category=left_behind",
        "changed since": "/v1/children?updated_since=2026-01-01T00:00:00Z",
    }
    of = (("county", world.officer, 50.0), ("province", world.province, 200.0))
    return [
        (f"{name}, {level}", path, caller, mark)
        for level, caller, mark in of
        for name, path in asked.items()
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


@contextmanager
def server(target: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run one uvicorn process; yields its pid and its port."""
    port = free_port()
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
            if process.poll() is not None:
                raise RuntimeError(f"{target} has ended: run {' '.join(command)} to see why")
            try:
                httpx.get(f"http://127.0.0.1:{port}/livez", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(pid: int, port: int, world: World, one: Measured, seconds: float) -> Figure:
    """Load one path; return what the server did."""
    before = cpu_seconds(pid)
    result = load(port, world, one, seconds, CONNECTIONS)
    used = cpu_seconds(pid) - before
    return Figure(result.requests / result.seconds, used / result.requests * 1e6)


def load(port: int, world: World, one: Measured, seconds: float, connections: int) -> Result:
    """Load one path from a process of its own."""
    job = Job(
        host="127.0.0.1",
        port=port,
        method=one.method,
        path=one.path,
        headers={name: value for name, value in one.caller.items() if name != "x-client"},
        body=json.dumps(one.body) if one.body else None,
        children=[str(child) for child in world.pupils],
        connections=connections,
        seconds=seconds,
        expect=one.status,
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(job)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result = Result(**json.loads(done.stdout))
    if result.others or not result.requests:
        raise RuntimeError(f"{one.name}: {result.others} other answers, e.g. {result.example}")
    return result


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
            said = answer.json()
            results = said if isinstance(said, list) else said["results"]
            counted = {result["status"] for result in results}
            if counted != {"accepted"}:
                raise RuntimeError(f"batch of {size}: {counted}")
    return BATCH_ROUNDS * size / (time.perf_counter() - began)


async def prepare(settings: Settings) -> tuple[World, str]:
    """Migrate, fill, and note what is answered; return that as `bench/bare.py` takes it."""
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        # One statement copies all the files.
        unhurried = settings.database.model_copy(update={"statement_timeout_ms": 3_600_000})
        engine = open_engine(addresses.app_url, unhurried)
        database = Database(engine, startup.keyring(settings), utc_now)
        world = await build(database, settings)
        owner = await asyncpg.connect(addresses.owner_url)
        await owner.execute(plain.TABLE)
        pupils = "INSERT INTO plain_children SELECT unnest($1::uuid[])"
        await owner.execute(pupils, world.pupils)
        await owner.execute("VACUUM ANALYZE")
        await owner.close()
        push = Measured("", "POST", "/v1/attendance-events", world.school, batch(world, 1), 202, 0)
        answers = {}
        for one in (*paths(world), push):
            said = json.dumps(one.body).replace("{child}", str(world.child))
            body = json.loads(said.replace("{uuid}", str(uuid4())))
            answer = await call(database, settings, one.method, one.path, one.caller, body)
            name = "child" if one.name == "child by id" else one.path.removeprefix("/v1/")
            answers[name] = answer.json()
        await database.close()
    return world, json.dumps(answers)


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
        with log_aside(folder / "log"):
            world, answers = uvloop.run(prepare(settings))
        asyncio.run(run(settings, world, answers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def log_aside(path: Path) -> Iterator[None]:
    """Have what is logged meanwhile, a line for each request, written elsewhere."""
    kept = os.dup(2)
    with path.open("wb") as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)


async def run(settings: Settings, world: World, answers: str) -> None:
    """Measure the servers in turn, each path twice, and print the better round of each."""
    async with startup.reachable_database(settings) as addresses:
        bare = {"BENCH_ANSWERS": answers, "BENCH_DATABASE": addresses.app_url}
        owner = {"BENCH_OWNER": addresses.owner_url}
        await asyncio.to_thread(_rounds, world, bare, owner)


def _rounds(world: World, bare: dict[str, str], owner: dict[str, str]) -> None:
    console = Console(width=110)
    with (
        server("bench.bare:Bare", bare) as (bare_pid, bare_port),
        server("app.main:create_app", {}) as (pid, our_port),
        server("bench.plain:create_app", owner) as (_, plain_port),
    ):
        ports = bare_port, our_port, plain_port
        idle = _rss(pid)
        table = Table(
            *("path", "bare req/s", "Tonghu req/s", "ratio", "mark", "", "bare CPU µs", "CPU µs"),
            title=f"{CHILDREN:,} children",
        )
        for one in paths(world):
            rounds = _in_turn(world, (bare_pid, ports[0]), (pid, ports[1]), one)
            limit, best = (max(each, key=lambda figure: figure.rate) for each in rounds)
            table.add_row(
                *(one.name, f"{limit.rate:,.0f}", f"{best.rate:,.0f}"),
                *_judged(best.rate / limit.rate, one.mark),
                *(f"{limit.cpu:,.0f}", f"{best.cpu:,.0f}"),
            )
        pushed = {port: measure_batches(port, world, BATCH) for port in ports}
        ours = pushed[ports[1]]
        for name, port, mark in (("bare", ports[0], 0.5), ("FastAPI + SQLModel", ports[2], 3.0)):
            table.add_row(
                *(f"batch of {BATCH}, against {name}", f"{pushed[port]:,.0f} ev/s"),
                *(f"{ours:,.0f} ev/s", *_judged(ours / pushed[port], mark), "", ""),
            )
        console.print(table)
        timed = Table("list", "p95 ms", "mark", "")
        for name, path, caller, mark in lists(world):
            seconds = min(SECONDS, 2.0)
            one = Measured(name, "GET", path, caller, None, 200, mark)
            p95 = load(ports[1], world, one, seconds, 1).p95
            timed.add_row(name, f"{p95:.1f}", f"{mark:.0f}", "yes" if p95 <= mark else "no")
        console.print(timed)
        gain = ours / measure_batches(ports[1], world, 1)
        console.print(f"A batch of {BATCH} takes {gain:.1f} × the events/s of a batch of 1.")
        console.print(f"Idle web process: {idle / 1024:.0f} MiB resident.")


def _in_turn(
    world: World, bare: tuple[int, int], ours: tuple[int, int], one: Measured
) -> tuple[list[Figure], list[Figure]]:
    measure(*ours, world, one, 1.0)
    measure(*bare, world, one, 1.0)
    found: tuple[list[Figure], list[Figure]] = ([], [])
    for _ in range(2):
        found[0].append(measure(*bare, world, one, SECONDS))
        found[1].append(measure(*ours, world, one, SECONDS))
    return found


def _judged(ratio: float, mark: float) -> tuple[str, str, str]:
    return f"{ratio:.2f}", f"{mark:.2f}", "yes" if ratio >= mark else "no"


def _rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
