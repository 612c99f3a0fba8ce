"""What happens after a division got another code."""

from typing import Any

from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import RegionReplaced


@events.on(RegionReplaced)
async def look_again(tx: Tx, event: RegionReplaced) -> None:
    """Have it looked for stragglers: rows that were being written while the place changed."""
    payload = {"event": event.model_dump(mode="json")}
    await queue.enqueue(tx.connection, "regions.take_stragglers", [payload], delay=following.LATER)


@queue.job("regions.take_stragglers")
async def take_stragglers(tx: Tx, payload: dict[str, Any]) -> None:
    """Move what still lies in the old range; it takes a look-up a table where nothing does."""
    event = RegionReplaced.model_validate(payload["event"])
    await following.take_along(tx, event)
