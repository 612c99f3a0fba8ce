"""What happens to files by itself."""

from typing import Any
from uuid import UUID

from app.children import below, derivation, duplicates
from app.children.events import ChildRegistered
from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions.events import RegionReplaced

_FIRST = UUID(int=0)


@queue.every("children.rederive", "10 0 * * *")
async def rederive(tx: Tx, payload: dict[str, Any]) -> None:
    """Derive every file anew, a batch per run; each batch queues the next in its transaction."""
    after = await derivation.rederive(tx, UUID(payload["after"]) if payload else _FIRST)
    if after is not None:
        await queue.enqueue(tx.connection, "children.rederive", [{"after": str(after)}])


@events.on(ChildRegistered)
async def look_for_namesakes(tx: Tx, event: ChildRegistered) -> None:
    """Refer a new file that another file of its county may already describe."""
    await duplicates.refer_namesakes(tx, event.subject_id)


@events.on(RegionReplaced)
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Keep children, and all below them, where they live when the place gets another code. The
    version stays: nobody changed the file.
    """
    await tx.connection.execute(
        "UPDATE children SET region_code = region_code + $3, updated_at = $4,"
        " residence = residence || jsonb_build_object("
        "'region_code', lpad((region_code + $3)::text, 12, '0'))"
        " WHERE region_code >= $1 AND region_code < $2",
        event.old_lo,
        event.old_hi,
        event.shift,
        tx.now,
    )
    await tx.connection.execute(
        "UPDATE child_stays SET lived_in = lived_in + $3 WHERE lived_in >= $1 AND lived_in < $2",
        event.old_lo,
        event.old_hi,
        event.shift,
    )
    new = (event.old_lo + event.shift, event.old_hi + event.shift)
    await below.follow(tx, "c.region_code >= $1 AND c.region_code < $2", *new)
