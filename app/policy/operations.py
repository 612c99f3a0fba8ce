"""Let go of what is older than the policy keeps it."""

from datetime import timedelta

from app.core.data import retention
from app.core.data.db import Tx
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
    lock = f"SELECT pg_try_advisory_xact_lock(hashtextextended('retention/{kind.table}', 0))"
    if not await tx.connection.fetchval(lock):
        return Batch(None, 0)
    before = tx.now - timedelta(days=days_of(tx, kind).value)
    return await retention.delete_batch(tx.connection, kind, before, after=after)
