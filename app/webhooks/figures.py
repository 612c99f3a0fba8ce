"""How far behind the world is with what it is owed.

Who has all it was sent is not looked at: from each endpoint that waits it is one step in an index
to the next one that does, however much lies between.
"""

from typing import Final

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge

_MOST: Final = 200
"""Endpoints told of one by one, of each class: those that wait longest."""
_NEXT: Final = """
SELECT d.endpoint_id, d.created_at FROM webhook_deliveries d
WHERE d.state IN ('pending', 'leased') AND d.delivery_class = $1 AND d.endpoint_id > {}
ORDER BY d.endpoint_id, d.created_at LIMIT 1"""
_BEHIND: Final = f"""
WITH RECURSIVE behind AS (
    ({_NEXT.format("'00000000-0000-0000-0000-000000000000'::uuid")})
    UNION ALL
    SELECT next.* FROM behind b CROSS JOIN LATERAL ({_NEXT.format("b.endpoint_id")}) AS next
)
"""
_LAG: Final = f"""{_BEHIND}
SELECT b.endpoint_id, b.created_at FROM behind b JOIN webhook_endpoints e ON e.id = b.endpoint_id
WHERE e.active ORDER BY b.created_at LIMIT $2
"""
_OLDEST: Final = f"{_BEHIND} SELECT min(created_at) FROM behind"


@gauge(
    "tonghu_delivery_lag_seconds",
    "For how long the oldest delivery to an endpoint waits, of the 200 of each class where it waits"
    " longest. M: mandatory, S: subscribers.",
    *("endpoint", "class"),
)
async def lag(tx: Tx) -> list[Sample]:
    return [
        ((str(row["endpoint_id"]), each), (tx.now - row["created_at"]).total_seconds())
        for each in ("M", "S")
        for row in await tx.connection.fetch(_LAG, each, _MOST)
    ]


@gauge(
    "tonghu_mandatory_undelivered_seconds",
    "For how long the oldest mandatory delivery waits that has not arrived; 0: none waits.",
)
async def mandatory(tx: Tx) -> list[Sample]:
    oldest = await tx.connection.fetchval(_OLDEST, "M")
    return [((), (tx.now - oldest).total_seconds() if oldest else 0.0)]
