"""What lies with police who act no more waits for others: nobody there can take a step."""

from typing import Final

from app.core.data.db import Tx
from app.police_reports.operations.counting import UNHANDED
from app.police_reports.operations.standing import change, deadlines, had_by

_LEFT: Final = """
SELECT r.* FROM agencies a JOIN police_reports r ON r.police_agency_id = a.id
WHERE a.kind = 'police' AND NOT a.active AND r.handled_at IS NULL AND r.state <> 'closed'
ORDER BY r.filed_at, r.id LIMIT $1 FOR UPDATE OF r SKIP LOCKED
"""
"""What they have handled stays theirs: the township goes on from there."""


async def unhand(tx: Tx, at_most: int) -> None:
    """Let reports of police that have closed be nobody's, to be routed anew; whoever else was told
    keeps them. One statement, and one for each.
    """
    for report in await tx.connection.fetch(_LEFT, at_most):
        columns = {
            **UNHANDED,
            **deadlines(tx, report["region_code"]),
            "also_told": report["also_told"],
            "former_police": had_by(report, *report["also_told"]),
        }
        await change(tx, report["id"], **columns)
