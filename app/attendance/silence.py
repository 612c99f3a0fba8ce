"""Pupils of whom their school says nothing: somebody of the school owes a word on each (EDU-01).
Silence says nothing of where they were, so no alert opens for it (ADR 20).
"""

from datetime import date, timedelta
from typing import Final
from uuid import UUID, uuid5

from app.attendance.events import PupilLeft, PupilSaid, PupilUnsaid, about_pupil
from app.attendance.queries import CALLED, ROLL_HOLDS, calendar
from app.attendance.rules import is_school_day
from app.core.data.db import Tx
from app.core.jobs import events
from app.duties.periods import period_of
from app.policy import queries as policy

RULE: Final = "EDU-01.silent"

_after: Final = policy.lookup("attendance.silent_after")

_SAID: Final = f"""(
    EXISTS (SELECT FROM attendance_slots s
            WHERE s.child_id = {{child}} AND s.school_day >= {{since}} AND s.school_id = $1
                AND s.category <> 'withdrawn')
    OR EXISTS (SELECT FROM child_enrolments e JOIN attendance_rolls r
                   ON r.agency_id = e.school_id AND r.class_key = e.class_key
                   AND r.school_day >= greatest(e.since, {{since}})
                   AND (e.until IS NULL OR r.school_day < e.until)
               WHERE e.child_id = {{child}} AND e.school_id = $1 AND {CALLED} AND {ROLL_HOLDS}))"""
"""Whether a school said of a day since one that a child was there or was not, by name or by a class
that was called in full.
"""

_PUPIL: Final = """c.school_id = $1
    AND coalesce(c.education ->> 'status', 'enrolled') = 'enrolled'"""

_SILENT: Final = f"""
SELECT c.id AS child_id, c.home_county, c.region_code, greatest(n.since, $2::date) AS since
FROM child_enrolments n JOIN children c ON c.home_county = n.home_county AND c.id = n.child_id
WHERE n.school_id = $1 AND n.until IS NULL AND n.since <= $3 AND {_PUPIL}
    AND NOT {_SAID.format(child="c.id", since="$2::date")}
    AND NOT EXISTS (SELECT FROM duties d
                    WHERE d.rule = '{RULE}' AND d.child_id = c.id AND d.bearer_agency_id = $1
                        AND d.state IN ('open', 'overdue'))
ORDER BY c.id
"""

_ENDED: Final = f"""
SELECT d.subject_id, d.child_id, d.home_county, d.region_code, o.said
FROM duties d JOIN children c ON c.home_county = d.home_county AND c.id = d.child_id
CROSS JOIN LATERAL (
    SELECT {_SAID.format(child="d.child_id", since="d.counts_from")} AS said, {_PUPIL} AS is_pupil
) AS o
WHERE d.rule = '{RULE}' AND d.bearer_agency_id = $1 AND d.state IN ('open', 'overdue')
    AND (o.said OR (d.state = 'open' AND o.is_pupil IS NOT TRUE))
ORDER BY d.child_id
"""


async def look(tx: Tx, school_id: UUID) -> None:
    """Tell of whom a school has said nothing since the term began, or since they came, though so
    many school days are over. Again, it tells of nobody anew. In SYSTEM's reach.
    """
    await heard(tx, school_id)
    place = await tx.connection.fetchval(
        "SELECT region_code FROM agencies WHERE id = $1 AND active", school_id
    )
    if place is None:
        return
    term = period_of("term", tx.today).first
    came_by = await _over_since(tx, school_id, place, term)
    if came_by is None:
        return
    for row in await tx.connection.fetch(_SILENT, school_id, term, came_by):
        subject = uuid5(row["child_id"], f"silence {school_id} {term}")
        about = about_pupil({**row, "subject_id": subject, "school_id": school_id})
        await events.publish(tx, PupilUnsaid(**about, since=row["since"]))


async def heard(tx: Tx, school_id: UUID) -> None:
    """Tell of whom a school has said something by now, or who is no pupil of it any more, of those
    of whom it owes a word. One statement and the events.
    """
    for row in await tx.connection.fetch(_ENDED, school_id):
        about = about_pupil({**row, "school_id": school_id})
        await events.publish(tx, PupilSaid(**about) if row["said"] else PupilLeft(**about))


async def _over_since(tx: Tx, school_id: UUID, place: int, term: date) -> date | None:
    """Return the last day since which so many school days of the term are over as policy leaves a
    school for a first word; None: not so many are.
    """
    asked = _after(place, tx.today)
    exceptions = await calendar(tx, school_id, place, term, tx.today)
    days = (term + timedelta(n) for n in range((tx.today - term).days))
    over = [day for day in days if day.month in asked["months"] and is_school_day(day, exceptions)]
    number = asked["school_days"]
    return over[-number] if len(over) >= number else None
