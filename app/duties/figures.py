"""What is late, by rule."""

from typing import Final

from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge

# Counted of each county within the hour (`counting`); what only few are told of is in no count, and
# little: that is read as it stands.
_LATE: Final = """
SELECT late.rule, sum(late.n) AS late FROM (
    SELECT c.rule, sum(c.n) AS n FROM duty_counts c
    WHERE c.outcome = 'overdue' AND c.chosen_by = 'all' GROUP BY c.rule
    UNION ALL
    SELECT d.rule, count(*) FROM duties d
    WHERE d.state = 'overdue' AND d.told_to IS NOT NULL GROUP BY d.rule
) AS late GROUP BY late.rule
"""


@gauge(
    "tonghu_duties_late",
    "Duties that are overdue and not done, by rule, as counted within the hour.",
    "rule",
    keep=60.0,
)
async def late(tx: Tx) -> list[Sample]:
    return [((row["rule"],), float(row["late"])) for row in await tx.connection.fetch(_LATE)]
