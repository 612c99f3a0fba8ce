"""What a school takes back of a pupil: that it was there, or that it was missed. Nothing is doubted
any more for what nobody says.
"""

from typing import Final
from uuid import UUID

from app.attendance import presence
from app.attendance.rules import THERE
from app.core.data.db import Tx

_UNSAID: Final = """
SELECT d.child_id, s.school_id FROM attendance_slots s JOIN presence_doubts d
    ON d.home_county = s.home_county AND d.child_id = s.child_id AND d.school_day = s.school_day
WHERE s.batch_id = $1 AND s.category <> ALL ($2::text[]) AND d.finding IS NULL
UNION
SELECT d.child_id, r.agency_id FROM attendance_rolls r
JOIN child_enrolments e ON e.school_id = r.agency_id AND e.class_key = r.class_key
    AND e.since <= r.school_day AND (e.until IS NULL OR e.until > r.school_day)
JOIN presence_doubts d
    ON d.home_county = e.home_county AND d.child_id = e.child_id AND d.school_day = r.school_day
WHERE r.batch_id = $1 AND r.category = 'withdrawn' AND d.finding IS NULL
"""
"""Of whom something is doubted of whom a batch says that they were not there, or nothing more."""


async def take_back(tx: Tx, batch_id: UUID) -> None:
    """Let nothing be doubted any more for what a batch took back. For the worker; again, it changes
    nothing. One statement, six if it took anything back, and the events.
    """
    gone = await tx.connection.fetch(_UNSAID, batch_id, sorted(THERE))
    if not gone:
        return
    children = list({row["child_id"] for row in gone})
    await presence.saw_nobody(tx, children, list({row["school_id"] for row in gone}))
