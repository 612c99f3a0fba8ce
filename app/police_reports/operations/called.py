"""What a reporter calls the event of a report: an id of their own, or that of another report."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports.operations.locks import hold_event, hold_events

_CALLED: Final = """
SELECT r.id, r.incident_id FROM unnest($1::uuid[]) AS named (name) CROSS JOIN LATERAL (
    SELECT id, incident_id FROM police_reports WHERE id = name OR stated_incident_id = name
    ORDER BY id = name DESC, incident_id IS NULL, id LIMIT 1) AS r
ORDER BY r.incident_id
"""
"""After which report each event is called. Of those that called it so, one that was taken from it
comes last: what a person took apart does not come together by itself.
"""
_RENAME: Final = """
UPDATE police_reports SET incident_id = $1
WHERE (id = ANY ($2) OR incident_id = ANY ($3)) AND incident_id IS DISTINCT FROM $1
"""


def called_after(stated: UUID | None, corrects: Mapping[str, Any] | None) -> list[UUID]:
    """Return what a report is called after, as its reporter states. A correction stays in the event
    of what it corrects; that it calls the event as that did says nothing new.
    """
    before = [] if corrects is None else [corrects["id"]]
    again = corrects is not None and stated == corrects["stated_incident_id"]
    return before if stated is None or again else [*before, stated]


async def event_called(tx: Tx, report_id: UUID, called: Sequence[UUID]) -> UUID | None:
    """Return what the reports of one event share: of all that a new report is called after, and
    of those that were called after it before it was filed. It is shown to nobody: it would tell
    who sees some of them of the others.
    """
    async with tx.as_system():
        names = [report_id, *called]
        if not await tx.connection.fetch(_CALLED, names):
            return next(iter(called), None)
        await hold_events(tx)
        found = await tx.connection.fetch(_CALLED, names)  # as they are joined by now
        shared = [row["incident_id"] for row in found if row["incident_id"]]
        event: UUID = shared[0] if shared else new_id()
        await hold_event(tx, *found)
        await tx.connection.execute(_RENAME, event, [row["id"] for row in found], shared)
    return event
