"""What a school takes back of a pupil it said was there: it owes no look and saw nobody."""

from typing import Final
from uuid import UUID

from app.attendance import presence
from app.attendance.events import PresenceVerified, about
from app.attendance.queries import CALLED, ROLL_HOLDS
from app.attendance.rules import THERE
from app.core.data.db import Tx
from app.core.jobs import events

_TAKEN_BACK: Final = """
SELECT child_id, school_id FROM attendance_slots WHERE batch_id = $1 AND category = 'withdrawn'
"""
_NOT_SAID: Final = f"""
UPDATE presence_doubts d SET finding = 'mistaken', found_by = 'system', found_at = $2
FROM (SELECT DISTINCT home_county, child_id, school_id, school_day FROM attendance_slots
    WHERE batch_id = $1 AND category = 'withdrawn') AS gone
WHERE d.child_id = gone.child_id AND d.home_county = gone.home_county
    AND d.school_id = gone.school_id AND d.school_day = gone.school_day AND d.finding IS NULL
    AND NOT EXISTS (
        SELECT FROM attendance_slots s
        WHERE s.home_county = d.home_county AND s.child_id = d.child_id
            AND s.school_day = d.school_day AND s.school_id = d.school_id
            AND s.category = ANY ($3::text[]))
    AND NOT EXISTS (
        SELECT FROM presence_sightings w
        WHERE w.child_id = d.child_id AND w.seen_by_id = d.school_id AND w.since = d.school_day)
    AND NOT EXISTS (
        SELECT FROM child_enrolments e JOIN attendance_rolls r ON r.agency_id = e.school_id
            AND r.class_key = e.class_key AND r.school_day = d.school_day
        WHERE e.home_county = d.home_county AND e.child_id = d.child_id
            AND e.school_id = d.school_id AND e.since <= d.school_day
            AND (e.until IS NULL OR e.until > d.school_day) AND {CALLED} AND {ROLL_HOLDS})
RETURNING d.*
"""
"""Unless a roll or a recorded return of the school says it still."""


async def take_back(tx: Tx, batch_id: UUID) -> None:
    """Let nothing be doubted any more for what a batch took back. For the worker; again, it changes
    nothing. One statement, six if it took anything back, and the events.
    """
    gone = await tx.connection.fetch(_TAKEN_BACK, batch_id)
    if not gone:
        return
    rows = await tx.connection.fetch(_NOT_SAID, batch_id, tx.now, sorted(THERE))
    await events.publish(tx, *(PresenceVerified(**about(row), finding="mistaken") for row in rows))
    children = list({row["child_id"] for row in gone})
    await presence.saw_nobody(tx, children, list({row["school_id"] for row in gone}))
