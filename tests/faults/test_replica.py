"""A streaming replica is read where it has all that was committed, and is missed by nobody."""

import asyncio
import re
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from app.core import startup
from app.core.clock import utc_now
from app.core.data import db
from app.core.data.db import SYSTEM, TemporarilyUnavailable
from app.core.data.replica import Replica, Standing
from app.core.http import routing
from app.core.settings import Database, Settings
from demo.cast import Cast
from tests.conftest import calling
from tests.faults.standby import Standby
from tests.faults.town import VILLAGE, Town, free_ports
from tests.waiting import PATIENCE, happens, until

pytestmark = pytest.mark.xdist_group("faults")

LISTS = "/v1/children"


@pytest.fixture(scope="module")
async def copied(built_town: Town, scratch: Path) -> AsyncIterator[Standby]:
    await asyncio.to_thread(built_town.up)
    place = Path(tempfile.mkdtemp(prefix="tonghu-standby-", dir=scratch))
    for folder in (place, built_town.server, built_town.data_dir, built_town.data_dir.parent):
        folder.chmod(0o711)  # as root, its account reaches the socket by name
    standby = Standby(built_town.server, place / "data")
    await asyncio.to_thread(standby.copy)
    yield standby
    standby.remove()


@pytest.fixture
async def standby(town: Town, copied: Standby) -> Standby:
    """The replica, up and streaming."""
    if copied.process is None or copied.process.poll() is not None:
        await copied.start()
    await copied.ask("SELECT pg_wal_replay_resume()")
    return copied


@pytest.fixture
async def reader(town: Town, standby: Standby) -> AsyncIterator[Replica]:
    """The replica, as a process knows it."""
    settings = Settings(
        environment="sandbox",
        data_dir=town.data_dir,
        tokens={"issuer": town.base},
        database={"read_url": standby.dsn("app")},
    )
    async with (
        startup.reachable_database(settings) as addresses,
        startup.open_database(settings, utc_now, addresses=addresses) as database,
        startup.open_replica(settings, utc_now, database) as replica,
    ):
        yield replica


@pytest.fixture
def settings_of_town(town: Town) -> Settings:
    return Settings(environment="sandbox", data_dir=town.data_dir, tokens={"issuer": town.base})


@pytest.fixture
async def web(
    app, town: Town, reader: Replica, settings_of_town
) -> AsyncIterator[httpx.AsyncClient]:
    """An app of this process that reads there, for a county's system."""
    caller = await asyncio.to_thread(town.token, "county", "registration")
    async with calling(app, settings_of_town, reader._primary, replica=reader) as http:
        http.headers.update(
            {"authorization": f"Bearer {caller.token}", "purpose-of-use": caller.purpose}
        )
        await until(lambda: _stands(http, reader, Standing.used))
        yield http


async def _stands(http: httpx.AsyncClient, replica: Replica, standing: Standing) -> bool:
    assert (await http.get(LISTS)).status_code == 200
    return replica.standing is standing


async def looks(http: httpx.AsyncClient) -> dict[str, float]:
    """Return how the replica stood at each look, as /metrics tells."""
    text = (await http.get("/metrics")).text
    return {
        name: float(count)
        for name, count in re.findall(r'tonghu_replica_looks_total{standing="(\w+)"} (\S+)', text)
    }


async def _move(http: httpx.AsyncClient, number: int) -> str:
    body = {
        "identity": {"name": f"复{number}", "sex": "male", "birth_date": "2016-05-01"},
        "residence": {"region_code": str(VILLAGE)},
    }
    made = await http.post("/v1/children", json=body, headers={"prefer": "return=minimal"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _newest(http: httpx.AsyncClient) -> set[str]:
    seen: set[str] = set()
    cursor: dict[str, str] = {}
    while True:
        page = (await http.get(LISTS, params={"limit": 200, **cursor})).json()
        seen |= {item["id"] for item in page["items"]}
        if page["next_cursor"] is None:
            return seen
        cursor = {"cursor": page["next_cursor"]}


async def test_what_was_written_is_listed_at_once(web, reader: Replica, standby: Standby) -> None:
    before = await looks(web)
    for number in range(50):
        assert await _move(web, number) in await _newest(web)
    used = (await looks(web))["used"] - before["used"]
    assert used > 0, "and it was the replica that told"
    assert (await web.get("/readyz")).json()["replica"] in {"used", "behind"}


async def test_a_replica_that_stands_still_shows_nobody_the_past(
    web, reader: Replica, standby: Standby
) -> None:
    await standby.ask("SELECT pg_wal_replay_pause()")
    await until(lambda: standby.ask("SELECT pg_get_wal_replay_pause_state() = 'paused'"))
    for number in range(10):
        assert await _move(web, 100 + number) in await _newest(web)
    assert reader.standing is Standing.behind
    assert (await web.get("/readyz")).json() == {"status": "ready", "replica": "behind"}
    await standby.ask("SELECT pg_wal_replay_resume()")
    await until(lambda: _stands(web, reader, Standing.used))


async def test_every_look_is_answered_alike_there_and_here(
    app, web, reader: Replica, town: Town, settings_of_town
) -> None:
    paths = {
        route.path.replace("{child_id}", town.pupils[0])
        for route in iter_route_contexts(app.routes)
        if "GET" in (route.methods or ()) and routing.reading(getattr(route, "endpoint", web))
    }
    asked = sorted(path for path in paths if "{" not in path)
    assert len(asked) > 20, asked
    before = await looks(web)
    there = [await web.get(path) for path in asked]
    stood = await looks(web)
    async with calling(app, settings_of_town, reader._primary) as primary:
        primary.headers.update(web.headers)
        here = [await primary.get(path) for path in asked]
    for path, one, other in zip(asked, there, here, strict=True):
        assert one.status_code == other.status_code, (path, one.text)
        if not path.endswith(("/audit-entries", "/readers")):  # which have the looks themselves
            assert one.json() == other.json() or one.status_code != 200, path
    answered = sum(one.status_code == 200 for one in there)
    assert answered > 15, [(path, one.status_code) for path, one in zip(asked, there, strict=True)]
    assert stood["used"] - before["used"] >= answered - 3


async def test_a_token_that_was_revoked_reads_nothing_there(
    web, reader: Replica, town: Town
) -> None:
    """Authority is read where it was taken away."""
    county = UUID(Cast.read(town.data_dir).machines["county"].client_id)
    async with reader._primary.begin(SYSTEM) as tx:
        [client] = await tx.connection.fetch(
            "UPDATE clients SET active = false WHERE id = $1 RETURNING id", county
        )
    try:
        assert (await web.get(LISTS)).status_code == 401
    finally:
        async with reader._primary.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE clients SET active = true WHERE id = $1", *client)


async def test_each_look_there_is_recorded_here(web, reader: Replica, town: Town) -> None:
    counted = "SELECT count(*) FROM audit_entries WHERE operation = 'listChildren'"
    [[before]] = await town.query(counted)
    assert (await web.get(LISTS)).status_code == 200
    [[after]] = await town.query(counted)
    assert after == before + 1


async def test_a_silent_replica_is_waited_for_once(web, reader: Replica, standby: Standby) -> None:
    reader._patience = 0.2
    await _stands(web, reader, Standing.used)
    standby.kill(signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(web.get(LISTS) for _ in range(8)))
        assert {each.status_code for each in answers} == {200}
        assert reader.standing is Standing.away
        before = await looks(web)
        assert (await web.get(LISTS)).status_code == 200
        assert (await looks(web))["used"] == before["used"], "it was not asked"
    finally:
        standby.kill(signal.SIGCONT)
    await until(lambda: _stands(web, reader, Standing.used))


async def test_who_waits_for_an_answer_of_it_is_let_go_with_the_rest(
    reader: Replica, standby: Standby
) -> None:
    """Else an answer that never comes is waited for as long as any statement."""
    reader._patience = 0.2
    asked, asks = asyncio.Event(), 0

    async def slow(tx: db.Tx) -> str:
        nonlocal asks
        asks += 1
        if asks > 1:
            return "primary"
        asked.set()
        await tx.connection.fetchval("SELECT pg_sleep(60)")
        raise AssertionError

    async def quick(tx: db.Tx) -> bool:
        return bool(await tx.connection.fetchval("SELECT pg_is_in_recovery()"))

    async with reader._primary.begin() as tx, reader._primary.begin() as other:
        waiting = asyncio.create_task(reader.read(tx, SYSTEM, slow))
        await happens(asked)
        standby.kill(signal.SIGSTOP)
        try:
            assert await reader.read(other, SYSTEM, quick) == (False, Standing.away)
            assert await waiting == ("primary", Standing.away)
        finally:
            standby.kill(signal.SIGCONT)


async def test_who_waits_alone_for_an_answer_of_it_is_let_go(
    reader: Replica, standby: Standby
) -> None:
    """All who may ask may be waiting so, and nobody comes who would find it silent."""
    reader._patience = 0.2
    asked = asyncio.Event()

    async def slow(tx: db.Tx) -> str:
        if asked.is_set():
            return "primary"
        asked.set()
        await tx.connection.fetchval("SELECT pg_sleep(60)")
        raise AssertionError

    async with reader._primary.begin() as tx:
        waiting = asyncio.create_task(reader.read(tx, SYSTEM, slow))
        await happens(asked)
        standby.kill(signal.SIGSTOP)
        try:  # the server's own limit is 15 seconds
            assert await asyncio.wait_for(waiting, 10) == ("primary", Standing.away)
        finally:
            standby.kill(signal.SIGCONT)


async def test_what_was_cancelled_for_what_is_replayed_is_asked_of_the_primary(
    reader: Replica, standby: Standby, town: Town
) -> None:
    """It stands as it stood: only that statement was in the way."""
    asks = []

    async def look(tx: db.Tx) -> str:
        asks.append(tx)
        there = await tx.connection.fetchval("SELECT pg_is_in_recovery()")
        if there:
            raise_as = "DO $$ BEGIN RAISE SQLSTATE '40001' USING MESSAGE = 'conflict'; END $$"
            await tx.connection.execute(raise_as)
        return "primary"

    async with reader._primary.begin() as tx:
        assert await reader.read(tx, SYSTEM, look) == ("primary", Standing.behind)
    assert (len(asks), reader.standing) == (2, Standing.used)


async def test_what_takes_too_long_there_is_not_tried_again_here(
    reader: Replica, standby: Standby
) -> None:
    asks = []

    async def slow(tx: db.Tx) -> None:
        asks.append(tx)
        await tx.connection.execute("SET LOCAL statement_timeout = 1")
        await tx.connection.fetchval("SELECT pg_sleep(60)")

    async def slow_by_session(tx: db.Tx) -> None:
        asks.append(tx)
        await tx.connection.execute("SET LOCAL statement_timeout = 1")
        await tx.session.exec(text("SELECT pg_sleep(60)"))

    async with reader._primary.begin() as tx:
        for ask in (slow, slow_by_session):
            with pytest.raises(TemporarilyUnavailable):
                await reader.read(tx, SYSTEM, ask)
    assert (len(asks), reader.standing) == (2, Standing.used)


async def test_another_database_is_no_replica(
    town: Town, reader: Replica, standby: Standby
) -> None:
    """Not even this one: it does not stream. How far it is would say nothing of what it has."""
    engine = db.open_engine(reader._primary.engine.url.render_as_string(False), Database())
    itself = db.Database(engine, reader._primary.keyring, utc_now)
    other = Replica(itself, reader._primary, startup.refuse_unsafe_role)
    await other.look()
    assert other.standing is Standing.foreign
    await other.close()


async def test_a_role_that_sees_everything_is_not_read_under(
    town: Town, reader: Replica, standby: Standby
) -> None:
    database = {"read_url": standby.dsn("superuser")}
    settings = Settings(environment="sandbox", data_dir=town.data_dir, database=database)
    with pytest.raises(startup.UnsafeDatabaseRole):
        async with startup.open_replica(settings, utc_now, reader._primary):
            pass
    engine = db.open_engine(standby.dsn("superuser"), Database())
    dangerous = db.Database(engine, reader._primary.keyring, utc_now)
    other = Replica(dangerous, reader._primary, startup.refuse_unsafe_role)
    async with reader._primary.begin() as tx:
        for _ in range(2):
            assert await other.read(tx, SYSTEM, _where) == (False, Standing.away)
            while other._look is not None:
                await asyncio.wait([other._look])
    assert other.standing is Standing.away
    await other.close()


async def _where(tx: db.Tx) -> bool:
    return bool(await tx.connection.fetchval("SELECT pg_is_in_recovery()"))


@dataclass
class Beside(Town):
    """The same town, its web processes reading at the replica."""

    read_url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        plenty = {"TONGHU_RATE_LIMIT__PER_SECOND": "1e6", "TONGHU_RATE_LIMIT__BURST": "1000000"}
        return super().environment | plenty | {"TONGHU_DATABASE__READ_URL": self.read_url}


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_nobody_misses_a_replica_that_is_killed_and_comes_back(
    town: Town, standby: Standby, rounds: int
) -> None:
    [port] = free_ports(1)
    beside = Beside(town.data_dir, port, read_url=standby.dsn("app"), pupils=town.pupils)
    beside.start("web", "-m", "app.cli", "serve", "--port", str(port), "--workers", "2")
    statuses: Counter[int] = Counter()
    over = asyncio.Event()

    async def reads(http: httpx.AsyncClient) -> None:
        while not over.is_set():
            statuses[(await http.get(LISTS)).status_code] += 1

    try:
        await asyncio.to_thread(beside.wait_until_ready)
        caller = await asyncio.to_thread(beside.token, "county", "registration")
        headers = {"authorization": f"Bearer {caller.token}", "purpose-of-use": caller.purpose}
        async with (
            httpx.AsyncClient(base_url=beside.base, timeout=PATIENCE, headers=headers) as http,
            asyncio.TaskGroup() as together,
        ):
            for _ in range(4):
                together.create_task(reads(http))
            for number in range(rounds):
                await until(partial(_more, http, "used"))
                await asyncio.to_thread(standby.kill)
                await until(partial(_more, http, "away"))
                assert await _move(http, 200 + number) in await _newest(http)
                await standby.start()
                await until(partial(_more, http, "used"))
            over.set()
        assert statuses.keys() == {200}, statuses
    finally:
        beside.kill("web")


async def _more(http: httpx.AsyncClient, standing: str) -> bool:
    """Tell whether looks are had while it stands so."""
    before = (await looks(http)).get(standing, 0.0)
    await http.get(LISTS)
    return (await looks(http)).get(standing, 0.0) > before
