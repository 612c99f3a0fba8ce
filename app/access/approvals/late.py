"""What nobody looked at in its time goes to those above, who are told."""

from typing import Final
from uuid import UUID

from app.access import events
from app.access.approvals.operations import ROLE_ABOVE, place_of
from app.access.roles import role
from app.agencies import queries as agencies
from app.core.data.db import Tx
from app.core.jobs.events import publish

_LATE: Final = f"""
UPDATE reviews r SET region_code = coalesce(r.region_code, a.region_code),
    role = CASE WHEN r.region_code IS NULL THEN {ROLE_ABOVE.format("r.role")} ELSE r.role END
FROM agencies a WHERE a.id = r.agency_id AND r.id = $1 AND r.finding IS NULL
RETURNING r.id, r.operation, r.role, r.agency_id, r.concerns_id, r.region_code, r.due_at
"""


async def pass_up(tx: Tx, review_id: UUID) -> None:
    """Let those above review what nobody looked at until it was due, and tell who did it, whom it
    concerns, and the office above.
    """
    row = await tx.connection.fetchrow(_LATE, review_id)
    if row is None:
        return
    place = row["region_code"]
    above = [await agencies.above(tx, kind, place) for kind in role(row["role"]).agency_kinds]
    told = place_of(row, place, also=above)
    await publish(
        tx,
        events.ReviewLate(
            **told,
            review_id=row["id"],
            done_by_agency_id=row["agency_id"],
            due_at=row["due_at"],
        ),
    )
