"""What checks do when something below them changes."""

from app.core.data.db import Tx
from app.regions import following
from app.regions.events import RegionReplaced


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Move checks to the new codes with the agencies."""
    await following.shift(tx, event, "hiring_checks", "region_code")
