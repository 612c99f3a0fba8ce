"""Backups of releases: `NAME/backup.sql.gz`, the keys it is sealed with, what was read of it."""

import gzip
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx

from app import main
from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.settings import Environment, Settings
from app.embedded import cluster, postgres
from tests import schema
from tests.access.factories import a_caller
from tests.conftest import NOW
from tests.releases.world import Reader

Seen = list[tuple[Reader, dict[str, Any]]]

HERE = Path(__file__).parent
_NEWER_THAN_15 = ("SET transaction_timeout", "\\restrict", "\\unrestrict", "CREATE SCHEMA public")


def kept() -> list[Path]:
    """Return the folders of the releases that are kept, the oldest first."""
    found = [path.parent for path in HERE.glob("*/backup.sql.gz")]
    return sorted(found, key=lambda path: [int(part) for part in path.name.split(".")])


def dump(superuser_url: str, name: str, folder: Path) -> None:
    """Write a backup of a database, as one would of a running one."""
    text = dumped(superuser_url, name)
    (folder / "backup.sql.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def dumped(superuser_url: str, name: str, *flags: str) -> str:
    """Write a database as SQL that PostgreSQL 15 understands too."""
    text = _run("pg_dump", _at(superuser_url, name), "--schema=public", "--no-comments", *flags)
    kept_lines = (line for line in text.splitlines() if not line.startswith(_NEWER_THAN_15))
    return "\n".join(kept_lines) + "\n"


def restore(superuser_url: str, name: str, folder: Path) -> schema.Urls:
    """Make a database of a backup, as an operator would."""
    postgres.bootstrap(superuser_url, name, schema.PASSWORD, schema.PASSWORD)
    text = gzip.decompress((folder / "backup.sql.gz").read_bytes()).decode()
    execute(superuser_url, name, text)
    return schema.urls_of(superuser_url, name)


def execute(superuser_url: str, name: str, sql: str) -> None:
    """Run statements as the superuser."""
    flags = ("--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1")
    _run("psql", _at(superuser_url, name), *flags, given=sql)


async def counts(superuser_url: str, name: str) -> dict[str, int]:
    """Count the rows of every table, whoever may see them."""
    connection = await asyncpg.connect(_at(superuser_url, name))
    names = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    found = {
        row["tablename"]: await connection.fetchval(f"SELECT count(*) FROM {row['tablename']}")
        for row in names
    }
    await connection.close()
    return found


async def asked(superuser_url: str, name: str, sql: str) -> tuple[Any, ...]:
    """Read one row, whoever may see what it is made of."""
    connection = await asyncpg.connect(_at(superuser_url, name))
    row = await connection.fetchrow(sql)
    await connection.close()
    return tuple(row)


@asynccontextmanager
async def serving(
    urls: schema.Urls, keyring: Keyring
) -> AsyncIterator[tuple[httpx.AsyncClient, db.Database, Settings]]:
    """Serve the app on a database of its own."""
    settings = Settings(
        environment=Environment.test, database={"url": urls.app, "owner_url": urls.owner}
    )
    engine = db.open_engine(urls.app, settings.database)
    database = db.Database(engine, keyring, lambda: NOW)
    app = main.create_app(settings)
    async with main.state(settings, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client, database, settings
    await database.close()


async def read(
    client: httpx.AsyncClient, database: db.Database, settings: Settings, reader: Reader
) -> dict[str, Any]:
    """Read all of a reader's URLs as somebody new of that agency."""
    caller = await a_caller(
        database, settings, reader.role, reader.region, agency_id=reader.agency_id
    )
    found = {}
    for url in reader.urls:
        answer = await client.get(url, headers=caller.headers)
        assert answer.status_code == httpx.codes.OK, f"{url}: {answer.text}"
        found[url] = answer.json()
    return found


def remember(folder: Path, keyring: Keyring, seen: Seen) -> None:
    (folder / "keys.json").write_text(keyring.to_json() + "\n")
    told = [{**asdict(reader), "urls": answers} for reader, answers in seen]
    (folder / "seen.json").write_text(
        json.dumps(told, ensure_ascii=False, indent=1, default=str) + "\n"
    )


def remembered(folder: Path) -> tuple[Keyring, Seen]:
    told = json.loads((folder / "seen.json").read_text())
    return Keyring.from_json((folder / "keys.json").read_text()), [
        (Reader(**{**one, "urls": list(one["urls"])}), one["urls"]) for one in told
    ]


def _at(superuser_url: str, name: str) -> str:
    return urlunsplit(urlsplit(superuser_url)._replace(path=f"/{name}"))


def _run(program: str, *arguments: str, given: str = "") -> str:
    """Run a program of PostgreSQL's, the one that comes along."""
    root = cluster.installed_binaries()
    path = root / "bin" / program if root else program
    done = subprocess.run(
        [str(path), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGTZ": "UTC"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
