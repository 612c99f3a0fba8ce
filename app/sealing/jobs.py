"""Tell witnesses of checkpoints, and operators when the sealing is in trouble."""

from typing import Any, Final
from uuid import UUID

import structlog

from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import rules as regions
from app.sealing import passed_over, reading, standing
from app.sealing.events import CheckpointMade, SealingInTrouble, Trouble

log = structlog.get_logger(__name__)
_ANNOUNCE: Final = """
WITH newest AS (SELECT id, size FROM audit_checkpoints ORDER BY size DESC LIMIT 1)
UPDATE audit_witnesses w SET announced = newest.size, announced_in = $1 FROM newest, agencies a
WHERE w.ended_at IS NULL AND a.id = w.agency_id
    AND (w.announced < newest.size OR w.announced_in IS DISTINCT FROM $1)
RETURNING w.id, w.agency_id, a.region_code, newest.id AS checkpoint_id
"""
_OPERATORS: Final = """
SELECT a.id, a.region_code FROM agencies a WHERE a.kind = 'operator' AND a.active
  AND NOT EXISTS (
    SELECT FROM events e WHERE e.subject_id = a.id AND e.wire_name = $1
      AND e.data ->> 'trouble' = $2 AND e.occurred_at > $3::timestamptz - interval '1 hour')
ORDER BY a.id
"""


@queue.every("sealing.announce", "* * * * *")
async def announce(tx: Tx, payload: dict[str, Any]) -> None:
    """Tell each witness of the newest checkpoint, if it was not told of it; after a restore, of
    the one that is the newest now.
    """
    rows = await tx.connection.fetch(_ANNOUNCE, await reading.place(tx.connection))
    told = [
        CheckpointMade(
            subject_id=row["id"],
            **_place(row["region_code"]),
            told_to=(row["agency_id"],),
            checkpoint_id=row["checkpoint_id"],
        )
        for row in sorted(rows, key=lambda row: row["id"])
    ]
    await events.publish(tx, *told)


@queue.every("sealing.watch", "* * * * *")
async def watch(tx: Tx, payload: dict[str, Any]) -> None:
    """Say what is wrong with the sealing: each minute to the log, each hour to the operators."""
    found = await standing.standing(tx.connection)
    for trouble in found.troubles(tx.now):
        log.error("audit.sealing_in_trouble", reason=str(trouble))
        await _tell(tx, trouble)


@queue.walk("sealing.look_through", "30 3 * * *")
async def look_through(tx: Tx, after: UUID) -> UUID | None:
    """Each night: look for entries of the last two days that were passed over, and tell."""
    looked = await passed_over.after(tx.connection, max(after, passed_over.since(tx.now)))
    if looked.entry_id is not None:
        log.error("audit.entry_passed_over", entry_id=str(looked.entry_id))
        await _tell(tx, Trouble.sealing_late)
    return looked.upto


async def _tell(tx: Tx, trouble: Trouble) -> None:
    rows = await tx.connection.fetch(_OPERATORS, SealingInTrouble.wire_name, str(trouble), tx.now)
    told = [
        SealingInTrouble(
            subject_id=row["id"],
            **_place(row["region_code"]),
            told_to=(row["id"],),
            trouble=trouble,
        )
        for row in rows
    ]
    await events.publish(tx, *told)


def _place(code: int) -> dict[str, int]:
    county = regions.county_of(code) if regions.lies_in_a_county(code) else code
    return {"region_code": code, "home_county": county}
