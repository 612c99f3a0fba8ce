"""At night, batch by batch, let go of what is older than the policy keeps it."""

from datetime import time
from typing import Any, Final

import structlog

from app.core.clock import CHINA
from app.core.data import retention
from app.core.data.db import Tx
from app.core.jobs import queue
from app.policy import operations

_FORGET: Final = "policy.forget"
_MORNING: Final = time(6)
"""What is not done by then waits for the next night: schools push from seven on."""
log = structlog.get_logger(__name__)


@queue.every("policy.begin_forgetting", "40 1 * * *")
async def begin_forgetting(tx: Tx, payload: dict[str, Any]) -> None:
    """Begin with the oldest rows of each kind; they go side by side."""
    kinds = [*retention.KINDS]
    first = [{"kind": kind} for kind in kinds]
    await queue.enqueue(tx.connection, _FORGET, first, dedupe_keys=kinds)


@queue.job(_FORGET, of="policy.begin_forgetting")
async def forget(tx: Tx, payload: dict[str, Any]) -> None:
    """Delete one batch, and queue the next in the same transaction."""
    kind = retention.KINDS[payload["kind"]]
    batch = await operations.forget(tx, kind, after=payload.get("after"))
    if batch.deleted:
        log.info("retention.deleted", table=kind.table, rows=batch.deleted)
    if batch.last is not None and tx.now.astimezone(CHINA).time() < _MORNING:
        following = {"kind": kind.table, "after": batch.last}
        await queue.enqueue(tx.connection, _FORGET, [following])
