"""Reports that no police have yet."""

from typing import Final

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge
from app.police_reports.models import WAITING

_OLDEST: Final = f"""
SELECT min(filed_at) FROM police_reports WHERE {WAITING} AND delivered_at IS NULL"""
_SPOOLED: Final = "SELECT count(*) AS reports, min(received_at) AS oldest FROM spooled_reports"


@gauge(
    "tonghu_reports_undelivered_seconds",
    "For how long the oldest report waits that no police have yet; 0: none waits.",
)
async def undelivered(tx: Tx) -> list[Sample]:
    oldest = await tx.connection.fetchval(_OLDEST)
    return [((), (tx.now - oldest).total_seconds() if oldest else 0.0)]


@gauge("tonghu_reports_spooled", "Reports taken in while nothing could be recorded, unfiled yet.")
async def spooled(tx: Tx) -> list[Sample]:
    row = await tx.connection.fetchrow(_SPOOLED)
    return [((), row["reports"])]
