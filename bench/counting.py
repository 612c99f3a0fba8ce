"""Instructions of the web process for a request: `python -m bench.counting`. Needs valgrind.

A count does not depend on what else runs on the machine. Each server runs under callgrind, which
counts while it is told to: some requests after the first ones.
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
from pathlib import Path
from uuid import uuid4

import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from app.core import startup
from app.core.settings import Settings
from bench.__main__ import BATCH, Measured, batch, log_aside, paths, prepare
from bench.world import World
from demo.stage import free_port
from scripts.scratch import choose

REQUESTS = 30
"""So many of each are counted, of batches a tenth; before them as many are not: caches fill,
statements are prepared.
"""


@contextmanager
def counted(target: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run one server under callgrind, not counting yet; yields its pid and its port."""
    port = free_port()
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null"),
        *(sys.executable, "-m", "uvicorn", target, "--port", str(port), "--loop", "uvloop"),
        *("--http", "httptools", "--factory", "--no-access-log", "--log-level", "warning"),
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env={**os.environ, **environment}, **quiet)
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{target} has ended: run {' '.join(command)} to see why")
            try:
                httpx.get(f"http://127.0.0.1:{port}/livez", timeout=30)
                break
            except httpx.TransportError:
                time.sleep(0.5)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(60)


def control(pid: int, *told: str) -> str:
    done = subprocess.run(
        ["callgrind_control", *told, str(pid)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    return done.stdout


def count(pid: int, port: int, world: World, one: Measured, requests: int) -> float:
    """Return millions of instructions a request."""

    def ask(http: httpx.Client, times: int) -> None:
        for _ in range(times):
            body = batch(world, BATCH) if one.path.endswith("events") else one.body
            said = json.dumps(body).replace("{child}", str(world.child))
            sent = said.replace("{uuid}", str(uuid4())) if body else None
            headers = {**one.caller, "content-type": "application/json"}
            http.request(one.method, one.path, content=sent, headers=headers).raise_for_status()

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
        ask(http, requests)
        control(pid, "-z")
        control(pid, "-i", "on")
        ask(http, requests)
        told = control(pid, "-e", "-b")
        control(pid, "-i", "off")
    found = re.search(r"Totals?:?\s+([\d,]+)", told) or re.search(r"([\d,]{7,})", told)
    if found is None:
        raise RuntimeError(told)
    return int(found[1].replace(",", "")) / requests / 1e6


async def run(settings: Settings, world: World, answers: str) -> Table:
    async with startup.reachable_database(settings) as addresses:
        bare = {"BENCH_ANSWERS": answers, "BENCH_DATABASE": addresses.app_url}
        return await asyncio.to_thread(_compare, world, bare)


def _compare(world: World, bare: dict[str, str]) -> Table:
    push = Measured("batch of 500", "POST", "/v1/attendance-events", world.school, None, 202, 0)
    asked = [*((one, REQUESTS) for one in paths(world)), (push, REQUESTS // 10)]
    found: list[list[float]] = []
    for target, environment in (("bench.bare:Bare", bare), ("app.main:create_app", {})):
        with counted(target, environment) as (pid, port):
            found.append([count(pid, port, world, one, times) for one, times in asked])
    table = Table("path", "bare", "Tonghu", "ratio", title="Millions of instructions a request")
    for (one, _), limit, ours in zip(asked, *found, strict=True):
        table.add_row(one.name, f"{limit:.2f}", f"{ours:.2f}", f"{limit / ours:.2f}")
    return table


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-bench-", dir=choose(durable=True).folder))
    os.environ |= {"TONGHU_ENVIRONMENT": "sandbox", "TONGHU_DATA_DIR": str(folder)}
    settings = Settings()
    try:
        with log_aside(folder / "log"):
            world, answers = uvloop.run(prepare(settings))
        Console(width=80).print(asyncio.run(run(settings, world, answers)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
