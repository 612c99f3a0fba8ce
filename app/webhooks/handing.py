"""Whoever hands events out: a loop in the worker, woken when some are announced.

Of several workers one hands out at a time; the others look again when they are woken. What cannot
be handed out stops no other: the batch is halved until that one event is alone, then it is set
aside as a held job (`tonghu jobs held`), which hands it out when it is released.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import structlog

from app.core.data.db import TemporarilyUnavailable, Tx
from app.core.jobs import queue
from app.core.jobs.events import CHANNEL
from app.core.jobs.queue import Begin
from app.core.jobs.runner import Connect, describe, listen, wait, wake_at
from app.webhooks.operations import fan_out
from app.webhooks.operations.deliveries import PayloadTooLarge

JOB: Final = "webhooks.fan_out"
BATCH: Final = 1_000
SMALL_BATCH: Final = 200
"""Of events that go to many: a pass stays short."""
MANY: Final = 10
_PASSING: Final = (TemporarilyUnavailable, OSError, asyncpg.PostgresConnectionError)
_OF_THE_EVENT: Final = (
    PayloadTooLarge,
    *(asyncpg.DataError, asyncpg.IntegrityConstraintViolationError),
    *(LookupError, TypeError, ValueError),
)
"""What is wrong with one event, and stays so: all else is tried again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`poll`: how often it is looked for what nobody woke us for; the default is production's."""

    poll: timedelta = timedelta(seconds=1)


async def run(
    connect: Connect, *, begin: Begin, stop: asyncio.Event, limits: Limits | None = None
) -> None:
    """Hand out what waits until `stop` is set. `connect` opens a direct connection for LISTEN;
    `begin` a transaction that sees every agency. Survives the loss of the database.
    """
    wake = asyncio.Event()
    poll = (limits or Limits()).poll.total_seconds()
    helpers = [
        asyncio.create_task(listen(connect, CHANNEL, wake)),
        asyncio.create_task(wake_at(stop, wake)),
    ]
    size = BATCH
    try:
        while not stop.is_set():
            wake.clear()
            size, more = await _pass(begin, size)
            if not more:
                await wait(wake, poll)
    finally:
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


async def _pass(begin: Begin, size: int) -> tuple[int, bool]:
    """Hand out one batch; return how large the next may be, and whether to go on at once."""
    try:
        async with begin() as tx:
            passed = await (fan_out.hand_out(tx, size) if size > 1 else _hand_out_or_hold(tx))
    except _PASSING as error:
        log.warning("fan_out.database_unavailable", error=type(error).__qualname__)
        return max(size // 2, 1), False
    except Exception as error:  # noqa: BLE001  whatever is wrong with one event, or with all
        log.warning("fan_out.failed", failure=describe(error))
        return max(size // 2, 1), size > 1
    if passed is None:
        return size, False
    most = SMALL_BATCH if passed.deliveries > MANY * passed.events else BATCH
    return min(size * 2, most), passed.events > 0


async def _hand_out_or_hold(tx: Tx) -> fan_out.Pass | None:
    if not await fan_out.take_turn(tx):
        return None
    try:
        async with tx.connection.transaction():
            return await fan_out.hand_out(tx, 1)
    except _OF_THE_EVENT as error:
        event_id = await fan_out.set_aside(tx)
        log.warning("fan_out.set_aside", failure=describe(error))
        await queue.hold(tx.connection, JOB, {"event": str(event_id)}, describe(error))
        return fan_out.Pass(1, 0)
