"""What agencies do when something below them changes."""

from app.core.data.db import Tx
from app.core.jobs import events
from app.regions.events import RegionReplaced


@events.on(RegionReplaced)
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Move agencies, staff and posts to the new codes; their people keep their authority."""
    span = (event.old_lo, event.old_hi, event.shift)
    await tx.connection.execute(
        "UPDATE agencies SET region_code = region_code + $3, version = version + 1, updated_at = $4"
        " WHERE region_code >= $1 AND region_code < $2",
        *span,
        tx.now,
    )
    await tx.connection.execute(
        "UPDATE staff s SET region_code = a.region_code FROM agencies a"
        " WHERE a.id = s.agency_id AND s.region_code <> a.region_code"
    )
    await tx.connection.execute(
        "UPDATE posts SET region_code = region_code + $3, remit_lo = remit_lo + $3,"
        " remit_hi = remit_hi + $3 WHERE region_code >= $1 AND region_code < $2",
        *span,
    )
