"""A rolling upgrade under load: no request may fail.

    python -m scripts.rolling [REQUESTS_A_SECOND]

Two processes of this program serve. Then, while requests go on: the next release, a copy of this
one with one revision more, migrates the database; each of the two is replaced by one of the next
release, and told to stop by SIGTERM. Requests are sent as a proxy with health checks would: to
whoever was ready when last asked, each once, never again.
"""

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import asyncpg
import httpx

from app import wiring
from app.core import logs
from app.core.clock import utc_now
from app.core.data import db, migrations, versions
from app.core.data.crypto import Keyring
from app.embedded import postgres
from scripts.drill import COUNTY, file_of, load, serving, settings_of
from tests.access.factories import Caller, a_caller, renewed
from tests.faults.town import free_ports
from tests.waiting import until

AT_ONCE = 8
DRAIN_SECONDS = 3
LOOKS_EVERY = 0.2
IDLE_SECONDS = 2.0
"""A proxy lets go of a connection before the server does, which waits five."""
COPIED = ("app", "alembic", "alembic.ini", "pyproject.toml")
NEXT = '''"""What the next release adds.

Revision: {number}
Revises: {head}
"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("children", sa.Column("of_the_next", sa.String(), nullable=True))
    op.create_table("of_the_next", sa.Column("id", sa.Uuid(), primary_key=True))
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_of_the_next", "children", ["of_the_next"], postgresql_concurrently=True
        )


def downgrade() -> None:
    op.drop_table("of_the_next")
    op.drop_column("children", "of_the_next")
'''


@dataclass
class Process:
    """A web process: where it listens, and whether it was ready when last asked."""

    name: str
    base: str
    running: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    ready: bool = False


@dataclass
class Rolling:
    """One run. `failed`: what went wrong, each time; `took`: seconds of each request."""

    work: Path
    rate: float
    say: Callable[[str], None]
    processes: list[Process] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    written: set[str] = field(default_factory=set)
    numbers: count = field(default_factory=lambda: count(1_000))  # type: ignore[type-arg]
    over: bool = False

    async def run(self) -> None:
        wiring.load()
        keyring = Keyring.generate()
        (self.work / "keys.json").write_text(keyring.to_json())
        with await asyncio.to_thread(postgres.acquire, self.work / "server") as lease:
            it = lease.server
            await asyncio.to_thread(migrations.upgrade, it.owner_url)
            async with serving(it.app_url, keyring) as (client, database, settings):
                await load(client, database, settings, 20)
                system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
            database = db.Database(db.open_engine(it.app_url, settings.database), keyring, utc_now)
            caller = renewed(database, settings_of(it.app_url), system)
            await database.close()
            try:
                await self._roll(it, caller)
            finally:
                for each in self.processes:
                    each.running.kill()
                    each.running.wait()
                    await each.client.aclose()
            await self._all_there(it.superuser_url)

    async def _roll(self, it: postgres.Server, caller: Caller) -> None:
        home, following = migrations.HOME, self.work / "next"
        for name in COPIED:
            source, copy = home / name, following / name
            copy.parent.mkdir(exist_ok=True)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        head = versions.head()
        number = f"{int(head) + 1:04d}"
        revision = following / "alembic" / "versions" / f"2099_01_01_{number}-next.py"
        revision.write_text(NEXT.format(number=number, head=head))
        olds = [await self._started(f"old {n}", home, it) for n in (1, 2)]
        tasks = [asyncio.create_task(self._look()), *self._loading(caller)]
        self.say(f"two processes on revision {head}, {self.rate:g} requests a second")
        await self._go_on()
        await self._migrated(following, it)
        self.say(f"migrated to {number}, which they do not know")
        await self._go_on()
        for turn, old in enumerate(olds, 1):
            await self._started(f"new {turn}", following, it)
            self.say(f"new {turn} is ready")
            await self._go_on()
            old.running.send_signal(signal.SIGTERM)
            await until(lambda it=old: it.running.poll() is not None)
            assert old.running.returncode == 0, old.running.returncode
            self.say(f"{old.name} has ended, {self.answered[old.name]:,} requests answered")
            await self._go_on()
        self.over = True
        await asyncio.gather(*tasks)

    async def _started(self, name: str, home: Path, it: postgres.Server) -> Process:
        [port] = free_ports(1)
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
        with (self.work / f"{name}.log").open("wb") as log:
            running = subprocess.Popen(  # noqa: ASYNC220  waited for by asking it
                command, cwd=home, env=self._environment(home, it), stdout=log, stderr=log
            )
        base = f"http://127.0.0.1:{port}"
        limits = httpx.Limits(keepalive_expiry=IDLE_SECONDS)
        process = Process(name, base, running, httpx.AsyncClient(base_url=base, limits=limits))
        self.processes.append(process)
        await until(lambda: self._asked(process))
        return process

    def _environment(self, home: Path, it: postgres.Server) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TONGHU_")}
        return {
            **kept,
            "PYTHONPATH": str(home),
            "TONGHU_ENVIRONMENT": "sandbox",
            "TONGHU_DATABASE__URL": it.app_url,
            "TONGHU_DATABASE__OWNER_URL": it.owner_url,
            "TONGHU_KEYS_FILE": str(self.work / "keys.json"),
            "TONGHU_DRAIN_SECONDS": str(DRAIN_SECONDS),
            "TONGHU_RATE_LIMIT__PER_SECOND": "10000",
        }

    async def _migrated(self, home: Path, it: postgres.Server) -> None:
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", "migrate"),
            cwd=home,
            env=self._environment(home, it),
            stdout=subprocess.DEVNULL,
        )
        assert await done.wait() == 0

    async def _asked(self, process: Process) -> bool:
        """Ask a process whether it is ready, as a proxy does."""
        try:
            answer = await process.client.get("/readyz", timeout=5)
            process.ready = answer.status_code == httpx.codes.OK
        except httpx.TransportError:
            process.ready = False
        return process.ready

    async def _look(self) -> None:
        while not self.over:
            await asyncio.gather(*map(self._asked, self.processes))
            await asyncio.sleep(LOOKS_EVERY)

    def _loading(self, caller: Caller) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._send(caller)) for _ in range(AT_ONCE)]

    async def _send(self, caller: Caller) -> None:
        """Send one request after another, a write in four, at the rate that is this one's part."""
        every, due = AT_ONCE / self.rate, time.monotonic()
        for turn in count():
            if self.over:
                return
            ready = [each for each in self.processes if each.ready]
            if not ready:
                self.failed.append("nobody was ready")
                await asyncio.sleep(LOOKS_EVERY)
                continue
            process = ready[turn % len(ready)]
            began = time.monotonic()
            try:
                await (self._write if turn % 4 == 0 else self._read)(process, caller)
            except Exception as error:  # noqa: BLE001  whatever it is, a request failed
                self.failed.append(f"{process.name}: {type(error).__name__}")
            self.took.append(time.monotonic() - began)
            self.answered[process.name] += 1
            due = max(due + every, time.monotonic() - every)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _read(self, process: Process, caller: Caller) -> None:
        answer = await process.client.get(
            "/v1/children?limit=5", headers=caller.headers, timeout=30
        )
        if answer.status_code != httpx.codes.OK:
            self.failed.append(f"{process.name}: GET {answer.status_code}")

    async def _write(self, process: Process, caller: Caller) -> None:
        number = next(self.numbers)
        answer = await process.client.post(
            "/v1/children",
            json=file_of(number),
            headers={**caller.headers, "idempotency-key": f"rolling-{number}"},
            timeout=30,
        )
        if answer.status_code == httpx.codes.CREATED:
            self.written.add(answer.json()["id"])
        else:
            self.failed.append(f"{process.name}: POST {answer.status_code}")

    async def _go_on(self) -> None:
        """Let some more requests be answered by each that is ready."""
        before = Counter(self.answered)
        ready = [each.name for each in self.processes if each.ready]
        await until(lambda: all(self.answered[name] >= before[name] + AT_ONCE for name in ready))

    async def _all_there(self, superuser_url: str) -> None:
        connection = await asyncpg.connect(superuser_url, database="tonghu")
        there = {str(row[0]) for row in await connection.fetch("SELECT id FROM children")}
        await connection.close()
        self.took.sort()
        p95 = self.took[len(self.took) * 95 // 100] * 1e3
        self.say(
            f"{len(self.took):,} requests, {len(self.written):,} of them writes,"
            f" {len(self.failed)} failed; p95 {p95:.0f} ms, the slowest {self.took[-1] * 1e3:.0f}"
        )
        for what, times in Counter(self.failed).most_common():
            self.say(f"  {times} × {what}")
        assert self.written <= there, "something that was answered with 201 is not there"


def main() -> None:
    rate = float(sys.argv[1]) if sys.argv[1:] else 40.0
    logs.configure(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tonghu-rolling-") as place:
        rolling = Rolling(Path(place), rate, partial(print, flush=True))
        asyncio.run(rolling.run())
    sys.exit(1 if rolling.failed else 0)


if __name__ == "__main__":
    main()
