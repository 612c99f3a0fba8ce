"""Who looks after a child is told that a desk elsewhere asked for it."""

from typing import Any
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import queue
from app.elsewhere import operations
from app.regions import following
from app.regions.events import RegionReplaced


@queue.job(operations.TELL)
async def tell(tx: Tx, payload: dict[str, Any]) -> None:
    """After the commit, and by a job for a look that found nobody too: the desk waits as long."""
    await operations.tell(tx, UUID(payload["look"]))


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let looks be told where their place is now."""
    await following.shift(tx, event, "looks_elsewhere", "region_code", which="child_id IS NOT NULL")
