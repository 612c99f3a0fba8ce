"""Let go of what is older than the policy keeps it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from app.core.data import months, retention
from app.core.data.db import Tx
from app.core.data.months import Month
from app.core.data.retention import Batch, Kind
from app.policy import queries
from app.policy.rules import ParameterValue
from app.regions.rules import NATION


def days_of(tx: Tx, kind: Kind) -> ParameterValue:
    """Return for how many days rows of a kind are kept, and who says so."""
    return queries.effective_value(kind.parameter, NATION, tx.today)


async def forget(tx: Tx, kind: Kind, *, after: str | None = None) -> Batch:
    """Delete the next batch of a kind that is due, after a place or from the first, unless somebody
    does so at this moment. In SYSTEM's reach.
    """
    if not await _take_turn(tx, kind):
        return Batch(None, 0)
    return await retention.delete_batch(tx.connection, kind, _before(tx, kind), after=after)


class Shrunk(NamedTuple):
    """How far a month is. `kept`: which table holds what was put by of it."""

    batch: Batch
    month: Month
    kept: int | None


async def put_by(
    tx: Tx,
    kind: Kind,
    *,
    month: str | None = None,
    after: str | None = None,
    kept: int | None = None,
) -> Shrunk | None:
    """Put by what stays of the next rows of the oldest month that is due, after a place in `month`
    of which the rest is in `kept`, or from the first. None: none is due, or somebody does so at
    this moment, or has begun anew with this month since. In SYSTEM's reach.
    """
    due = await _due(tx, kind)
    if due is None:
        return None
    if due.name != month:
        after = None
        await months.begin_replacing(tx.connection, due)
        kept = await months.put_by_to(tx.connection, due)
    elif kept is None or kept != await months.put_by_to(tx.connection, due):
        return None
    return Shrunk(await retention.keep_batch(tx.connection, kind, due, after=after), due, kept)


async def replace_month(tx: Tx, kind: Kind, month: str, kept: int | None) -> bool | None:
    """Let what was put by of all of a month take its place. False: the table was in use all the
    time; None: somebody is at it, or was before us, or began anew: `kept` is not all of it. In
    SYSTEM's reach.
    """
    due = await _due(tx, kind)
    if due is None or due.name != month:
        return None
    if kept is None or kept != await months.put_by_to(tx.connection, due):
        return None
    return await months.replace(tx.connection, due)


async def _due(tx: Tx, kind: Kind) -> Month | None:
    if not await _take_turn(tx, kind):
        return None
    return await retention.month_due(tx.connection, kind, _before(tx, kind))


async def _take_turn(tx: Tx, kind: Kind) -> bool:
    lock = f"SELECT pg_try_advisory_xact_lock(hashtextextended('retention/{kind.table}', 0))"
    mine: bool = await tx.connection.fetchval(lock)
    return mine


def _before(tx: Tx, kind: Kind) -> datetime:
    return tx.now - timedelta(days=days_of(tx, kind).value)
