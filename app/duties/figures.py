"""What is late, by rule."""

from typing import Final

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge

_LATE: Final = "SELECT rule, count(*) AS late FROM duties WHERE state = 'overdue' GROUP BY rule"


@gauge("tonghu_duties_late", "Duties that are overdue and not done, by rule.", "rule", keep=60.0)
async def late(tx: Tx) -> list[Sample]:
    return [((row["rule"],), row["late"]) for row in await tx.connection.fetch(_LATE)]
