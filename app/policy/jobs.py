"""At night, batch by batch, let go of what is older than the policy keeps it."""

from datetime import time
from typing import Any, Final

import structlog

from app.core.clock import CHINA
from app.core.data import months, retention
from app.core.data.db import Tx
from app.core.data.retention import Kind
from app.core.jobs import queue
from app.policy import operations

_FORGET: Final = "policy.forget"
_SHRINK: Final = "policy.shrink_month"
_REPLACE: Final = "policy.replace_month"
_DROP: Final = "policy.drop_gone_months"
_MORNING: Final = time(6)
"""What is not done by then waits for the next night: schools push from seven on."""
log = structlog.get_logger(__name__)


@queue.every("policy.begin_forgetting", "40 1 * * *")
async def begin_forgetting(tx: Tx, payload: dict[str, Any]) -> None:
    """Begin with the oldest month, or row, of each kind; they go side by side."""
    cut = [kind for kind in retention.KINDS if kind in months.PARTITIONED]
    flat = [kind for kind in retention.KINDS if kind not in cut]
    for name, kinds in ((_SHRINK, cut), (_FORGET, flat)):
        first = [{"kind": kind} for kind in kinds]
        await queue.enqueue(tx.connection, name, first, dedupe_keys=kinds)


@queue.every("policy.make_months", "10 1 * * *")
async def make_months(tx: Tx, payload: dict[str, Any]) -> None:
    """Make room for the months to come."""
    await months.make(tx.connection)


@queue.job(_FORGET, of="policy.begin_forgetting")
async def forget(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete one batch, and queue the next in the same transaction."""
    kind = retention.KINDS[payload["kind"]]
    batch = await operations.forget(tx, kind, after=payload.get("after"))
    if batch.deleted:
        log.info("retention.deleted", table=kind.table, rows=batch.deleted)
    if batch.last is not None and _still_night(tx):
        following = {"kind": kind.table, "after": batch.last}
        await queue.enqueue(tx.connection, _FORGET, [following])


@queue.job(_SHRINK, of="policy.begin_forgetting")
async def shrink_month(tx: Tx, payload: dict[str, Any]) -> None:
    """Put by what stays of some rows of a month that is due, and queue the next in the same
    transaction; after the last, that takes the month's place, in a transaction of its own. When no
    month is due any more, it goes on row by row: not beside it, each would be in the other's way.
    """
    kind = retention.KINDS[payload["kind"]]
    begun = {name: payload.get(name) for name in ("month", "after", "kept")}
    done = await operations.put_by(tx, kind, **begun)
    if done is None:
        await _go_on_row_by_row(tx, kind)
        return
    following = {"kind": kind.table, "month": done.month.name, "kept": done.kept}
    if done.batch.last is None:
        await queue.enqueue(tx.connection, _REPLACE, [following])
    elif _still_night(tx):
        await queue.enqueue(tx.connection, _SHRINK, [following | {"after": done.batch.last}])


@queue.job(_REPLACE, of="policy.begin_forgetting")
async def replace_month(tx: Tx, payload: dict[str, Any]) -> None:
    """Let what stays take a month's place; then the month is dropped, and the next one's turn."""
    kind = retention.KINDS[payload["kind"]]
    replaced = await operations.replace_month(tx, kind, payload["month"], payload.get("kept"))
    if replaced:
        await queue.enqueue(tx.connection, _DROP, [{"kind": kind.table}])
        log.info("retention.month_gone", table=payload["month"])
    elif replaced is False:
        log.warning("retention.month_in_use", table=payload["month"])
        await _go_on_row_by_row(tx, kind)


@queue.job(_DROP, of="policy.begin_forgetting")
async def drop_gone_months(tx: Tx, payload: dict[str, Any]) -> None:
    """Drop what was replaced, and begin with the next month that is due."""
    await months.drop_gone(tx.connection)
    if _still_night(tx):
        await queue.enqueue(tx.connection, _SHRINK, [{"kind": payload["kind"]}])


async def _go_on_row_by_row(tx: Tx, kind: Kind) -> None:
    first = [{"kind": kind.table}]
    await queue.enqueue(tx.connection, _FORGET, first, dedupe_keys=[kind.table])


def _still_night(tx: Tx) -> bool:
    return tx.now.astimezone(CHINA).time() < _MORNING
