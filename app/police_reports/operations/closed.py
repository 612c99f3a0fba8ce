"""What lies with police who act no more waits for others: nobody there can take a step."""

from typing import Final

from app.core.data.db import Tx
from app.police_reports import fetching, rules
from app.police_reports.fetching import COLUMNS
from app.police_reports.operations.counting import STEPS, UNHANDED
from app.police_reports.operations.standing import change, deadlines, had_by

_LEFT: Final = f"""
SELECT {COLUMNS} FROM agencies a JOIN police_reports r ON r.police_agency_id = a.id
WHERE a.kind = 'police' AND NOT a.active AND r.state <> 'closed'
ORDER BY r.filed_at, r.id LIMIT $1 FOR UPDATE OF r SKIP LOCKED
"""


async def unhand(tx: Tx, at_most: int) -> None:
    """Let reports of police that have closed be nobody's, to be routed anew; whoever else was told
    keeps them, and what was done stays done. One statement, and two for each.
    """
    for report in await fetching.reports(tx, _LEFT, at_most):
        steps = await fetching.steps(tx, STEPS, report["id"])
        columns = {
            **UNHANDED,
            **deadlines(tx, report["region_code"]),
            "state": rules.standing(steps, None)["state"],
            "also_told": report["also_told"],
            "former_police": had_by(report, *report["also_told"]),
        }
        await change(tx, report["id"], **columns)
