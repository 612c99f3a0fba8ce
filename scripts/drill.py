"""The restore drill: load, back up, write on, have an accident, restore to the minute, look, serve.

    python -m scripts.drill [FILES]

On a PostgreSQL of its own, which goes with its folder at the end. Everything in it is synthetic.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app import main as web
from app import wiring
from app.backup import checking, receiving, restoring, role, server, taking
from app.core import logs
from app.core.clock import utc_now
from app.core.data import db, migrations, rls
from app.core.data.crypto import Keyring
from app.core.settings import Environment, Settings
from app.embedded import postgres
from tests.access.factories import Caller, a_caller, renewed
from tests.children.factories import a_file
from tests.faults.town import free_ports
from tests.regions.factories import some_regions
from tests.waiting import PATIENCE, until

VILLAGE = 120119101200
COUNTY = 120119000000
MENDED = {"sign_ins", "subject_sequences", "event_feed"}
"""Tables of which rows are changed once they are restored; none is fewer for it here."""
ACCIDENT = """
SET session_replication_role = replica;
DELETE FROM child_facts; DELETE FROM child_changes; DELETE FROM visits; DELETE FROM children;
UPDATE staff SET name = '?';
DROP TABLE police_report_steps CASCADE;
"""
"""What a mistaken statement of a superuser does: rows, what they say, and a table with them."""


@dataclass
class Drill:
    """One run. `say` gets a line for each step, with the seconds since the last."""

    work: Path
    files: int
    say: Callable[[str], None]
    last: float = field(default_factory=time.monotonic)

    def done(self, line: str) -> None:
        now = time.monotonic()
        self.say(f"{now - self.last:6.1f} s  {line}")
        self.last = now

    async def run(self) -> None:
        """Go through all of it. Raises AssertionError where something is not as it was."""
        wiring.load()
        keyring = Keyring.generate()
        (self.work / "keys.json").write_text(keyring.to_json())
        backups = self.work / "backups"
        with await asyncio.to_thread(postgres.acquire, self.work / "server") as lease:
            it = lease.server
            await asyncio.to_thread(migrations.upgrade, it.owner_url)
            self.done("a database, migrated")
            async with serving(it.app_url, keyring) as (client, database, settings):
                director = await load(client, database, settings, self.files)
                self.done(f"{self.files} files loaded over the API")
                keeping = asyncio.create_task(receiving.keep(it.backup_url, backups))
                await until(lambda: _is_kept(it.superuser_url))
                self.done("`tonghu wal` keeps what is written")
                taken = await taking.base(it.backup_url, backups, utc_now(), lambda _: None)
                self.done(f"`tonghu backup`: {taken.said.bytes:,} bytes")
                child = await write(client, director, range(self.files, 2 * self.files))
                system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
            before = await _counts(it.backup_url)
            at = await _ask(it.superuser_url, "SELECT clock_timestamp()")
            self.done(f"{self.files} files more; {sum(before.values()):,} rows at {at:%H:%M:%S.%f}")
            await _ask(it.superuser_url, ACCIDENT)
            after = await _counts(it.backup_url)
            assert after.get("children") == 0
            await _all_kept(it.superuser_url)
            self.done(f"an accident: {sum(before.values()) - sum(after.values()):,} rows are gone")
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
        await self._restored(backups, at, before, keyring, (system, child))

    async def _restored(
        self,
        backups: Path,
        at: datetime,
        before: dict[str, int],
        keyring: Keyring,
        known: tuple[Caller, str],
    ) -> None:
        into = self.work / "restored"
        restored = await restoring.base(backups, into, at, lambda _: None)
        self.done(f"`tonghu restore --at` then: revision {restored.revision}")
        with server.running(into, 18, "postgres", "tonghu") as url:
            async for check in checking.database(url, keyring):
                assert check.good, check
                self.done(f"`tonghu verify`: {check.what}: {check.found}")
            there = await _counts(url)
            before["backups_made"] = 0  # none is of this server yet
            assert there == before, {n for n in before if there.get(n) != before[n]}
            self.done(f"as many rows of each of {len(there)} tables as then")
            app_url = url.replace("postgres@", f"{rls.APP_ROLE}@")
            await self._served(app_url, keyring, *known)

    async def _served(self, app_url: str, keyring: Keyring, system: Caller, child: str) -> None:
        settings = settings_of(app_url)
        database = db.Database(db.open_engine(app_url, settings.database), keyring, utc_now)
        headers = renewed(database, settings, system).headers
        await database.close()
        [port] = free_ports(1)
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("TONGHU_")},
            "TONGHU_ENVIRONMENT": "sandbox",
            "TONGHU_DATABASE__URL": app_url,
            "TONGHU_KEYS_FILE": str(self.work / "keys.json"),
            "TONGHU_TOKENS__ISSUER": settings.tokens.issuer,
        }
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
        with (self.work / "serve.log").open("wb") as log:
            serving = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: ASYNC220
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                await until(lambda: _is_ready(client))
                self.done("`tonghu serve`: ready")
                answer = await client.get(f"/v1/children/{child}", headers=headers)
                assert answer.status_code == httpx.codes.OK, answer.text
                assert answer.json()["identity"]["name"] == name_of(self.files * 2 - 1)
                self.done("a file written after the backup and before the accident is read")
                created = await client.post(
                    "/v1/children",
                    json=file_of(self.files * 2),
                    headers={**headers, "idempotency-key": "after-the-drill"},
                )
                assert created.status_code == httpx.codes.CREATED, created.text
                self.done("and a new one is written")
        finally:
            serving.terminate()
            serving.wait(PATIENCE)


def file_of(number: int) -> dict[str, Any]:
    whole = a_file(VILLAGE)
    identity = {"name": name_of(number), "sex": "female", "birth_date": "2016-03-01"}
    return {**whole, "identity": identity, "education": {"stage": "primary"}}


def name_of(number: int) -> str:
    return f"样{chr(0x4E00 + number % 5000)}{chr(0x5E00 + number // 5000)}"


def settings_of(app_url: str) -> Settings:
    return Settings(environment=Environment.sandbox, database={"url": app_url})


@asynccontextmanager
async def serving(
    app_url: str, keyring: Keyring
) -> AsyncIterator[tuple[httpx.AsyncClient, db.Database, Settings]]:
    settings = settings_of(app_url)
    database = db.Database(db.open_engine(app_url, settings.database), keyring, utc_now)
    app = web.create_app(settings)
    logs.configure(logging.CRITICAL)
    async with web.state(settings, database) as shared:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client, database, settings
    await database.close()


async def load(
    client: httpx.AsyncClient, database: db.Database, settings: Settings, files: int
) -> Caller:
    await some_regions(database, VILLAGE)
    director = await a_caller(database, settings, "village_director", VILLAGE)
    await write(client, director, range(files))
    return director


async def write(client: httpx.AsyncClient, director: Caller, numbers: range) -> str:
    """Write files; return the id of the last."""
    child = ""
    for number in numbers:
        answer = await client.post(
            "/v1/children",
            json=file_of(number),
            headers={**director.headers, "idempotency-key": f"drill-{number}"},
        )
        assert answer.status_code == httpx.codes.CREATED, answer.text
        child = answer.json()["id"]
    return child


async def _ask(superuser_url: str, sql: str) -> Any:
    connection = await asyncpg.connect(superuser_url, database="tonghu")
    try:
        if ";" in sql:
            return await connection.execute(sql)
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def _counts(url: str) -> dict[str, int]:
    async with role.seeing_all(url) as connection:
        return await role.counts(connection)


async def _is_kept(superuser_url: str) -> Any:
    return await _ask(superuser_url, "SELECT true FROM pg_stat_replication WHERE flush_lsn > '0/0'")


async def _all_kept(superuser_url: str) -> None:
    written = await _ask(superuser_url, "SELECT pg_current_wal_lsn()::text")
    await until(
        lambda: _ask(
            superuser_url, f"SELECT true FROM pg_stat_replication WHERE flush_lsn >= '{written}'"
        )
    )


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def main() -> None:
    files = int(sys.argv[1]) if sys.argv[1:] else 200
    logs.configure(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tonghu-drill-") as place:
        asyncio.run(Drill(Path(place), files, partial(print, flush=True)).run())


if __name__ == "__main__":
    main()
