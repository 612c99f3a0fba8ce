"""Every entry becomes a leaf, once, whatever commits when and whatever is killed where."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from app import sealer
from app.core.data import db, rls
from app.core.settings import SealerSettings
from app.core.startup import UnsafeDatabaseRole
from app.sealing import merkle, writing
from app.sealing.exporting import NothingSealed
from app.sealing.writing import LogBroken
from tests.sealing.stage import KEY, Log, a_log, exported, look, looks
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.xdist_group("sealing")
_SEALED = """
SELECT count(*) AS leaves, count(DISTINCT l.entry_id) AS entries, min(l.n) AS first,
    max(l.n) AS last, (SELECT count(*) FROM audit_entries) AS recorded
FROM audit_leaves l JOIN audit_entries e ON e.id = l.entry_id
"""


class _Killed(Exception):
    """The process, or the transaction, ends here."""


async def _number(tx: db.Tx) -> int:
    number = "SELECT pg_current_xact_id()::text::bigint"
    return int(await tx.connection.fetchval(number))


async def _all_sealed(log: Log, many: int) -> None:
    found = await log.connection.fetchrow(_SEALED)
    assert tuple(found) == (many, many, 0, many - 1, many)
    kept = await log.connection.fetch("SELECT hash FROM audit_leaves ORDER BY n")
    edge = merkle.Edge(0, [])
    for row in kept:
        edge.append(row["hash"])
    assert edge.root() == log.state.edge.root()


async def test_what_commits_late_is_sealed_then_and_once(log, live_database) -> None:
    """A is open while B commits: B is sealed; A commits: A is, too, though its number is lower."""
    async with live_database.begin(db.SYSTEM) as a:
        await look(a, "a")
        await looks(live_database, 1)
        assert len((await log.seal()).ats) == 1
        assert len((await log.seal()).ats) == 0
        assert await _number(a) in log.state.pending
        await looks(live_database, 1)
        assert len((await log.seal()).ats) == 1
        number = await _number(a)
    assert len((await log.seal()).ats) == 1
    assert number not in log.state.pending
    await _all_sealed(log, 3)


async def test_what_commits_late_is_not_lost_by_who_begins_anew(log, live_database) -> None:
    async with live_database.begin(db.SYSTEM) as a:
        await look(a, "a")
        await looks(live_database, 2)
        await log.seal()
        await looks(live_database, 2)
        await log.seal(later=False)
        await log.again()
    assert len((await log.seal()).ats) == 1
    await _all_sealed(log, 5)


async def test_what_is_taken_back_is_waited_for_no_longer(log, live_database) -> None:
    await log.seal()
    a = live_database.begin(db.SYSTEM)
    tx = await a.__aenter__()
    await look(tx, "a")
    number = await _number(tx)
    await looks(live_database, 1)
    await log.seal()
    assert number in log.state.pending
    await a.__aexit__(_Killed, _Killed(), None)
    await log.seal()
    assert number not in log.state.pending
    await _all_sealed(log, 1)


async def test_more_than_a_batch_is_sealed_at_once_batch_by_batch(
    log, live_database, monkeypatch
) -> None:
    """With one under way from before, and with more rows of one transaction than a batch has."""
    monkeypatch.setattr(writing, "BATCH", 4)
    for name in ("_FRESH", "_MOVED"):
        smaller = getattr(writing, name).replace("LIMIT 5000", "LIMIT 4")
        monkeypatch.setattr(writing, name, smaller)
    async with live_database.begin(db.SYSTEM) as a:
        await look(a, "a")
        await looks(live_database, 11)
        for _ in range(3):
            await looks(live_database, 1)
        more = [(await log.seal()).more for _ in range(5)]
        assert more == [True, True, True, True, False]
        await _count(log, 14)
        await looks(live_database, 11)
        for _ in range(3):
            await looks(live_database, 1)
        more = [(await log.seal()).more for _ in range(4)]
        assert more == [True, True, True, False]
        await _count(log, 28)
    await log.seal()
    await _all_sealed(log, 29)


async def _count(log: Log, many: int) -> None:
    assert await log.connection.fetchval("SELECT count(*) FROM audit_leaves") == many


async def test_nodes_are_kept_as_they_become_whole(log, live_database) -> None:
    await looks(live_database, 600)
    await log.seal()
    nodes = await log.connection.fetch("SELECT level, i, hash FROM audit_nodes ORDER BY level, i")
    assert [(row["level"], row["i"]) for row in nodes] == [(1, 0), (1, 1)]
    hashes = await log.connection.fetch("SELECT hash FROM audit_leaves ORDER BY n")
    assert nodes[1]["hash"] == merkle.fold([row["hash"] for row in hashes[256:512]])
    await log.again()
    await looks(live_database, 30)
    await log.seal()
    await _all_sealed(log, 630)


def _killing(connection: asyncpg.Connection, after: int) -> Callable[[str], None]:
    """Kill the connection after so many of the statements of a pass."""
    count = 0

    def killer(name: str) -> None:
        real = getattr(connection, name)

        async def instead(*args: object, **options: object) -> object:
            nonlocal count
            done = await real(*args, **options)
            count += 1
            if count == after:
                connection.terminate()
                raise _Killed
            return done

        setattr(connection, name, instead)

    return killer


class _Open(asyncpg.Connection):
    """A connection whose methods can be put others in the place of."""

    __slots__ = ("__dict__",)


@pytest.mark.parametrize("after", range(1, 8))
async def test_killed_between_any_two_statements_it_goes_on_from_what_is_whole(
    log, live_database, after
) -> None:
    await looks(live_database, 300)
    await log.seal()
    await looks(live_database, 300)
    await log.connection.close()
    log.connection = await asyncpg.connect(log.url, connection_class=_Open)
    kill = _killing(log.connection, after)
    for name in ("fetchrow", "fetch", "copy_records_to_table", "execute"):
        kill(name)
    with suppress(_Killed, asyncpg.PostgresError, asyncpg.InterfaceError):
        await log.seal()
    await log.again()
    await log.seal()
    await _all_sealed(log, 600)
    assert await log.connection.fetchval("SELECT max(size) FROM audit_checkpoints") == 600


async def test_entries_from_another_server_are_all_sealed(log, live_database, superuser) -> None:
    """Restored elsewhere, what was written then has numbers that are not given out there yet."""
    await looks(live_database, 3)
    await log.seal()
    await looks(live_database, 2)
    await superuser.execute("UPDATE audit_checkpoints SET cluster = 'another'")
    await superuser.execute(
        "UPDATE audit_entries e SET committed_in = committed_in + 1000000000"
        " WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry_id = e.id)"
    )
    await log.again()
    assert log.state.moved
    assert len((await log.seal()).ats) == 2
    assert not log.state.moved
    await looks(live_database, 1)
    assert len((await log.seal()).ats) == 1
    await _all_sealed(log, 6)


async def test_a_server_that_begins_to_count_anew_seals_what_is_written_there(
    log, live_database, superuser
) -> None:
    """Restored elsewhere, what is written from then on has lower numbers than what was sealed."""
    await looks(live_database, 3)
    await log.seal()
    await superuser.execute(
        "UPDATE audit_checkpoints SET cluster = 'another', next_xid = next_xid + 1000000000"
    )
    await log.again()
    await looks(live_database, 2)
    assert len((await log.seal()).ats) == 2
    await log.again()
    await looks(live_database, 1)
    assert len((await log.seal()).ats) == 1
    await _all_sealed(log, 6)


async def test_what_another_server_sealed_is_looked_at_once_part_by_part(
    log, live_database, superuser, monkeypatch
) -> None:
    """And what is written here meanwhile is sealed, though its numbers lie below the others'."""
    monkeypatch.setattr(writing, "BATCH", 4)
    looked_at = writing._LOOKED_AT.replace("OFFSET 49999", "OFFSET 5")
    monkeypatch.setattr(writing, "_LOOKED_AT", looked_at)
    monkeypatch.setattr(writing, "_MOVED", writing._MOVED.replace("LIMIT 5000", "LIMIT 4"))
    await looks(live_database, 20)
    while (await log.seal()).more:
        pass
    await looks(live_database, 6)
    await superuser.execute("UPDATE audit_checkpoints SET cluster = 'another'")
    await superuser.execute("UPDATE audit_entries SET committed_in = committed_in + 1000000000")
    await log.again()
    async with live_database.begin(db.SYSTEM) as a:
        await look(a, "a")
        done = [await log.seal()]
        await looks(live_database, 3)
        done += [await log.seal() for _ in range(3)]
        assert [len(each.ats) for each in done] == [0, 0, 0, 4]
        await log.again()
        assert log.state.moved, "what was looked at is not known to who begins anew"
        while log.state.moved:
            done.append(await log.seal())
        assert sum(len(each.ats) for each in done) == 9
        assert await _number(a) in log.state.pending
    await looks(live_database, 1)
    await log.seal()
    await log.seal()
    await _all_sealed(log, 31)
    await log.again()
    assert log.state.moved is None


@pytest.mark.parametrize("gone", ["n >= 200", "n BETWEEN 260 AND 261", "n = 258"])
async def test_a_log_that_lacks_leaves_is_not_gone_on_with(
    log, live_database, superuser, gone
) -> None:
    """Also where the nodes above them still say what was signed."""
    for many in (256, 6):
        await looks(live_database, many)
        await log.seal()
    if "200" in gone:
        await superuser.execute("DELETE FROM audit_checkpoints WHERE size > 256")
    await superuser.execute(f"DELETE FROM audit_leaves WHERE {gone}")
    with pytest.raises(LogBroken):
        await log.again()
    await superuser.execute("DELETE FROM audit_checkpoints")


async def test_a_log_that_is_not_what_was_signed_is_not_gone_on_with(
    log, live_database, database_urls
) -> None:
    await looks(live_database, 5)
    await log.seal()
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute("UPDATE audit_leaves SET hash = decode(md5('x'), 'hex') WHERE n = 3")
    with pytest.raises(LogBroken):
        await log.again()
    await owner.execute("DELETE FROM audit_leaves WHERE n > 3")
    with pytest.raises(LogBroken):
        await log.again()
    await owner.execute("DELETE FROM audit_checkpoints")
    await owner.close()


async def test_the_app_cannot_seal_and_the_sealer_cannot_write_what_it_seals(
    log, live_database, database_urls
) -> None:
    app = await asyncpg.connect(database_urls.app)
    for table in ("audit_leaves", "audit_nodes", "audit_checkpoints"):
        for done in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(done)
    for done in (
        "INSERT INTO audit_entries (id, committed_in) VALUES (gen_random_uuid(), 1)",
        "UPDATE audit_entries SET committed_in = 1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(done)
    await app.close()
    may = await log.connection.fetch(
        "SELECT c.relname, p.what FROM pg_class c,"
        " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (what)"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND has_table_privilege(c.oid, p.what) ORDER BY 1, 2 DESC"
    )
    both = ("SELECT", "INSERT")
    assert [tuple(row) for row in may] == [
        *(("audit_checkpoints", each) for each in both),
        ("audit_entries", "SELECT"),
        *(("audit_leaves", each) for each in both),
        ("audit_logs", "SELECT"),
        *(("audit_nodes", each) for each in both),
        ("audit_presented", "SELECT"),
        ("audit_witnesses", "SELECT"),
    ]
    let = {table for table, role in rls.LET if role == rls.SEALER_ROLE}
    assert let >= {row["relname"] for row in may}


async def _running(settings: SealerSettings, work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(sealer.run(settings))
    try:
        await work()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _settings(url: str, tmp_path) -> SealerSettings:
    return SealerSettings(environment="test", data_dir=tmp_path, database={"sealer_url": url})


async def test_of_two_sealers_one_works_and_the_other_takes_over(
    live_database, database_urls, tmp_path
) -> None:
    settings = _settings(database_urls.sealer, tmp_path)
    sealer.write_key(tmp_path / "audit.key", KEY)
    async with a_log(database_urls.sealer) as other:
        assert await other.connection.fetchval(sealer.ONE_AT_A_TIME)
        await looks(live_database, 2)

        async def work() -> None:
            waits = (
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database() AND query = $1 AND state = 'idle'"
            )
            await until(lambda: other.connection.fetchval(waits, sealer.ONE_AT_A_TIME))
            await other.seal()
            await looks(live_database, 3)
            await _count(other, 2)
            await other.connection.execute("SELECT pg_advisory_unlock_all()")
            await until(
                lambda: other.connection.fetchval(f"SELECT recorded = leaves FROM ({_SEALED}) s")
            )

        await _running(settings, work)
        other.state = await writing.resume(other.connection, KEY.public)
        await _all_sealed(other, 5)


async def test_who_has_sealed_all_there_is_rests(
    live_database, database_urls, tmp_path, monkeypatch
) -> None:
    async def rest(stop: asyncio.Event) -> None:
        stop.set()

    monkeypatch.setattr(sealer, "_pause", rest)
    await looks(live_database, 2)
    settings = _settings(database_urls.sealer, tmp_path)
    await asyncio.wait_for(sealer.run(settings), PATIENCE)
    async with a_log(database_urls.sealer, sealer.signer(settings)) as other:
        await _all_sealed(other, 2)
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600


async def test_who_may_write_the_audit_does_not_seal_it(
    database_urls, tmp_path, monkeypatch
) -> None:
    async def went_on(_: object) -> None:
        raise AssertionError("it sealed")

    monkeypatch.setattr(sealer, "_pause", went_on)
    for url in (database_urls.app, database_urls.owner):
        with pytest.raises(UnsafeDatabaseRole):
            await sealer.run(_settings(url, tmp_path))
    elsewhere = SealerSettings(
        environment="test", data_dir=tmp_path, database={"url": database_urls.app}
    )
    with pytest.raises(UnsafeDatabaseRole, match="TONGHU_DATABASE__SEALER_URL"):
        await sealer.run(elsewhere)


async def test_an_export_begins_where_there_is_something(log, live_database) -> None:
    with pytest.raises(NothingSealed, match="Nothing is sealed yet"):
        await exported(live_database)
    await looks(live_database, 2)
    await log.seal()
    with pytest.raises(NothingSealed, match="before 2"):
        await exported(live_database, 2)
