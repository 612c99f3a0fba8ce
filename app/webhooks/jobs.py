"""What happens to deliveries in the background, beside the sending (`delivery.py`)."""

from typing import Any
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.webhooks import operations


@events.on_every_event
async def fan_out(tx: Tx, event_id: UUID) -> None:
    """Queue every event to its subscribers."""
    await operations.fan_out(tx, event_id)


@queue.every("webhooks.announce_overdue", "* * * * *")
async def announce_overdue(tx: Tx, payload: dict[str, Any]) -> None:
    """Announce mandatory deliveries that are overdue."""
    await operations.announce_overdue(tx)
