"""Which child a report to the police is about, as long as nobody knows. The report is identified by
the package above, which asks here and settles; to say that it cannot be is a dismissal.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.ids import new_id
from app.unresolved import queries
from app.unresolved.models import UnresolvedKind, UnresolvedReason, UnresolvedState
from app.unresolved.operations import referrals, settling

_SAID_SINCE: Final = """
UPDATE unresolved SET reason = $2, updated_at = $3, version = version + 1,
    dismissal_by = NULL, dismissal_sealed = NULL, dismissal_at = NULL
WHERE about_id = $1 AND state = 'open' RETURNING id
"""


async def ask_whose(
    tx: Tx,
    report_id: UUID,
    place: int,
    owner_role: str,
    *,
    police: UUID | None,
    reason: UnresolvedReason,
    anew: bool,
) -> None:
    """Ask, in SYSTEM's reach, which child a report from a place is about, once: the offices of the
    place that may know of it, else the police in charge. `anew`: something was said of the child
    since; the question has another version, and one that was dismissed is asked again.
    """
    if anew and await tx.connection.fetchval(_SAID_SINCE, report_id, reason, tx.now):
        return
    asked = "SELECT EXISTS (SELECT FROM unresolved WHERE about_id = $1)"
    if not anew and await tx.connection.fetchval(asked, report_id):
        return
    question = {"id": new_id(), "about_id": report_id, "reason": reason, "abnormal": True}
    await referrals.ask(tx, UnresolvedKind.report, owner_role, place, police=police, **question)


_SET: Final = 500


async def ask_others(
    tx: Tx, after: UUID, in_charge: Callable[[list[UUID]], Awaitable[Mapping[UUID, UUID | None]]]
) -> UUID | None:
    """Ask again, in SYSTEM's reach, of one set of open questions, where somebody may know of it by
    now who was not told; returns after which report to go on, None at the end. `in_charge` tells
    the police in charge of reports. Two statements a set, where nobody is to be asked.
    """
    rows = await queries.of_reports(tx, after, _SET)
    police = await in_charge([row["about_id"] for row in rows if not row["readers"]])
    if missed := [row["id"] for row in rows if _missed(row, police)]:
        for row in await queries.held_of_reports(tx, missed):
            if _missed(row, police):  # pragma: no branch  another may just have asked
                await referrals.announce(tx, row, police=police.get(row["about_id"]))
    return rows[-1]["about_id"] if len(rows) == _SET else None


def _missed(row: Mapping[str, Any], police: Mapping[UUID, UUID | None]) -> bool:
    may = {*row["readers"]} or {*filter(None, [police.get(row["about_id"])])}
    return bool(may - {*row["told"]})


async def settle_whose(tx: Tx, report_id: UUID, state: UnresolvedState) -> None:
    """Let nobody owe an answer any more, in SYSTEM's reach."""
    row = await tx.connection.fetchrow(
        "SELECT * FROM unresolved WHERE about_id = $1 AND state = 'open' FOR UPDATE", report_id
    )
    if row is not None:
        await settling.settle(tx, row, state, "system")
