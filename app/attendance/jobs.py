"""What happens to attendance by itself."""

from app.core.data.db import Tx
from app.regions import following
from app.regions.events import RegionReplaced

_CALENDAR = """
UPDATE school_calendar_days AS d SET region_code = d.region_code + $3
WHERE d.region_code >= $1 AND d.region_code < $2 AND (d.agency_id IS NOT NULL OR NOT EXISTS (
    SELECT FROM school_calendar_days o
    WHERE o.agency_id IS NULL AND o.region_code = d.region_code + $3 AND o.day = d.day))
"""


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Keep the days a place has school; where it joins another, that one's calendar holds. Few
    rows: a place has a handful of days of its own.
    """
    await tx.connection.execute(_CALENDAR, event.old_lo, event.old_hi, event.shift)
