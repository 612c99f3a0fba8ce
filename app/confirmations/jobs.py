"""What becomes of a confirmation by itself."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from app.access.roles import roles
from app.children import rows as below
from app.children.events import ChildChanged
from app.confirmations.events import (
    ChangeEntered,
    ChangeFound,
    ConfirmationReplaced,
    FileConfirmed,
)
from app.core.data.db import Tx
from app.core.jobs import events
from app.core.jobs.events import Event

# A section may be changed for another reason: who writes it says that this was entered.
_ENTERED: Final = """NOT EXISTS (
    SELECT FROM UNNEST(n.differs) AS d (section)
    WHERE NOT EXISTS (
        SELECT FROM child_changes h
        WHERE h.home_county = n.home_county AND h.child_id = n.child_id
          AND h.version > 1 AND d.section = ANY (h.sections)
          AND (h.at > n.received_at OR (h.at AT TIME ZONE 'Asia/Shanghai')::date >= n.confirmed_on)
    ) OR NOT EXISTS (
        SELECT FROM confirmations c
        JOIN UNNEST($4::text[], $5::text[]) AS w (role, section) ON w.role = c.as_role
        WHERE c.home_county = n.home_county AND c.child_id = n.child_id
          AND c.received_at > n.received_at AND w.section = d.section
          AND d.section = ANY (c.changed) AND d.section <> ALL (c.differs)
          AND NOT EXISTS (SELECT FROM confirmations r WHERE r.home_county = c.home_county
              AND r.child_id = c.child_id AND r.agency_id = c.agency_id AND r.instead_of = c.id)
    ))"""
_ENTER: Final = f"""
UPDATE confirmations n SET entered_at = $3
WHERE n.home_county = $1 AND n.child_id = $2 AND n.differs <> '{{}}' AND n.entered_at IS NULL
  AND {_ENTERED}
RETURNING n.id
"""
# One that was replaced itself is said no more.
_UNENTER: Final = f"""
UPDATE confirmations n SET entered_at = NULL
WHERE n.home_county = $1 AND n.child_id = $2 AND n.entered_at <= $3 AND NOT {_ENTERED}
  AND NOT EXISTS (SELECT FROM confirmations r WHERE r.home_county = n.home_county
      AND r.child_id = n.child_id AND r.agency_id = n.agency_id AND r.instead_of = n.id)
RETURNING n.*
"""

# Whichever of the two came first.
_REPLACED: Final = """
SELECT DISTINCT n.id AS subject_id, n.confirmed_on FROM confirmations n
JOIN confirmations r ON r.home_county = n.home_county AND r.child_id = n.child_id
    AND r.agency_id = n.agency_id AND r.instead_of = n.id AND r.id <> n.id
WHERE n.home_county = $1 AND n.child_id = $2 AND $3 IN (n.id, r.id) ORDER BY n.id
"""


@events.on(ChildChanged)
async def note_entered(tx: Tx, event: ChildChanged) -> None:
    """Tell of which confirmations all is in the file now, after it was changed (REG-11)."""
    await _enter(tx, event, event.subject_id)


@events.on(FileConfirmed)
async def note_confirmed(tx: Tx, event: FileConfirmed) -> None:
    """Tell which confirmation another takes the place of, and of which all is in the file now, as
    somebody confirmed (REG-11), or is not after all.
    """
    about = {name: getattr(event, name) for name in ("home_county", "child_id", "region_code")}
    rows = await tx.connection.fetch(_REPLACED, event.home_county, event.child_id, event.subject_id)
    await events.publish(tx, *(ConfirmationReplaced(**row, **about) for row in rows))
    if rows:
        undone = await _changed(tx, _UNENTER, event.home_county, event.child_id)
        await events.publish(tx, *(ChangeFound(**below.announced(row)) for row in undone))
    await _enter(tx, event, event.child_id)


async def _enter(tx: Tx, event: Event, child_id: UUID) -> None:
    rows = await _changed(tx, _ENTER, event.home_county, child_id)
    about = {"home_county": event.home_county, "region_code": event.region_code}
    news = (ChangeEntered(subject_id=row["id"], child_id=child_id, **about) for row in rows)
    await events.publish(tx, *news)


async def _changed(
    tx: Tx, statement: str, home_county: int, child_id: UUID
) -> Sequence[asyncpg.Record]:
    writes = [(role.code, each) for role in roles().values() for each in role.writes]
    writers = map(list, zip(*writes, strict=True))
    rows: Sequence[asyncpg.Record]
    rows = await tx.connection.fetch(statement, home_county, child_id, tx.now, *writers)
    return rows
