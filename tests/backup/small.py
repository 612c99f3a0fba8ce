"""A small server of its own with a few files, of which backups are taken."""

import asyncio
import fcntl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from app.backup import taking
from app.core.data.crypto import Keyring
from app.embedded import postgres
from scripts import drill
from tests import schema
from tests.conftest import NOW

FILES = 3


@dataclass(frozen=True)
class Small:
    """The server, its keys, and a folder for backups."""

    server: postgres.Server
    keyring: Keyring
    place: Path

    def base(self, folder: Path) -> taking.Taken:
        return asyncio.run(taking.base(self.server.backup_url, folder, NOW, self.said.append))

    def archive(self, folder: Path) -> taking.Taken:
        return asyncio.run(taking.archive(self.server.backup_url, folder, NOW, self.said.append))

    @property
    def said(self) -> list[str]:
        return _SAID

    def ask(self, sql: str, database: str = "tonghu") -> list[asyncpg.Record]:
        return asyncio.run(_asked(self.server.superuser_url, database, sql))


_SAID: list[str] = []


async def _asked(url: str, database: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url, database=database)
    try:
        if ";" in sql:
            await connection.execute(sql)
            return []
        return list(await connection.fetch(sql))
    finally:
        await connection.close()


async def _filled(server: postgres.Server, keyring: Keyring) -> None:
    await schema._create_all(server.owner_url)
    async with drill.serving(server.app_url, keyring) as (client, database, settings):
        await drill.load(client, database, settings, FILES)


@pytest.fixture(scope="package")
def small(scratch: Path) -> Iterator[Small]:
    keyring = Keyring.generate()
    with tempfile.TemporaryDirectory(prefix="tonghu-small-", dir=scratch) as name:
        place = Path(name)
        with postgres.acquire(place / "postgres", throwaway=True) as lease:
            asyncio.run(_filled(lease.server, keyring))
            yield Small(lease.server, keyring, place)
        _until_gone(place / "postgres")


def _until_gone(folder: Path) -> None:
    with (folder / "supervisor.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.fixture
def folder(small: Small) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="backups-", dir=small.place) as name:
        yield Path(name) / "backups"
