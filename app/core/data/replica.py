"""Lists, searches and counts read on a streaming replica, if it has all that was committed by then.

The request's own transaction stays on the primary: there the caller's authority is read and the
audit row written, before the answer leaves. What is looked up in between is asked of the replica,
under the same reach, once it has replayed what the primary had written when it was asked. So nobody
reads less than what was committed before, by whomever ([ADR 39]). A replica that is away, silent or
behind is left alone and looked at about once a second; meanwhile the primary answers.

[ADR 39]: docs/decisions/0039-lists-are-read-on-a-replica-that-has-caught-up.md
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final, TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError

from app.core.data.db import SET_REACH, Database, Reach, TemporarilyUnavailable, Tx
from app.core.problems import Problem

Answer = TypeVar("Answer")
Ask = Callable[[Tx], Awaitable[Answer]]
log = structlog.get_logger(__name__)

PATIENCE: Final = 1.0
"""Seconds in which a replica begins, or is taken for away."""
_PAUSES: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
"""Between looks at how far it is, in seconds: an eighth of a second at most."""
_LOOK_SECONDS: Final = 1.0

# Where a commit need not reach the disk to be seen, more is written than is flushed.
_WRITTEN: Final = """
SELECT (CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()
        ELSE pg_current_wal_flush_lsn() END)::text
"""
_HAS = "pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= {}::text::pg_lsn"
_OPEN: Final = f"{SET_REACH}, {_HAS.format('$7')} AS has"
_REACHED: Final = f"SELECT {_HAS.format('$1')}"
_WHICH: Final = """
SELECT pg_is_in_recovery(), system_identifier, current_database() FROM pg_control_system()
"""


class Standing(StrEnum):
    """How a replica is, as one process knows it."""

    used = "used"
    away = "away"
    behind = "behind"
    """What was committed a moment ago is not there yet."""
    foreign = "foreign"
    """It is no replica of this database."""


class Replica:
    """A replica as one process knows it. `check` raises where its role is dangerous."""

    def __init__(
        self,
        database: Database,
        primary: Database,
        check: Callable[[Database], Awaitable[None]],
        *,
        patience: float = PATIENCE,
    ) -> None:
        self.standing = Standing.away
        self._told = False
        self._database = database
        self._primary = primary
        self._check = check
        self._patience = patience
        self._wanted = "0/0"
        self._asking: set[asyncio.Timeout] = set()
        self._look: asyncio.Task[None] | None = None
        self._look_at = 0.0

    async def read(self, tx: Tx, reach: Reach, ask: Ask[Answer]) -> tuple[Answer, Standing]:
        """Ask the replica what `tx`, which began on the primary, may be told; the primary where the
        replica does not answer. Tells, too, how the replica stood.
        """
        if self.standing is Standing.used:
            try:
                return await self._read(tx, reach, ask), Standing.used
            except _NotThere as why:
                return await ask(tx), why.standing
        self._look_again()
        return await ask(tx), self.standing

    async def _read(self, tx: Tx, reach: Reach, ask: Ask[Answer]) -> Answer:
        wanted = await tx.connection.fetchval(_WRITTEN)
        limit = asyncio.timeout(self._patience)
        try:
            async with limit, self._asked(limit), self._database.begin() as there:
                await self._open(there, reach, wanted)
                limit.reschedule(None)  # from here on the server's own limits hold
                there.now, there.keyring = tx.now, tx.keyring
                return await ask(there)
        except TemporarilyUnavailable as error:
            raise self._gone(error) from error
        except TimeoutError as error:
            raise self._lost(Standing.away) from error

    @asynccontextmanager
    async def _asked(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        again: asyncio.TimerHandle

        def doubt() -> None:
            nonlocal again
            again = loop.call_later(self._patience, doubt)
            if self._look is None:
                self._look = asyncio.create_task(self._listen())

        self._asking.add(limit)
        again = loop.call_later(self._patience, doubt)
        try:
            yield
        finally:
            again.cancel()
            self._asking.discard(limit)

    async def _listen(self) -> None:
        """Find out whether it still answers, where one of its answers is long in coming."""
        try:
            async with asyncio.timeout(self._patience), self._database.begin() as there:
                await there.connection.fetchval("SELECT")
        except (Problem, OSError, TimeoutError, asyncpg.PostgresError):
            self._lost(Standing.away)
        finally:
            self._look = None

    async def _open(self, there: Tx, reach: Reach, wanted: str) -> None:
        opened = await there.connection.fetchrow(_OPEN, *reach.settings.values(), wanted)
        if opened["has"]:
            return
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            if await there.connection.fetchval(_REACHED, wanted):
                return
        self._wanted = wanted
        raise self._lost(Standing.behind)

    def _gone(self, error: TemporarilyUnavailable) -> Exception:
        """Return what to raise for an error of the replica's. A statement that takes too long would
        do so on the primary, too; one that was cancelled for what is replayed is asked there.
        """
        cause = error.__cause__
        if isinstance(cause, DBAPIError):
            cause = cause.orig and cause.orig.__cause__
        if isinstance(cause, asyncpg.SerializationError):
            return _NotThere(Standing.behind)
        cancelled = type(cause) is asyncpg.QueryCanceledError
        return error if cancelled else self._lost(Standing.away)

    def _lost(self, standing: Standing) -> "_NotThere":
        if self.standing is Standing.used:
            log.warning("replica.lost", standing=standing)
        self.standing = standing
        now = asyncio.get_running_loop().time()
        self._look_at = now + _LOOK_SECONDS
        if standing is Standing.away:  # whoever waits for it goes to the primary at once
            waiting, self._asking = self._asking, set()
            for limit in waiting:
                limit.reschedule(now)
        return _NotThere(standing)

    def _look_again(self) -> None:
        if self._look is None and asyncio.get_running_loop().time() >= self._look_at:
            self._look = asyncio.create_task(self._try())

    async def _try(self) -> None:
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001  its role is dangerous now: it stays unused
            log.error("replica.refused", reason=type(error).__name__)  # noqa: TRY400
        finally:
            self._look = None
            self._look_at = asyncio.get_running_loop().time() + _LOOK_SECONDS

    async def look(self) -> None:
        """Find out how it stands. Raises what `check` does, and leaves it unused then."""
        try:
            async with asyncio.timeout(self._patience):
                async with self._primary.begin() as here:
                    ours = await here.connection.fetchrow(_WHICH)
                async with self._database.begin() as there:
                    its = await there.connection.fetchrow(_WHICH)
                    has = await there.connection.fetchval(_REACHED, self._wanted)
                await self._check(self._database)
        except (Problem, OSError, TimeoutError, asyncpg.PostgresError) as error:
            self._stand(Standing.away, type(error.__cause__ or error).__name__)
            return
        if tuple(its) != (True, *tuple(ours)[1:]):
            self._stand(Standing.foreign)
        else:
            self._stand(Standing.used if has else Standing.behind)

    def _stand(self, standing: Standing, reason: str | None = None) -> None:
        if standing is not self.standing or not self._told:
            log.info("replica.stands", standing=standing, reason=reason)
        self.standing, self._told = standing, True

    async def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
        await self._database.close()


class _NotThere(Exception):
    """The replica did not answer; the primary will."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(standing)
        self.standing = standing
