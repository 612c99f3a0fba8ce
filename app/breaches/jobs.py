"""What the register does when a place gets another code."""

from app.core.data.db import Tx
from app.regions import following
from app.regions.events import RegionReplaced


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Keep breaches where the office is that recorded them."""
    await following.shift(tx, event, "breaches", "region_code")
