"""One request or job is one transaction: opened here, committed here, nowhere else (design D2).

Three lanes share that transaction, all on one asyncpg connection:

* `tx.connection`: asyncpg rows for hot reads and ingest;
* `tx.session`: a SQLModel session for writes that carry rules (flushed before the commit);
* `tx.connection` with UNNEST arrays for bulk.

Who may see what is a transaction-local setting (`Reach`) that row-level security repeats (DB-3).
Every wait for the server ends: a little later than the server would end it itself, if it answered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Connection, PoolProxiedConnection, QueuePool, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import greenlet_spawn
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import settings as config
from app.core import tracing
from app.core.clock import Clock, local_date
from app.core.data import failures
from app.core.data.crypto import Keyring
from app.core.data.failures import CUT_OFF
from app.core.data.recording import Recording
from app.core.data.wrong_keys import WrongKeys, lost_sight
from app.core.problems import Cause, Problem

Row = TypeVar("Row", bound=SQLModel)
CONNECT_SECONDS = 5.0
_SOON = {"retry-after": "2"}
_BEYOND_SECONDS = 2.0
"""How much longer than the server itself we wait for it to end a statement."""
_ROLLBACK_SECONDS = 1.0
_WAKE_SECONDS = 1.0
NATION = (0, 10**12)
"""The half-open range of all region codes."""


class TemporarilyUnavailable(Problem, status=503):
    """The database is away or overloaded; nothing was stored, try again (REL-4)."""

    title = "Temporarily unavailable; nothing was stored, try again"
    title_zh = "服务暂时不可用;没有保存任何内容,请稍后重试"

    @classmethod
    def because(cls, error: BaseException | Cause) -> "TemporarilyUnavailable":
        """Make one that says in the log of what kind the error is."""
        away = cls(headers=_SOON)
        away.cause = error if isinstance(error, Cause) else failures.why(error)
        return away


class OutcomeUnknown(TemporarilyUnavailable, status=503):
    """The database went away while it was told to keep the work: it may be stored, or not."""

    cause = Cause.outcome_unknown
    title = "It is not known whether this was stored; send it again with the same Idempotency-Key"
    title_zh = "无法确认是否已保存;请使用相同的 Idempotency-Key 重新发送"


@dataclass(frozen=True, slots=True)
class Reach:
    """What row-level security lets a transaction see.

    `lo`/`hi`: half-open range of 12-digit region codes. `school`: if set, only children enrolled
    there. `agency` and `caller` own the rows that belong to an agency or a single caller. `served`:
    the agencies in which the caller ever held a post.
    """

    lo: int
    hi: int
    agency: UUID | None = None
    school: UUID | None = None
    caller: str = ""
    served: tuple[UUID, ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """The settings that policies read, in the order of SET_REACH."""
        named = {"lo": self.lo, "hi": self.hi, "agency": self.agency or ""}
        named |= {"school": self.school or "", "caller": self.caller}
        named |= {"served": f"{{{','.join(map(str, self.served))}}}" if self.served else ""}
        return {name: str(value) for name, value in named.items()}


SYSTEM = Reach(*NATION, caller="system")
"""Jobs and operator commands, which act for every region."""

SET_REACH = """
SELECT set_config('tonghu.lo', $1::text, true), set_config('tonghu.hi', $2::text, true),
       set_config('tonghu.agency', $3::text, true), set_config('tonghu.school', $4::text, true),
       set_config('tonghu.caller', $5::text, true), set_config('tonghu.served', $6::text, true)
"""

_SWITCH = """
WITH before AS MATERIALIZED (
    SELECT name, value, coalesce(current_setting('tonghu.' || name, true), '') AS was
    FROM unnest($1::text[], $2::text[]) AS new (name, value)
)
SELECT name, was, set_config('tonghu.' || name, value, true) FROM before
"""


@dataclass(slots=True)
class Tx:
    """One transaction and what the work in it needs.

    `connection` is raw asyncpg; `now` is the instant the transaction began (aware, UTC);
    `witness` writes the audit row of what was shown or refused, into the transaction it is given;
    `recording` knows whether that can be done. `wakes`: the channels on which is told that it was
    committed. `former`: whether the release before may run, once that was asked.
    """

    connection: asyncpg.Connection
    now: datetime
    keyring: Keyring
    recording: Recording = field(repr=False)
    wakes: set[str] = field(default_factory=set, kw_only=True)
    former: bool | None = field(default=None, kw_only=True)
    _lane: "Lane" = field(repr=False)
    witness: Callable[["Tx", Any], Awaitable[None]] | None = None
    idempotency: Any = None
    _session: AsyncSession | None = field(default=None, repr=False)

    @property
    def session(self) -> AsyncSession:
        """A SQLModel session inside this transaction. Never commit it."""
        if self._session is None:
            engine = self._lane.engine
            connection = Connection(engine.sync_engine, connection=self._lane.pooled)
            bind = AsyncConnection(engine, connection)
            self._session = AsyncSession(bind, expire_on_commit=False)
        return self._session

    @property
    def today(self) -> date:
        """The Chinese calendar day of `now`."""
        return local_date(self.now)

    async def reach(self, reach: Reach) -> None:
        """Let the rest of this transaction see what `reach` allows."""
        await self.connection.execute(SET_REACH, *reach.settings.values())

    @asynccontextmanager
    async def as_system(self) -> AsyncIterator[None]:
        """Hand something over to somebody whose rows the caller may not see: inside, this
        transaction sees what SYSTEM sees. Show nothing of it that the caller has no part in.
        """
        elevated = SYSTEM.settings
        before = await self.connection.fetch(_SWITCH, list(elevated), list(elevated.values()))
        yield  # on an exception the whole transaction goes, and the settings with it
        await self.connection.execute(
            _SWITCH, [row["name"] for row in before], [row["was"] for row in before]
        )

    @asynccontextmanager
    async def taken_back(self) -> AsyncIterator[None]:
        """Try something: of all that is done inside nothing stays."""
        session, wakes, opened = self._session, {*self.wakes}, {*self.keyring.opened}
        self._session = None  # what it is told of rows is not true afterwards
        block = self.connection.transaction()
        await block.start()
        try:
            yield
        finally:
            await block.rollback()
            self._session, self.wakes = session, wakes
            for made in self.keyring.opened.keys() - opened:
                del self.keyring.opened[made]

    async def witnessed(self, seen: Any, after: "Tx | None" = None) -> None:
        """Have it recorded what was shown, or refused: then in a transaction `after` this one."""
        if self.witness is not None:
            await self.witness(after or self, seen)

    async def add(self, row: Row) -> Row:
        """Store a row at once, with all the session holds back; return it."""
        self.session.add(row)
        await self.session.flush()
        return row

    async def flush(self) -> None:
        """Send what the session holds back, so that plain SQL sees it."""
        if self._session is not None:
            await self._session.flush()


@dataclass(frozen=True, slots=True)
class Lane:
    """One connection of the pool, and as asyncpg's own."""

    engine: AsyncEngine
    pooled: PoolProxiedConnection

    @property
    def raw(self) -> asyncpg.Connection:
        return self.pooled.driver_connection


class Database:
    """The pool of connections, and the only place that begins and commits. `wrong_keys`: as
    `key_file` found; then `keyring` is good for little. `compared`: when; None: nobody does again.
    """

    def __init__(
        self, engine: AsyncEngine, keyring: Keyring, clock: Clock, *, lock_seconds: float = 5.0
    ) -> None:
        """`lock_seconds`: how long the server lets a statement wait for a lock."""
        self.engine = engine
        self.keyring = keyring
        self.wrong_keys: WrongKeys | None = None
        self.compared: datetime | None = None
        self.clock = clock
        self.recording = Recording(self.begin, lock_seconds)

    @property
    def size(self) -> int:
        """How many connections the pool may open."""
        pool = self.engine.pool
        return pool.size() if isinstance(pool, QueuePool) else 0

    @property
    def in_use(self) -> int:
        """How many connections are checked out of the pool."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        """Check one connection out of the pool. Straight from the pool: `engine.connect()` costs a
        task and three switches of greenlets more, a tenth of a hot read.
        """
        try:
            pooled = await greenlet_spawn(self.engine.pool.connect)
        except AsyncAdapt_asyncpg_dbapi.Error as error:
            raise error.__cause__ or error from None  # as asyncpg said it
        lane = Lane(self.engine, pooled)
        try:
            yield lane
        finally:
            # None: SQLAlchemy saw the server hang up, and has let go of the connection.
            if (raw := pooled.driver_connection) is not None:
                if raw.is_closed() or raw.is_in_transaction():
                    raw.terminate()
                    await greenlet_spawn(pooled.invalidate)  # cut off in the middle of something
                await greenlet_spawn(pooled.close)

    @asynccontextmanager
    async def begin(
        self, reach: Reach | None = None, *, compared: bool = True
    ) -> AsyncIterator[Tx]:
        """Run one transaction: commit at the end, roll back on any exception; `compared`: by keys
        that were, lately. Raises TemporarilyUnavailable when they were not, when the database is
        away, silent, busy or gave up on a lock, and OutcomeUnknown when it was so at the commit.
        """
        tx: Tx | None = None
        try:
            async with self.lane() as lane:
                async with transaction(lane.raw):
                    if compared and lost_sight(self.compared):
                        raise TemporarilyUnavailable.because(Cause.wrong_keys)
                    tx = Tx(lane.raw, self.clock(), self.keyring.anew(), self.recording, lane)
                    if reach is not None:
                        await tx.reach(reach)
                    yield tx
                    await tx.flush()
                if tx.wakes:
                    await _wake(lane.raw, tx.wakes)
        except (*failures.PASSING, DBAPIError, OSError) as error:
            if not failures.will_pass(error, began=tx is not None):
                raise
            raise TemporarilyUnavailable.because(error) from error

    async def close(self) -> None:
        await self.engine.dispose()


@asynccontextmanager
async def transaction(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Run a transaction on a connection, of which nothing is left where the server is silent: then
    the connection is thrown away, not waited for. Raises OutcomeUnknown.
    """
    block = connection.transaction()
    try:
        await block.__aenter__()
    except BaseException:
        connection.terminate()
        raise
    try:
        yield
    except BaseException as error:
        await _take_back(connection, block, error)
        raise
    try:
        await block.__aexit__(None, None, None)
    except (TimeoutError, *CUT_OFF) as error:
        connection.terminate()
        raise OutcomeUnknown(headers=_SOON) from error


async def _wake(connection: asyncpg.Connection, channels: Collection[str]) -> None:
    """Wake who listens, after the commit: commits that notify wait for the disk one by one, others
    together. Whoever is not woken looks by themselves a little later.
    """
    try:
        async with asyncio.timeout(_WAKE_SECONDS):
            await connection.execute("; ".join(f"NOTIFY {name}" for name in sorted(channels)))
    except (TimeoutError, asyncpg.PostgresError, *CUT_OFF):
        connection.terminate()


async def _take_back(connection: asyncpg.Connection, block: Any, error: BaseException) -> None:
    try:
        if isinstance(error, TimeoutError):
            connection.terminate()
        else:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await block.__aexit__(type(error), error, error.__traceback__)
    except (TimeoutError, *CUT_OFF):
        connection.terminate()


def session_settings(settings: config.Database) -> dict[str, str]:
    """Return what every connection begins with: nothing holds one for ever."""
    return {
        "application_name": "tonghu",
        "timezone": "UTC",
        "statement_timeout": str(settings.statement_timeout_ms),
        "lock_timeout": str(settings.lock_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
        "jit": "off",
    }


PLANNED_ANEW: Final = {"plan_cache_mode": "force_custom_plan"}
"""For connections that wait on tables which are empty now and full a moment later: the plan that
was kept for none takes seconds then (ADR 52).
"""


def open_engine(url: str, settings: config.Database, *, planned_anew: bool = False) -> AsyncEngine:
    """Make the pool. Transactions are asyncpg's own, so SQLAlchemy runs in autocommit."""
    how: dict[str, Any] = (
        # It refuses settings, and the next transaction may run on another connection.
        {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        if settings.behind_pgbouncer
        else {
            "statement_cache_size": 500,
            "server_settings": session_settings(settings) | (PLANNED_ANEW if planned_anew else {}),
        }
    )
    engine = create_async_engine(
        as_sqlalchemy_url(url),
        isolation_level="AUTOCOMMIT",
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_seconds,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # every transaction is ended by the one who began it
        hide_parameters=True,
        json_deserializer=orjson.loads,
        connect_args={
            **how,
            "timeout": CONNECT_SECONDS,
            "command_timeout": settings.statement_timeout_ms / 1000 + _BEYOND_SECONDS,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def trace(dbapi_connection: Any, record: Any) -> None:
        tracing.listen(dbapi_connection.driver_connection)

    @event.listens_for(engine.sync_engine, "checkout")
    def discard_dead(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        # Cheaper than a ping: asyncpg knows as soon as the server hung up.
        if dbapi_connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def as_sqlalchemy_url(url: str) -> str:
    """Turn a plain `postgresql://` DSN into SQLAlchemy's name for the asyncpg dialect."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("the database URL must start with postgresql://")
    return f"postgresql+asyncpg://{rest}"
