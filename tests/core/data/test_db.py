"""A database that is away, busy or starting is answered 503, through every lane (REL-4)."""

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from app.core import settings
from app.core.data import db
from app.core.data.crypto import Keyring
from app.core.data.db import TemporarilyUnavailable
from tests import schema


@asynccontextmanager
async def opened(url: str, keyring: Keyring, **limits: int):
    database = db.Database(db.open_engine(url, settings.Database(**limits)), keyring, lambda: None)
    try:
        yield database
    finally:
        await database.close()


async def test_socket_that_is_gone(tmp_path, keyring) -> None:
    async with opened(f"postgresql://a:b@/c?host={tmp_path}", keyring) as database:
        with pytest.raises(TemporarilyUnavailable) as refused:
            async with database.begin():
                pass
    assert refused.value.headers["retry-after"] == "2"


async def test_server_that_takes_no_connections(pg, database_urls, keyring) -> None:
    """Like one that is starting up, SQLAlchemy wraps what asyncpg says of it."""
    admin = await asyncpg.connect(pg)
    role = f"only_once_{id(admin)}"
    try:
        await admin.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0 PASSWORD 'p'")
        url = database_urls.app.replace(f"tonghu_app:{schema.PASSWORD}", f"{role}:p")
        async with opened(url, keyring) as database:
            with pytest.raises(TemporarilyUnavailable):
                async with database.begin():
                    pass
    finally:
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()


async def test_lock_not_given_in_the_session_lane(live_database, database_urls, keyring) -> None:
    async with (
        opened(database_urls.app, keyring, lock_timeout_ms=100) as impatient,
        live_database.begin() as holder,
    ):
        await holder.connection.execute("SELECT pg_advisory_xact_lock(41)")
        with pytest.raises(TemporarilyUnavailable):
            async with impatient.begin() as tx:
                await tx.session.exec(text("SELECT pg_advisory_xact_lock(41)"))


@pytest.mark.parametrize("lane", ["connection", "session"])
async def test_server_that_hangs_up_in_the_middle(live_database, pg, lane) -> None:
    for _ in range(3):  # no connection of the pool is lost
        with pytest.raises(TemporarilyUnavailable):
            await _cut_off(live_database, pg, lane)
    assert live_database.engine.pool.checkedout() == 0
    async with live_database.begin() as tx:
        assert await tx.connection.fetchval("SELECT 1") == 1


async def _cut_off(database: db.Database, pg: str, lane: str) -> None:
    async with database.begin() as tx:
        pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
        admin = await asyncpg.connect(pg)
        await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await admin.close()
        if lane == "connection":
            await tx.connection.execute("SELECT 1")
        else:
            await tx.session.exec(text("SELECT 1"))


async def test_our_own_faults_stay_faults(live_database) -> None:
    with pytest.raises(FileNotFoundError):
        async with live_database.begin():
            await asyncio.to_thread(open, "/nowhere/at/all")
    with pytest.raises(Exception, match="syntax error"):
        async with live_database.begin() as tx:
            await tx.session.exec(text("SELEKT"))


async def test_what_runs_as_system_gives_the_callers_reach_back(database) -> None:
    settings = (
        "SELECT ARRAY(SELECT current_setting('tonghu.' || name) FROM unnest($1::text[]) name)"
    )
    caller = db.Reach(1, 2, agency=UUID(int=3), school=UUID(int=4), caller="staff:5")
    names = list(caller.settings)
    async with database.begin(caller) as tx:
        async with tx.as_system():
            assert await tx.connection.fetchval(settings, names) == list(
                db.SYSTEM.settings.values()
            )
        assert await tx.connection.fetchval(settings, names) == list(caller.settings.values())
