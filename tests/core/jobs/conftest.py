"""A PostgreSQL with the queue in it, and nothing else."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement
from sqlmodel import SQLModel

from app.core import settings
from app.core.clock import utc_now
from app.core.data import rls
from app.core.data.crypto import Keyring
from app.core.data.db import Database, open_engine
from app.core.jobs import queue
from app.embedded import postgres


@pytest.fixture(scope="session")
def server(scratch: Path) -> Iterator[postgres.Server]:
    """A server of our own: one test crashes it."""
    place = Path(tempfile.mkdtemp(prefix="tonghu-jobs-", dir=scratch))
    try:
        with postgres.acquire(place / "database", throwaway=True) as lease:
            yield lease.server
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
async def tables(server: postgres.Server) -> None:
    owner = await asyncpg.connect(server.owner_url)
    dialect = make_url("postgresql+asyncpg://").get_dialect()()
    for name in ("jobs", "job_schedules"):
        table = SQLModel.metadata.tables[name]
        definitions: list[ExecutableDDLElement] = [CreateTable(table)]
        definitions += [CreateIndex(index) for index in table.indexes]
        for definition in definitions:
            await owner.execute(str(definition.compile(dialect=dialect)))
        for statement in rls.statements(rls.TABLES[name]):
            await owner.execute(statement)
    await owner.execute("CREATE TABLE marks (text text)")
    await owner.execute("GRANT ALL ON marks TO tonghu_app")
    await owner.close()


@pytest.fixture
async def connection(
    server: postgres.Server, tables: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the app role to an empty queue; the registry is empty too."""
    monkeypatch.setattr(queue, "REGISTRY", {})
    owner = await asyncpg.connect(server.owner_url)
    await owner.execute("DELETE FROM jobs; DELETE FROM job_schedules; DELETE FROM marks")
    await owner.close()
    connection = await asyncpg.connect(server.app_url)
    yield connection
    if not connection.is_closed():
        await connection.close()


@pytest.fixture
async def database(server: postgres.Server) -> AsyncIterator[Database]:
    engine = open_engine(server.app_url, settings.Database())
    yield Database(engine, Keyring.generate(), utc_now)
    await engine.dispose()
