"""What agencies do when something below them changes."""

from app.core.data.db import Tx
from app.regions import following
from app.regions.events import RegionReplaced


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Move agencies, staff and posts to the new codes; their people keep their authority."""
    also = ", version = t.version + 1, updated_at = $5"
    await following.shift(tx, event, "agencies", "region_code", also=also, values=[tx.now])
    await tx.connection.execute(
        "UPDATE staff s SET region_code = a.region_code FROM agencies a"
        " WHERE a.id = s.agency_id AND s.region_code <> a.region_code"
        " AND a.region_code >= $1 AND a.region_code < $2",
        event.old_lo + event.shift,
        event.old_hi + event.shift,
    )
    await following.shift(tx, event, "posts", "region_code", "remit_lo", "remit_hi")
