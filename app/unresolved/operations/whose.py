"""Which child a report to the police is about, as long as nobody knows. The report is identified by
the package above, which asks here and settles; to say that it cannot be is a dismissal.
"""

from typing import Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.ids import new_id
from app.unresolved.models import UnresolvedKind, UnresolvedReason, UnresolvedState
from app.unresolved.operations import referrals, settling

_SAID_SINCE: Final = """
UPDATE unresolved SET reason = $2, updated_at = $3, version = version + 1,
    dismissal_by = NULL, dismissal_sealed = NULL, dismissal_at = NULL
WHERE about_id = $1 AND state = 'open' RETURNING id
"""


async def ask_whose(
    tx: Tx, report_id: UUID, place: int, owner_role: str, *, reason: UnresolvedReason, anew: bool
) -> None:
    """Ask, in SYSTEM's reach, which child a report from a place is about, once. `anew`: something
    was said of the child since; the question has another version, and one that was dismissed is
    asked again.
    """
    if anew and await tx.connection.fetchval(_SAID_SINCE, report_id, reason, tx.now):
        return
    asked = "SELECT EXISTS (SELECT FROM unresolved WHERE about_id = $1)"
    if not anew and await tx.connection.fetchval(asked, report_id):
        return
    question = {"id": new_id(), "about_id": report_id, "reason": reason, "abnormal": True}
    await referrals.ask(tx, UnresolvedKind.report, owner_role, place, **question)


async def settle_whose(tx: Tx, report_id: UUID, state: UnresolvedState) -> None:
    """Let nobody owe an answer any more, in SYSTEM's reach."""
    row = await tx.connection.fetchrow(
        "SELECT * FROM unresolved WHERE about_id = $1 AND state = 'open' FOR UPDATE", report_id
    )
    if row is not None:
        await settling.settle(tx, row, state, "system")
