"""Backups of releases, `NAME/backup.sql.gz`, and what one does with a database from outside."""

import gzip
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.core.data import rls
from app.embedded import cluster
from tests import everywhere, schema

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
    text = _run("pg_dump", at(superuser_url, name), "--schema=public", "--no-comments", *flags)
    kept_lines = (line for line in text.splitlines() if not line.startswith(_NEWER_THAN_15))
    return "\n".join(kept_lines) + "\n"


def restore(superuser_url: str, name: str, folder: Path) -> schema.Urls:
    """Make a database of a backup, as an operator would."""
    urls = schema.bare(superuser_url, name)
    execute(superuser_url, name, gzip.decompress((folder / "backup.sql.gz").read_bytes()).decode())
    return urls


def execute(superuser_url: str, name: str, sql: str) -> None:
    """Run statements as the superuser."""
    flags = ("--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1")
    _run("psql", at(superuser_url, name), *flags, given=sql)


async def counts(superuser_url: str, name: str) -> dict[str, int]:
    """Count the rows of every table, whoever may see them."""
    connection = await asyncpg.connect(at(superuser_url, name))
    names = await connection.fetch(
        "SELECT relname AS tablename FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
    )
    found = {
        row["tablename"]: await connection.fetchval(f"SELECT count(*) FROM {row['tablename']}")
        for row in names
    }
    await connection.close()
    return found


async def fill(superuser_url: str, name: str) -> None:
    """Write a row into every table that has none, such as those of later than a release."""
    connection = await asyncpg.connect(at(superuser_url, name))
    try:
        await everywhere.fill(connection, rls.TABLES)
    finally:
        await connection.close()


async def asked(superuser_url: str, name: str, sql: str) -> tuple[Any, ...]:
    """Read one row, whoever may see what it is made of."""
    connection = await asyncpg.connect(at(superuser_url, name))
    row = await connection.fetchrow(sql)
    await connection.close()
    return tuple(row)


def at(superuser_url: str, name: str) -> str:
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
