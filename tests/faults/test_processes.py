"""`tonghu serve --workers 2`: two processes answer as one, whichever of them dies."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.faults import town as towns
from tests.faults.load import AT_ONCE, Load, assert_nothing_lost
from tests.faults.town import Town
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.xdist_group("faults")

KILLED_AT = 8
COUNTED = re.compile(r'tonghu_requests_total\{operation="(\w+)",status="2\d\d"\} (\d+)')
POSTED = ("fileReport", "recordVisit", "pushAttendanceEvents")
DIES = """
from app import serving
async def app(scope, receive, send):
    raise RuntimeError
serving._PAUSE_SECONDS = 0.01
config = serving.uvicorn.Config(app, port=0, lifespan="on", log_config=None)
serving._Keeper(config, config.bind_socket(), serving.shared(2).cast("q")).keep(2)
"""


@dataclass
class Pair(Town):
    """Two web processes over a town's database, with buckets that hardly refill."""

    @property
    def environment(self) -> dict[str, str]:
        slow = {"PER_SECOND": "0.001", "BURST": "1000"}
        return super().environment | {f"TONGHU_RATE_LIMIT__{k}": v for k, v in slow.items()}

    def up(self) -> None:
        arguments = ("serve", "--port", str(self.port), "--workers", "2")
        self.start("web", "-m", "app.cli", *arguments)
        self.wait_until_ready()

    @property
    def children(self) -> list[int]:
        pid = self.processes["web"].pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def ask(self, path: str, token: str = "none", **said: str) -> httpx.Response:
        """Ask on a connection of its own: whichever process takes it."""
        headers = {"authorization": f"Bearer {token}", **said}
        async with httpx.AsyncClient(base_url=self.base, timeout=PATIENCE) as http:
            return await http.get(path, headers=headers)

    async def drains(self) -> bool:
        return (await self.ask("/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE

    async def posted(self) -> int:
        """How many of the requests of `Load` were answered 2xx, says whoever is asked."""
        figures = dict(COUNTED.findall((await self.ask("/metrics")).text))
        return sum(int(figures.get(name, 0)) for name in POSTED)


@pytest.fixture
async def pair(town: Town) -> AsyncIterator[Pair]:
    [port] = towns.free_ports(1)
    pair = Pair(town.data_dir, port, database=town.database, pupils=town.pupils)
    await asyncio.to_thread(pair.up)
    yield pair
    pair.stop()


async def test_two_processes_count_as_one_and_lose_nothing(pair: Pair) -> None:
    load = await asyncio.to_thread(Load.of, pair)
    token = load.callers["visit"].token
    left = [
        int(re.search(r"r=(\d+)", (await pair.ask("/v1/me", token)).headers["ratelimit"])[1])
        for _ in range(20)
    ]
    assert left == list(range(left[0], left[0] - 20, -1))
    of_proxy = {"x-forwarded-for": "203.0.113.9", "x-request-id": "of-the-proxy-1"}
    answer = await pair.ask("/livez", **of_proxy)  # heard once, by us alone
    assert answer.headers["x-request-id"] == of_proxy["x-request-id"]

    def strike(sent: int) -> None:
        if sent == KILLED_AT:
            os.kill(pair.children[0], signal.SIGKILL)

    load.on_sent = strike
    before = pair.children
    await load.run(24)
    await until(lambda: len(pair.children) == 2 and pair.children != before)
    promised = sum(wish.promised for wish in load.wishes)
    counts = {await pair.posted() for _ in range(10)}
    assert min(counts) == max(counts) >= promised, "whoever answers, and what the dead one counted"
    text = (await pair.ask("/metrics")).text
    assert {f'process="{n}"' for n in (0, 1)} <= set(re.findall(r'process="\d+"', text))

    running = asyncio.create_task(load.run(AT_ONCE * 3))
    await until(lambda: load.sent >= 24 + AT_ONCE)
    web = pair.processes["web"]
    web.send_signal(signal.SIGTERM)
    await until(pair.drains)
    web.send_signal(signal.SIGTERM)  # the second goes through at once
    assert await asyncio.to_thread(web.wait, PATIENCE) == 0
    await asyncio.to_thread(pair.up)  # the callers that found the door closed go on
    await running
    await assert_nothing_lost(load)


async def test_processes_whose_keeper_was_killed_leave_the_door_to_the_next(pair: Pair) -> None:
    orphans = pair.children
    pair.kill("web")
    await until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in orphans))
    await asyncio.to_thread(pair.up)


async def test_what_dies_again_and_again_before_it_serves_is_given_up() -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "ended 6 times, one after another, before they served" in done.stderr.splitlines()[-1]
