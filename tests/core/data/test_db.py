"""A database that is away, busy or starting is answered 503, through every lane (REL-4)."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any
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
async def opened(url: str, keyring: Keyring, **limits: Any):
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


async def test_what_another_transaction_undid_may_be_tried_again(live_database) -> None:
    """A deadlock, a lock not given, a server that ends or has no room: none is the caller's."""
    for code in ("40P01", "40001", "55P03", "57014", "57P01", "53100", "53200"):
        with pytest.raises(TemporarilyUnavailable):
            async with live_database.begin() as tx:
                await tx.connection.execute(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$")


async def test_of_two_that_wait_for_each_other_one_is_told_to_come_back(live_database) -> None:
    """A real deadlock: the server undoes one, which may be sent again, and the other goes on."""
    both = asyncio.Barrier(2)

    async def one(first: int, then: int) -> None:
        async with live_database.begin() as tx:
            await tx.connection.execute("SELECT pg_advisory_xact_lock($1)", first)
            await both.wait()
            await tx.connection.execute("SELECT pg_advisory_xact_lock($1)", then)

    ends = await asyncio.gather(one(43, 44), one(44, 43), return_exceptions=True)
    (undone,) = [end for end in ends if end is not None]
    assert isinstance(undone, TemporarilyUnavailable)
    assert isinstance(undone.__cause__, asyncpg.DeadlockDetectedError)
    assert undone.headers["retry-after"] == "2"


async def test_a_lock_not_given_in_time_is_asked_for_again(
    live_database, database_urls, keyring
) -> None:
    async with (
        opened(database_urls.app, keyring, lock_timeout_ms=100) as impatient,
        live_database.begin() as holder,
    ):
        await holder.connection.execute("SELECT pg_advisory_xact_lock(45)")
        with pytest.raises(TemporarilyUnavailable) as refused:
            async with impatient.begin() as tx:
                await tx.connection.execute("SELECT pg_advisory_xact_lock(45)")
    assert isinstance(refused.value.__cause__, asyncpg.LockNotAvailableError)
    assert refused.value.headers["retry-after"] == "2"


async def test_nothing_holds_a_connection_for_ever(database_urls, keyring) -> None:
    """Neither a statement, nor a wait for a lock, nor a transaction that was forgotten."""
    limits = {"statement_timeout_ms": 70_000, "lock_timeout_ms": 50_000}
    asked = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    async with opened(database_urls.app, keyring, **limits) as database, database.begin() as tx:
        told = [await tx.connection.fetchval(f"SHOW {name}") for name in asked]
        whose = "SELECT DISTINCT source FROM pg_settings WHERE name = ANY ($1)"
        assert await tx.connection.fetch(whose, asked) == [("client",)], "not a server's own"
    assert told == ["70s", "50s", "1min"]


async def test_a_connection_comes_back_with_nothing_under_way(database_urls, keyring) -> None:
    """What was cut off in the middle would be the next caller's transaction, and reach."""
    async with opened(database_urls.app, keyring, pool_size=6) as database:
        async with database.lane() as lane:
            await lane.raw.execute("BEGIN; SET LOCAL tonghu.caller = 'system'")
        async with database.lane() as lane:
            assert not lane.raw.is_in_transaction()
            assert not await lane.raw.fetchval("SELECT current_setting('tonghu.caller', true)")


async def test_no_statement_is_kept_prepared_behind_a_pooler(database_urls, keyring) -> None:
    """The next transaction may run on another connection of its, which knows of none."""
    kept = []
    past = {"direct_url": database_urls.app}
    for pooled in (True, False):
        async with (
            opened(database_urls.app, keyring, behind_pgbouncer=pooled, **past) as database,
            database.begin() as tx,
        ):
            for lane in (tx.connection.fetchval, tx.connection.fetch):
                await lane("SELECT 1 + $1::int", 1)
            await tx.session.exec(text("SELECT 2"))
            kept.append(await tx.connection.fetchval("SELECT count(*) FROM pg_prepared_statements"))
    assert kept[0] == 0 < kept[1]


async def test_our_own_faults_stay_faults(live_database) -> None:
    with pytest.raises(FileNotFoundError):
        async with live_database.begin():
            await asyncio.to_thread(open, "/nowhere/at/all")
    with pytest.raises(Exception, match="syntax error"):
        async with live_database.begin() as tx:
            await tx.session.exec(text("SELEKT"))
    with pytest.raises(Exception, match="division by zero") as fault:
        async with live_database.begin() as tx:
            await tx.session.exec(text("SELECT 1 / 0, :said"), params={"said": "样例路 1 号"})
    assert "样例路" not in str(fault.value)


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


async def test_who_listens_is_woken_by_what_was_committed(live_database, database_urls) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = await asyncpg.connect(database_urls.app)
    for name in ("undone", "done"):
        await listening.add_listener(name, lambda *said: heard.put_nowait(said[2]))
    with pytest.raises(ZeroDivisionError):
        await _undone(live_database)
    async with live_database.begin() as tx:
        tx.wakes |= {"done"}
    assert await heard.get() == "done"
    await listening.close()


async def _undone(database: db.Database) -> None:
    async with database.begin() as tx:
        tx.wakes |= {"undone"}
        raise ZeroDivisionError


async def test_what_is_committed_is_done_though_nobody_can_be_woken(live_database) -> None:
    async with live_database.begin() as tx:
        tx.wakes |= {"select"}  # no name of a channel
    async with live_database.begin() as tx:
        assert await tx.connection.fetchval("SELECT 1") == 1


async def test_nobody_waits_long_for_who_listens_to_be_woken(live_database, monkeypatch) -> None:
    monkeypatch.setattr(db, "_WAKE_SECONDS", 0.0)
    async with live_database.begin() as tx:
        tx.wakes |= {"late"}
    assert tx.connection.is_closed()


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="must start with postgresql://"):
        db.as_sqlalchemy_url("mysql://a:b@localhost/c")
