"""One real PostgreSQL for the run, one database per worker, one rolled-back transaction per test.

`pg` is the server (embedded, in memory) or the one in `TONGHU_TEST_SUPERUSER_URL`. `database` pins
one connection inside an outer transaction, so what production commits is a savepoint here. Tests
that need several connections or real commits use `live_database`.
"""

import asyncio
import os
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog
import uvloop
from fastapi import FastAPI

from app import main
from app.api import openapi
from app.children.queries import ChildRef
from app.core import settings as config
from app.core.data import db, migrations
from app.core.data.crypto import Keyring
from app.core.settings import Environment, Settings
from app.embedded import postgres
from scripts.scratch import NowhereToWrite, Scratch, choose
from tests import answers_seen, routed, schema
from tests.access.factories import Caller, a_caller
from tests.children.factories import a_child
from tests.recorder import QueryRecorder
from tests.releases import backups

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""A Friday, 10:00 in China: the clock of every test that does not bring its own."""

VILLAGE = 120119101200

with warnings.catch_warnings():  # 3.14 would have it another way, and still takes this one
    warnings.simplefilter("ignore", DeprecationWarning)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
"""The loop that `tonghu serve` runs on: twice as fast to and from the database."""

sys.modules["sniffio"] = None  # type: ignore[assignment]
"""The client looks for it in vain before every request; here that is known, and costs nothing."""

SCRATCH = pytest.StashKey[Scratch]()
LONGEST = (
    *("tests/faults", "tests/revisions", "tests/releases", "tests/test_migrations"),
    *("tests/architecture/test_adding", "tests/matrix"),
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, lest one worker is left with it while the other is idle."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """What is collected stays: thousands of tests need not look for garbage among it."""
    main.spare_the_collector()


def pytest_runtest_teardown() -> None:
    """Log after a test as before it: a command in it may have said that less is logged."""
    structlog.reset_defaults()


def pytest_configure(config: pytest.Config) -> None:
    """Choose once for the whole run: what one worker writes leaves less for the next."""
    config.pluginmanager.register(answers_seen)
    handed_on = getattr(config, "workerinput", {}).get("scratch")
    try:
        config.stash[SCRATCH] = Scratch(Path(handed_on), 0) if handed_on else choose()
    except NowhereToWrite as nowhere:
        raise pytest.UsageError(str(nowhere)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["scratch"] = str(node.config.stash[SCRATCH].folder)


def pytest_report_header(config: pytest.Config) -> str:
    return str(config.stash[SCRATCH])


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say it even to who asked for no header, when it is not the place one would expect."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    scratch = session.config.stash[SCRATCH]
    if reporter and scratch.passed_over and not reporter.showheader:
        reporter.write_line(str(scratch))


@pytest.fixture(scope="session")
def scratch(pytestconfig: pytest.Config) -> Path:
    """The folder for databases of one's own: in memory where there is enough."""
    return pytestconfig.stash[SCRATCH].folder


@pytest.fixture(scope="session")
def pg(scratch: Path) -> Iterator[str]:
    """Superuser DSN of a running server."""
    given = os.environ.get("TONGHU_TEST_SUPERUSER_URL")
    if given:
        yield given
        return
    with postgres.acquire(scratch / f"tonghu-test-{os.getuid()}", throwaway=True) as lease:
        yield lease.server.superuser_url


@pytest.fixture(scope="session")
async def database_urls(pg: str, worker_id: str) -> AsyncIterator[schema.Urls]:
    """A fresh database for this worker: (app role, owner role)."""
    name = f"tonghu_test_{os.getpid()}_{worker_id}"
    await schema.drop(pg, name)  # a run that was killed may have had this number
    urls = await asyncio.to_thread(schema.make, pg, name)
    yield urls
    await schema.drop(pg, name)


@pytest.fixture(scope="session")
def at_head(pg: str, worker_id: str) -> Iterator[Callable[[Path | None], str]]:
    """Name a database to copy: a kept release, or an empty one, brought to the newest schema.

    Who asks for it is in the group `schema`, on one worker: it takes seconds.
    """
    made: dict[Path | None, str] = {}

    def template(release: Path | None = None) -> str:
        if release not in made:
            made[release] = name = f"tonghu_head_{os.getpid()}_{worker_id}_{len(made)}"
            urls = backups.restore(pg, name, release) if release else schema.bare(pg, name)
            migrations.upgrade(urls.owner)
        return made[release]

    yield template
    for name in made.values():
        asyncio.run(schema.drop(pg, name))


@pytest.fixture(scope="session")
def settings(database_urls: schema.Urls) -> Settings:
    return Settings(
        environment=Environment.test,
        # So many that five of one lane may be held up at once.
        database={"url": database_urls.app, "owner_url": database_urls.owner, "pool_size": 25},
    )


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    return Keyring.generate()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
async def pool(
    settings: Settings, keyring: Keyring, database_urls: schema.Urls
) -> AsyncIterator[db.Database]:
    """The app role's connections, for `database` and `live_database`."""
    engine = db.open_engine(database_urls.app, settings.database)
    database = db.Database(engine, keyring, lambda: NOW)
    yield database
    await database.close()


@pytest.fixture
async def live_database(
    pool: db.Database, pg: str, database_urls: schema.Urls, keyring: Keyring
) -> AsyncIterator[db.Database]:
    """Real commits on several connections; every table is emptied afterwards."""
    pool.keyring, pool.wrong_keys = keyring, None  # a test before may have had it look at others
    yield pool
    await schema.empty(pg, database_urls)


@pytest.fixture
async def patient(
    pg: str, database_urls: schema.Urls, keyring: Keyring
) -> AsyncIterator[db.Database]:
    """Real commits on several connections that wait for locks as long as it takes."""
    limits = config.Database(lock_timeout_ms=60_000, statement_timeout_ms=60_000)
    database = db.Database(db.open_engine(database_urls.app, limits), keyring, lambda: NOW)
    yield database
    await database.close()
    await schema.empty(pg, database_urls)


class PinnedDatabase(db.Database):
    """Every transaction is a savepoint on one connection; requests take turns.

    Round trips are what tests wait for most. So a transaction that says what is in its reach begins
    in one instead of two, and is released together with the beginning of the next.
    """

    def __init__(self, lane: db.Lane, keyring: Keyring, clock: Callable[[], datetime]):
        super().__init__(lane.engine, keyring, clock)
        self._pinned = lane
        self._turn = asyncio.Lock()
        self.unreleased = False

    def begin(self, reach: db.Reach | None = None) -> AbstractAsyncContextManager[db.Tx]:
        _BEGUN_WITH.set(reach)
        return super().begin(reach)

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[db.Lane]:
        async with self._turn:
            yield _PinnedLane(self._pinned.engine, self._pinned.pooled, self)

    async def send(self, statements: str) -> None:
        """Release what is finished, and send statements, at once."""
        release = "RELEASE SAVEPOINT fresh; " if self.unreleased else ""
        self.unreleased = False
        await self._pinned.raw.execute(release + statements)


_BEGUN_WITH: ContextVar[db.Reach | None] = ContextVar("begun_with", default=None)


@dataclass(frozen=True)
class _PinnedLane(db.Lane):
    database: PinnedDatabase

    @cached_property
    def raw(self) -> Any:
        return _Pinned(super().raw, self.database)


class _Pinned:
    """The connection, whose first transaction is a savepoint as fresh as a new transaction."""

    def __init__(self, raw: Any, database: PinnedDatabase) -> None:
        self._raw = raw
        self._database = database
        self._begun = self._reached = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._raw, name)
        return routed.watched(found) if name in {"fetch", "fetchrow", "fetchval"} else found

    async def execute(self, statement: str, *arguments: Any, **options: Any) -> str:
        if self._reached and statement is db.SET_REACH:  # that has gone with the savepoint
            self._reached = False
            return "SELECT 1"
        return str(await self._raw.execute(statement, *arguments, **options))

    def transaction(self) -> Any:
        if self._begun:
            return self._raw.transaction()
        self._begun = True
        return self._fresh(_BEGUN_WITH.get())

    @asynccontextmanager
    async def _fresh(self, reach: db.Reach | None) -> AsyncIterator[None]:
        settings = reach.settings if reach else dict.fromkeys(db.SYSTEM.settings, "")
        told = (f"set_config('tonghu.{name}', '{value}', true)" for name, value in settings.items())
        await self._database.send(f"SAVEPOINT fresh; SELECT {', '.join(told)}")
        self._reached = reach is not None
        try:
            yield
        except BaseException:
            await self._raw.execute("ROLLBACK TO SAVEPOINT fresh; RELEASE SAVEPOINT fresh")
            raise
        self._database.unreleased = True
        await asyncio.sleep(0)  # the driver tells who counts statements in the next turn


@asynccontextmanager
async def pinned(
    pool: db.Database, keyring: Keyring, now: datetime
) -> AsyncIterator[PinnedDatabase]:
    """Open a transaction around everything inside, and take it back."""
    async with pool.lane() as lane:
        outer = lane.raw.transaction()
        await outer.start()
        database = PinnedDatabase(lane, keyring, lambda: now)
        yield database
        async with database.lane():  # whatever looks at it from beside ends first
            await outer.rollback()


@asynccontextmanager
async def undone(database: db.Database) -> AsyncIterator[None]:
    """Take back whatever the requests inside did, so that each finds the same."""
    assert isinstance(database, PinnedDatabase)
    await database.send("SAVEPOINT before_asking")
    try:
        yield
    finally:
        database.unreleased = False  # gone with what is taken back
        await database.send("ROLLBACK TO SAVEPOINT before_asking; RELEASE SAVEPOINT before_asking")


@asynccontextmanager
async def calling(
    app: FastAPI, settings: Settings, database: db.Database, **changed: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of the app over a database; `changed`: of what its requests share."""
    async with main.state(settings, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = {**shared, **changed}
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http


@pytest.fixture(scope="module")
async def swept(pg: str, database_urls: schema.Urls) -> AsyncIterator[None]:
    """Leaves no holes behind where a module makes thousands of rows."""
    yield
    await schema.sweep(pg, database_urls)


@pytest.fixture
async def database(
    pool: db.Database, keyring: Keyring, now: datetime
) -> AsyncIterator[db.Database]:
    async with pinned(pool, keyring, now) as database:
        yield database


@pytest.fixture
async def tx(database: db.Database) -> AsyncIterator[db.Tx]:
    """A transaction that sees everything. Leave it before calling the API: requests take turns."""
    async with database.begin(db.SYSTEM) as tx:
        yield tx


@pytest.fixture
def queries(database: db.Database) -> Iterator[QueryRecorder]:
    """Counts the statements of the app; see tests/recorder.py."""
    with QueryRecorder(database) as recorder:
        yield recorder


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    app = main.create_app(settings)
    main.spare_the_collector()
    app.add_middleware(answers_seen.Recorder, under_test=app)
    return app


@pytest.fixture(scope="session")
def document(app: FastAPI) -> dict[str, Any]:
    """Its OpenAPI document, made once: read it, change nothing."""
    return openapi.document(app)


@pytest.fixture
async def client(
    app: FastAPI, settings: Settings, database: db.Database
) -> AsyncIterator[httpx.AsyncClient]:
    """The real app, over the pinned database: real tokens, real scopes, no overrides."""
    async with calling(app, settings, database) as http:
        yield http


@pytest.fixture
async def director(database: db.Database, settings: Settings) -> Caller:
    """The child director of VILLAGE."""
    return await a_caller(database, settings, "village_director", VILLAGE)


@pytest.fixture
async def neighbour(database: db.Database, settings: Settings) -> Caller:
    """The child director of the village next to it."""
    return await a_caller(database, settings, "village_director", VILLAGE + 1)


@pytest.fixture
async def child(database: db.Database) -> ChildRef:
    """A child who lives in VILLAGE."""
    return await a_child(database, VILLAGE)


@pytest.fixture
def unique() -> str:
    """A word no other test uses."""
    return uuid4().hex[:12]
