"""Processes of `tonghu` that serve while something is done to them, and callers who go on all the
while: to whoever was ready when last asked, as a proxy with health checks would send them, each
request once, never again. What is written at one is read at another.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import orjson
from typer.testing import CliRunner

from app.cli import commands
from app.core.clock import utc_now
from app.core.data import db
from app.core.data.crypto import Keyring
from app.embedded import postgres
from scripts.drill import COUNTY, VILLAGE, file_of, load, name_of, serving, settings_of
from tests.access.factories import Caller, a_caller, renewed
from tests.faults.town import free_ports
from tests.police_reports.factories import a_report
from tests.waiting import until

AT_ONCE = 6
"""No more than one process has places for, where another is slow."""
DRAIN_SECONDS = 3
LOOKS_EVERY = 0.2
IDLE_SECONDS = 2.0
"""A proxy lets go of a connection before the server does, which waits five."""
PATIENCE = 600.0
"""Longer than a test's: a process starts beside others that work as much as they can."""
RENEWED_EVERY = 60.0
"""Tokens live for five minutes."""


@dataclass
class Process:
    """A process: where it listens, and whether it was ready when last asked."""

    name: str
    running: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    ready: bool = False
    is_apart: bool = False
    """Callers are not sent there: a worker, or one that has other keys."""
    has_keys: bool = True
    since: datetime = field(default_factory=utc_now)


@dataclass
class Load:
    """One run. `failed`: what went wrong, each time; `took`: seconds of each request; `written`:
    the files that were answered with 201, by id, and the numbers they were made of; `filed`:
    likewise the reports.
    """

    work: Path
    it: postgres.Server
    rate: float
    say: Callable[[str], None]
    here: bool = False
    """Commands run in this process, which has loaded what they need."""
    processes: list[Process] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    written: dict[str, int] = field(default_factory=dict)
    filed: list[str] = field(default_factory=list)
    numbers: count = field(default_factory=lambda: count(1_000))  # type: ignore[type-arg]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    over: bool = False
    system: Caller | None = None
    director: Caller | None = None
    operators: list[Caller] = field(default_factory=list)

    @property
    def keys(self) -> Path:
        return self.work / "keys.json"

    async def as_superuser(self) -> asyncpg.Connection:
        """Connect to the database as one who sees every row."""
        name = urlsplit(self.it.app_url).path.removeprefix("/")
        return await asyncpg.connect(self.it.superuser_url, database=name)

    async def known(self, files: int) -> None:
        """Make the callers, and files that are there before anything begins."""
        keyring = Keyring.from_json(self.keys.read_text())
        async with serving(self.it.app_url, keyring) as (client, database, settings):
            self.director = await load(client, database, settings, files)
            self.system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
            one = await a_caller(database, settings, "operator", 0)
            two = await a_caller(database, settings, "operator", 0, agency_id=one.agency_id)
            self.operators = [one, two]
        await self.renew()

    async def renew(self) -> None:
        """Give the callers tokens of now, signed with the key that signs now."""
        settings = settings_of(self.it.app_url)
        keyring = Keyring.from_json(self.keys.read_text())
        database = db.Database(db.open_engine(self.it.app_url, settings.database), keyring, utc_now)
        assert self.system
        assert self.director
        self.system = renewed(database, settings, self.system)
        self.director = renewed(database, settings, self.director)
        self.operators = [renewed(database, settings, each) for each in self.operators]
        await database.close()

    def begin(self) -> None:
        """Let callers begin: as many at once as there are, a report to the police each second."""
        senders = [self._send() for _ in range(AT_ONCE)]
        for each in (self._look(), self._renewing(), self._reporting(), *senders):
            self.tasks.append(asyncio.create_task(each))

    async def end(self) -> None:
        """Let them finish, end what serves, and say what was seen. Raises AssertionError if
        something that was answered with 201 is not there.
        """
        self.over = True
        await asyncio.gather(*self.tasks)
        for each in self.processes:
            each.running.kill()
            each.running.wait()
            await each.client.aclose()
        connection = await self.as_superuser()
        children = {str(row[0]) for row in await connection.fetch("SELECT id FROM children")}
        reports = {str(row[0]) for row in await connection.fetch("SELECT id FROM police_reports")}
        await connection.close()
        for each in self.processes:
            self._say_why(each)
        self.took.sort()
        p95 = self.took[len(self.took) * 95 // 100] * 1e3
        lost = len({*self.written} - children) + len({*self.filed} - reports)
        self.say(
            f"{len(self.took):,} requests, {len(self.written):,} files and {len(self.filed):,}"
            f" reports written, {self.failed.total()} failed, {lost} lost; p95 {p95:.0f} ms,"
            f" the slowest {self.took[-1] * 1e3:.0f}"
        )
        for what, times in self.failed.most_common(20):
            self.say(f"  {times} × {what}")
        assert not lost, "something that was answered with 201 is not there"

    def _say_why(self, process: Process) -> None:
        """Say of each request that was told to come back why it was, by the log of who said so."""
        for line in (self.work / f"{process.name}.log").read_text(errors="replace").splitlines():
            said = orjson.loads(line) if '"status":503' in line else {"operation": "readyz"}
            if said["operation"] != "readyz":
                self.say(
                    f"{process.name}: {said['operation']} 503, {said['cause']}, {said['ms']} ms"
                )

    async def started(
        self, name: str, home: Path, *command: str, keys: Path | None = None
    ) -> Process:
        """Start `tonghu serve`, or another command that answers at a port, and wait for it. `keys`:
        a file of other keys than the database's.
        """
        [port] = free_ports(1)
        settings = {"TONGHU_WORKER__PORT": str(port), "TONGHU_KEYS_FILE": str(keys or self.keys)}
        arguments = command or ("serve", "--port", str(port))
        with (self.work / f"{name}.log").open("wb") as log:
            running = subprocess.Popen(  # noqa: ASYNC220  waited for by asking it
                [sys.executable, "-m", "app.cli", *arguments],
                cwd=home,
                env=self.environment(home) | settings,
                stdout=log,
                stderr=log,
            )
        limits = httpx.Limits(keepalive_expiry=IDLE_SECONDS)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits)
        process = Process(name, running, client, is_apart=bool(command or keys))
        process.has_keys = keys is None
        self.processes.append(process)
        await until(lambda: self._asked(process), PATIENCE)
        self.say(f"{name} is ready")
        return process

    async def stopped(self, process: Process) -> None:
        """Tell a process to stop, and wait for it."""
        process.running.send_signal(signal.SIGTERM)
        await until(lambda: process.running.poll() is not None, PATIENCE)
        assert process.running.returncode == 0, process.running.returncode
        process.ready = False
        self.say(f"{process.name} has ended, {self.answered[process.name]:,} requests answered")

    def environment(self, home: Path) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TONGHU_")}
        return {
            **kept,
            "PYTHONPATH": str(home),
            "TONGHU_ENVIRONMENT": "sandbox",
            "TONGHU_DATABASE__URL": self.it.app_url,
            "TONGHU_DATABASE__OWNER_URL": self.it.owner_url,
            "TONGHU_KEYS_FILE": str(self.keys),
            "TONGHU_TOKENS__ISSUER": settings_of(self.it.app_url).tokens.issuer,
            "TONGHU_DRAIN_SECONDS": str(DRAIN_SECONDS),
            "TONGHU_RATE_LIMIT__PER_SECOND": "10000",
        }

    async def taken(self) -> None:
        """Wait until every process that has this file has read it since it was written."""
        written = datetime.fromtimestamp(self.keys.stat().st_mtime, UTC)
        having = [each for each in self.processes if each.has_keys and self._stands(each)]
        async with asyncio.timeout(PATIENCE):  # logs are long: they are not read without a pause
            while not all(self._has_read(each, written) for each in having):  # noqa: ASYNC110
                await asyncio.sleep(LOOKS_EVERY)

    def _stands(self, process: Process) -> bool:
        return process.running.poll() is None

    def _has_read(self, process: Process, written: datetime) -> bool:
        if process.since > written:
            return True
        said = (self.work / f"{process.name}.log").read_text(errors="replace").splitlines()
        read = [orjson.loads(each)["timestamp"] for each in said if '"keys.renewed"' in each]
        return any(datetime.fromisoformat(each) >= written for each in read)

    async def tonghu(self, home: Path, *arguments: str) -> str:
        """Run a command to its end; return what it said. Raises AssertionError if it failed."""
        if self.here:
            done_here = await asyncio.to_thread(
                CliRunner(env=self.environment(home)).invoke, commands.app, arguments
            )
            assert done_here.exit_code == 0, done_here.output
            return done_here.output
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", *arguments),
            cwd=home,
            env=self.environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await done.communicate()
        if done.returncode:
            self.say(said.decode()[-500:])
        assert done.returncode == 0, arguments
        return said.decode()

    async def go_on(self) -> None:
        """Let some more requests be answered by each that is ready."""
        before = Counter(self.answered)
        ready = [each.name for each in self._ready()]
        await until(
            lambda: all(self.answered[name] >= before[name] + AT_ONCE for name in ready), PATIENCE
        )

    def _ready(self) -> list[Process]:
        return [each for each in self.processes if each.ready and not each.is_apart]

    async def _asked(self, process: Process) -> bool:
        """Ask a process whether it is ready, as a proxy does."""
        path = "/livez" if process.is_apart else "/readyz"
        try:
            answer = await process.client.get(path, timeout=5)
            process.ready = answer.status_code == httpx.codes.OK
        except httpx.TransportError:
            process.ready = False
        return process.ready

    async def _look(self) -> None:
        while not self.over:
            standing = [each for each in self.processes if each.running.poll() is None]
            await asyncio.gather(*map(self._asked, standing))
            await asyncio.sleep(LOOKS_EVERY)

    async def _renewing(self) -> None:
        last = time.monotonic()
        while not self.over:
            await asyncio.sleep(LOOKS_EVERY)
            if time.monotonic() - last >= RENEWED_EVERY:
                last = time.monotonic()
                await self.renew()

    async def _send(self) -> None:
        """Send one request after another at the rate that is this one's part: of four one writes,
        two read what was written, by whichever process, and one lists.
        """
        await self._keep_sending(
            AT_ONCE / self.rate, (self._write, self._read, self._list, self._read)
        )

    async def _reporting(self) -> None:
        await self._keep_sending(1.0, (self._report,))

    async def _keep_sending(self, every: float, kinds: tuple[Any, ...]) -> None:
        due = time.monotonic()
        for turn in count():
            if self.over:
                return
            if not (ready := self._ready()):
                self.failed["nobody was ready"] += 1
                await asyncio.sleep(LOOKS_EVERY)
                continue
            process, kind = ready[turn % len(ready)], kinds[turn // len(ready) % len(kinds)]
            began = time.monotonic()
            try:
                if wrong := await kind(process):
                    self.failed[f"{process.name}: {wrong}"] += 1
            except Exception as error:  # noqa: BLE001  whatever it is, a request failed
                self.failed[f"{process.name}: {kind.__name__} {type(error).__name__}"] += 1
            self.took.append(time.monotonic() - began)
            self.answered[process.name] += 1
            due = max(due + every, time.monotonic() - every)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _list(self, process: Process) -> str:
        answer = await self.get(process, "/v1/children?limit=5")
        return "" if answer.status_code == httpx.codes.OK else f"list {answer.status_code}"

    async def _read(self, process: Process) -> str:
        """Read the file that was written last, and search for it by its name."""
        if not self.written:
            return ""
        child, number = next(reversed(self.written.items()))
        answer = await self.get(process, f"/v1/children/{child}")
        if answer.status_code != httpx.codes.OK:
            return f"file {answer.status_code}"
        if answer.json()["identity"]["name"] != name_of(number):
            return "file without its name"
        assert self.director
        found = await process.client.post(
            "/v1/children/search",
            json={"name": name_of(number)},
            headers=self.director.headers,
            timeout=30,
        )
        if found.status_code != httpx.codes.OK:
            return f"search {found.status_code}"
        return "" if child in {each["id"] for each in found.json()["items"]} else "not found"

    async def _write(self, process: Process) -> str:
        assert self.director
        number = next(self.numbers)
        answer = await process.client.post(
            "/v1/children",
            json=file_of(number),
            headers={**self.director.headers, "idempotency-key": f"load-{number}"},
            timeout=30,
        )
        if answer.status_code != httpx.codes.CREATED:
            return f"open {answer.status_code}"
        self.written[answer.json()["id"]] = number
        return ""

    async def _report(self, process: Process) -> str:
        """Report to the police; read at each that is ready what was reported."""
        assert self.director
        body = a_report(region_code=str(VILLAGE), narrative=f"合成 {len(self.filed)}")
        answer = await process.client.post(
            "/v1/police-reports", json=body, headers=self.director.headers, timeout=30
        )
        if answer.status_code != httpx.codes.CREATED:
            return f"report {answer.status_code}"
        self.filed.append(answer.json()["id"])
        for each in self._ready():
            path = f"/v1/police-reports/{self.filed[-1]}"
            shown = await each.client.get(path, headers=self.director.headers, timeout=30)
            if shown.status_code != httpx.codes.OK:
                return f"report read at {each.name} {shown.status_code}"
        return ""

    async def get(self, process: Process, path: str) -> httpx.Response:
        assert self.system
        return await process.client.get(path, headers=self.system.headers, timeout=30)
