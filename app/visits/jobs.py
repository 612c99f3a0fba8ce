"""What happens to visits by itself."""

from typing import Any
from uuid import UUID

from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import RegionReplaced


@events.on(RegionReplaced)
async def rename_places(tx: Tx, event: RegionReplaced) -> None:
    """Have visits told as made in a place by the code it has now. Who sees them is another column,
    which followed at once (`children.below`).
    """
    moved = {"lo": event.old_lo, "hi": event.old_hi, "shift": event.shift}
    payload = {**moved, "after": [str(UUID(int=0)), 0]}
    await queue.enqueue(tx.connection, "visits.rename_next_places", [payload])


@queue.job("visits.rename_next_places")
async def rename_next_places(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at one set of visits; queue the next in the same transaction."""
    row_id, home_county = payload["after"]
    reached = await following.walk(
        tx,
        "visits",
        "visited_in = t.visited_in + $6",
        "t.visited_in >= $4 AND t.visited_in < $5",
        (UUID(row_id), home_county),
        *(payload[name] for name in ("lo", "hi", "shift")),
    )
    if reached is not None:
        after = {"after": [str(reached[0]), reached[1]]}
        await queue.enqueue(tx.connection, "visits.rename_next_places", [{**payload, **after}])
