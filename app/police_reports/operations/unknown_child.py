"""Somebody is asked which child a report is about, as long as it hangs on no file."""

from typing import Final
from uuid import UUID

from app.agencies.models import AgencyKind
from app.core.data.db import Tx
from app.police_reports import jurisdiction, queries
from app.unresolved.models import UnresolvedReason, UnresolvedState
from app.unresolved.operations.whose import ask_whose, settle_whose

_LAST_SAID: Final = """
SELECT codes ->> 'found' FROM police_report_steps WHERE report_id = $1 AND step = 'described'
ORDER BY recorded_at DESC, id DESC LIMIT 1
"""


async def keep_asked(tx: Tx, report_id: UUID, *, anew: bool = False) -> None:
    """Ask the office of the place, or settle what was asked, by what the report says now. For jobs,
    in SYSTEM's reach; again, it changes nothing. `anew`: something was said of the child.
    """
    report = await tx.connection.fetchrow(
        "SELECT * FROM police_reports WHERE id = $1 FOR UPDATE", report_id
    )
    if report["child_id"] is not None:
        await settle_whose(tx, report_id, UnresolvedState.attached)
    elif report["superseded_by_id"] is not None:
        await settle_whose(tx, report_id, UnresolvedState.corrected)
    else:
        township = (await jurisdiction.offices(tx, report)).township
        kind = township and await queries.agency_kind(tx, township)
        await ask_whose(
            tx,
            report_id,
            report["region_code"],
            "township_supervisor" if kind == AgencyKind.township_government else "civil_affairs",
            reason=UnresolvedReason.several_children
            if await tx.connection.fetchval(_LAST_SAID, report_id) == "several"
            else UnresolvedReason.child_unknown,
            anew=anew,
        )
