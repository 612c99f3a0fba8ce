"""Whether what is shown and changed can be recorded, as this process knows it ([ADR 34]).

The record is written in the transaction of the work, so nothing is done while it cannot be. Only
the first wait for it: then the process knows, and looks about once a second whether it is well.

[ADR 34]: docs/decisions/0034-a-report-is-taken-in-also-while-nothing-can-be-recorded.md
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import asyncpg

from app.core.problems import Cause, Problem


class InTransaction(Protocol):
    """What of a transaction is needed here."""

    connection: asyncpg.Connection


Write = Callable[[Any], Awaitable[object]]
Begin = Callable[[], AbstractAsyncContextManager[InTransaction]]
_SHARE: Final = 5
"""How many times as long anything else waits for a lock."""
_LOOK_SECONDS: Final = 1.0
_BRIEFLY: Final = "SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '1s'"
_AWAY: Final = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.SyntaxOrAccessError,  # no such table or column, or no right to it
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InsufficientResourcesError,  # a full disk
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.CheckViolationError,  # it has no CHECK: no partition takes rows of this month
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,  # a broken page or index
)
"""What says that the record's tables are in no state to be written, whatever was to be written."""


class RecordAway(Problem, status=503):
    """What is shown and changed cannot be recorded at this moment, so nothing is; only reports to
    the police are taken in. Try again.
    """

    cause = Cause.record_away
    title = "Nothing can be recorded at this moment, so nothing was shown or stored; try again"
    title_zh = "当前无法写入审计记录,因此未显示也未保存任何内容;请稍后重试"

    def __init__(self) -> None:
        super().__init__(headers={"retry-after": "2"})


async def can_write(tx: InTransaction, write: Write) -> bool:
    """Write and take it back at once; tell whether it went."""
    block = tx.connection.transaction()
    await block.start()
    try:
        await tx.connection.execute(_BRIEFLY)
        await write(tx)
    except _AWAY:
        return False
    finally:
        await block.rollback()
    return True


class Recording:
    """What one process knows of it. `missing`: what could not be written last; None: all is well.
    `patience`: seconds after which it looks why a row is not written yet.
    """

    def __init__(self, begin: Begin, lock_seconds: float) -> None:
        self._begin = begin
        self.patience = lock_seconds / _SHARE
        self.missing: Write | None = None
        self._waiting: set[asyncio.Timeout] = set()
        self._look: asyncio.Task[None] | None = None
        self._look_at = 0.0

    async def kept(self, tx: InTransaction, write: Write) -> None:
        """Write a row of the record. Raises RecordAway: at once, once that is known; else as soon
        as a look from beside finds it so, or the server gives up.
        """
        loop = asyncio.get_running_loop()
        if self.missing is not None and loop.time() < self._look_at:
            raise RecordAway
        try:
            async with asyncio.timeout(None) as limit:
                self._waiting.add(limit)
                watch = loop.call_later(self.patience, self._look_why, write)
                try:
                    await write(tx)
                finally:
                    watch.cancel()
                    self._waiting.discard(limit)
        except _AWAY as error:
            self._lost(write)
            raise RecordAway from error
        except TimeoutError:
            if not limit.expired():  # the server is silent
                raise
            raise RecordAway from None
        self.missing = None

    async def is_away(self) -> bool:
        """Tell whether nothing can be recorded. Who asks when it is time looks again; all others
        are told at once what is known.
        """
        due = self._look is None and asyncio.get_running_loop().time() >= self._look_at
        if self.missing is not None and due:
            await asyncio.shield(self._look_why(self.missing))
        return self.missing is not None

    def _look_why(self, write: Write) -> asyncio.Task[None]:
        if self._look is None:
            self._look = asyncio.create_task(self._try(write))
        return self._look

    async def _try(self, write: Write) -> None:
        try:
            async with self._begin() as tx:
                well = await can_write(tx, write)
        except (
            Problem,
            OSError,
            asyncpg.PostgresError,
        ):  # the database itself is away: nothing is known of this
            well = self.missing is None
        finally:
            self._look = None
            self._look_at = asyncio.get_running_loop().time() + _LOOK_SECONDS
        if well:
            self.missing = None
        else:
            self._lost(write)

    def _lost(self, write: Write) -> None:
        self.missing = write
        now = asyncio.get_running_loop().time()
        self._look_at = now + _LOOK_SECONDS
        waiting, self._waiting = self._waiting, set()
        for limit in waiting:
            limit.reschedule(now)
