"""A town of real processes for the tests that break them: web, worker, database, a few pupils."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import web
from standardwebhooks import Webhook

from app.core import startup
from app.core.clock import utc_now
from app.core.data import migrations
from app.core.data.db import SYSTEM
from app.core.settings import Environment, Settings
from app.embedded import supervisor
from demo import api
from demo.cast import Cast
from demo.casting import assemble
from demo.stage import Stage, poll
from tests.waiting import PATIENCE
from tests.webhooks.workshop import Receiver

VILLAGE = 120119101201
PUPILS = 4
ATTEMPT_SECONDS = 2.0
DRAIN_SECONDS = 25.0
"""Nobody waits for it: a second signal goes through at once."""
PROCESSES = {"web": ("serve", "--port"), "worker": ("worker",)}


def free_ports(count: int) -> list[int]:
    """Choose ports of this machine that nobody listens on, below the ephemeral ones."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)):
                found.append(port)
    return found


@dataclass
class Town(Stage):
    """The demo's stage in a place of its own, its parts killed and started by the tests."""

    receiver_port: int = 0
    database: str = ""
    """DSN of the superuser: what is stored is judged past row-level security."""
    secret: str = field(default="", repr=False)
    """Of the police's webhook endpoint."""
    pupils: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in super().environment.items()
            # Compiled modules are kept: a process is started often here.
            if name != "PYTHONDONTWRITEBYTECODE" and name not in os.environ.keys() & _SETTINGS
        }
        return {
            **inherited,
            "TONGHU_WEBHOOKS__ALLOWED_PORTS": f"[{self.receiver_port}]",
            "TONGHU_WEBHOOKS__ATTEMPT_SECONDS": str(ATTEMPT_SECONDS),
            "TONGHU_DRAIN_SECONDS": str(DRAIN_SECONDS),
            # Who is made to wait for a lock waits as long as the test says.
            "TONGHU_DATABASE__LOCK_TIMEOUT_MS": str(int(PATIENCE * 1000)),
            "TONGHU_DATABASE__STATEMENT_TIMEOUT_MS": str(int(PATIENCE * 1000)),
        }

    @property
    def settings(self) -> Settings:
        """Where its database is, for who prepares it."""
        return Settings(environment=Environment.sandbox, data_dir=self.data_dir)

    @property
    def server(self) -> Path:
        return self.data_dir / "postgres"

    def pid(self, part: str) -> int:
        """Say which process to kill: web, worker, postmaster or supervisor."""
        if part == "postmaster":
            return int((self.server / "cluster" / "postmaster.pid").read_text().split()[0])
        if part == "supervisor":
            with (
                socket.socket(socket.AF_UNIX) as probe,
                supervisor.lease_address(self.server) as address,
            ):
                probe.connect(address)
                credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", credentials)[0])
        return self.processes[part].pid

    def up(self) -> None:
        """Start what does not run; return when the web process is ready and the worker works."""
        for name, (command, *flags) in PROCESSES.items():
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                self.log(name).write_bytes(b"")
                port = [str(self.port)] if flags else []
                self.start(name, "-m", "app.cli", command, *flags, *port)
        self.wait_until_ready()
        poll("worker.started", lambda: b"worker.started" in self.log("worker").read_bytes())

    def stop(self) -> None:
        """Stop everything, without waiting for balancers to look elsewhere."""
        if "web" in self.processes:
            self.kill("web")
        super().stop()

    async def query(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database as the superuser, which may be starting again."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    connection = await asyncpg.connect(self.database)
                    try:
                        return await connection.fetch(sql, *arguments)
                    finally:
                        connection.terminate()
                except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.05)

    async def lose_leases(self) -> None:
        """Let what a dead worker held run out at once instead of after its time."""
        await self.query("UPDATE jobs SET lease_until = now() WHERE status = 'running'")
        await self.query("UPDATE webhook_deliveries SET next_at = now() WHERE state = 'leased'")

    @contextlib.contextmanager
    def caller(self, name: str, purpose: str) -> Iterator[api.Api]:
        """Sign in as one of the cast's systems."""
        session = api.machine(self.base, self.data_dir, name, purpose)
        with contextlib.closing(session.http):
            yield session

    def token(self, name: str, purpose: str) -> api.Api:
        """Sign in and keep the token alone."""
        with self.caller(name, purpose) as session:
            return session

    def is_gone(self) -> bool:
        """Whether no process of the embedded server is left: its locks are held by all of them."""
        return all(_is_free(self.server / f"{lock}.lock") for lock in ("supervisor", "server"))


_SETTINGS = frozenset(name for name in os.environ if name.startswith("TONGHU_"))


def _is_free(lock: Path) -> bool:
    if not lock.exists():
        return True
    with lock.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def a_town(data_dir: Path) -> Town:
    port, receiver_port = free_ports(2)
    return Town(data_dir, port, receiver_port=receiver_port)


async def build(town: Town) -> None:
    """Make the town's database, people, pupils and police endpoint, and leave it running."""
    town.prepare()
    settings = town.settings
    async with startup.reachable_database(settings) as addresses:
        await asyncio.to_thread(migrations.upgrade, addresses.owner_url)
        town.database = town.database or _superuser(town, addresses.app_url)
        async with (
            startup.open_database(settings, utc_now, addresses=addresses) as database,
            database.begin(SYSTEM) as tx,
        ):
            (await assemble(tx, village=VILLAGE)).write(town.data_dir)
        await asyncio.to_thread(town.up)
    await asyncio.to_thread(_furnish, town)


def _superuser(town: Town, app_url: str) -> str:
    password = json.loads((town.server / "embedded.json").read_text())["superuser"]
    return f"postgresql://postgres:{password}@{app_url.partition('@')[2]}"


def _furnish(town: Town) -> None:
    endpoint = {
        "url": f"http://127.0.0.1:{town.receiver_port}/reports",
        "description": "测试",
        "event_types": ["police_reports.report_filed"],
    }
    with town.caller("police", "protection") as police:
        town.secret = police.call("POST", "/v1/webhook-endpoints", endpoint).json()["secret"]
    school = Cast.read(town.data_dir).machines["school_system"].agency_id
    with town.caller("county", "registration") as county:
        for day in range(1, PUPILS + 1):
            body = {
                "identity": {"name": f"测{day}", "sex": "male", "birth_date": f"2016-03-0{day}"},
                "residence": {"region_code": str(VILLAGE)},
                "education": {"school_id": school, "stage": "primary", "status": "enrolled"},
            }
            town.pupils.append(county.call("POST", "/v1/children", body).json()["id"])


@contextlib.asynccontextmanager
async def desk(town: Town, receiver: Receiver) -> AsyncIterator[Receiver]:
    """Let the police's system listen while the block runs."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", town.receiver_port).start()
        yield receiver
    finally:
        await runner.cleanup()


def read_signed(town: Town, receiver: Receiver) -> dict[str, list[tuple[str, bytes]]]:
    """Verify every delivery as a receiver would; returns (webhook-id, body) by report."""
    webhook = Webhook(town.secret)
    arrived: dict[str, list[tuple[str, bytes]]] = {}
    for one in receiver.received:
        event = webhook.verify(one.body, one.headers)
        arrived.setdefault(event["data"]["report_id"], []).append(
            (one.headers["webhook-id"], one.body)
        )
    return arrived
