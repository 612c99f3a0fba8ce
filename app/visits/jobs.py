"""What happens to visits by itself."""

from typing import Any, Final

from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import RegionReplaced

_JOB: Final = "visits.rename_next_places"


@events.on(RegionReplaced)
async def rename_places(tx: Tx, event: RegionReplaced) -> None:
    """Have visits told as made in a place by the code it has now. Who sees them is another column,
    which followed at once (`children.below`).
    """
    first = following.start(event.old_lo, event.old_hi, event.shift)
    await queue.enqueue(tx.connection, _JOB, [first])


@queue.job(_JOB)
async def rename_next_places(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at one set of visits; queue the next in the same transaction."""
    await following.walk(
        tx,
        _JOB,
        payload,
        table="visits",
        changes="visited_in = t.visited_in + $6",
        which="t.visited_in >= $4 AND t.visited_in < $5",
    )
