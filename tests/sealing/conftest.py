"""What tests of the sealed audit share."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.sealing.stage import Log, a_log

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "verify"))


@pytest.fixture
async def log(live_database, database_urls) -> AsyncIterator[Log]:
    """A log, empty."""
    async with a_log(database_urls.sealer) as log:
        yield log


@pytest.fixture
async def superuser(pg, database_urls) -> AsyncIterator[asyncpg.Connection]:
    """Who may do anything in the database."""
    path = urlsplit(database_urls.app).path
    connection = await asyncpg.connect(urlunsplit(urlsplit(pg)._replace(path=path)))
    await connection.execute("SET session_replication_role = replica")
    yield connection
    await connection.close()
