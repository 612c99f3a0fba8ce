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

_WORDS: Final = f"""
    SELECT s.school_day FROM attendance_slots s
    WHERE s.child_id = {{child}} AND s.school_day BETWEEN {{since}} AND $2 AND s.school_id = $1
        AND s.category <> 'withdrawn'
    UNION ALL
    SELECT r.school_day FROM child_enrolments e JOIN attendance_rolls r
        ON r.agency_id = e.school_id AND r.class_key = e.class_key
        AND r.school_day BETWEEN greatest(e.since, {{since}}) AND $2
        AND (e.until IS NULL OR r.school_day < e.until)
    WHERE e.child_id = {{child}} AND e.school_id = $1 AND {CALLED} AND {ROLL_HOLDS}"""
_SAID: Final = f"""
    SELECT max(w.school_day) AS last FROM ({_WORDS}) AS w
    WHERE NOT EXISTS (
        SELECT FROM presence_doubts d
        WHERE d.child_id = {{child}} AND d.school_id = $1 AND d.school_day = w.school_day
            AND d.finding IS NULL
            AND NOT EXISTS (SELECT FROM hidden_subjects h WHERE h.subject_id = d.id))"""
"""The last day, since one and until today ($2), of which a school said that a child was there or
was not, by name or by a class that was called in full, and nobody is still to look whether that is
so. What is doubted and hidden doubts nothing here: the school would learn of it.
"""

_PUPIL: Final = """c.school_id = $1
    AND coalesce(c.education ->> 'status', 'enrolled') = 'enrolled'"""

_SILENT: Final = f"""
SELECT c.id AS child_id, c.home_county, c.region_code, o.since
FROM child_enrolments n JOIN children c ON c.home_county = n.home_county AND c.id = n.child_id
CROSS JOIN LATERAL ({_SAID.format(child="c.id", since="$3::date")}) AS said
CROSS JOIN LATERAL (SELECT greatest(n.since, $3::date, said.last + 1) AS since) AS o
WHERE n.school_id = $1 AND n.until IS NULL AND o.since <= $4 AND {_PUPIL}
    AND NOT EXISTS (SELECT FROM duties d
                    WHERE d.rule = '{RULE}' AND d.child_id = c.id AND d.bearer_agency_id = $1
                        AND (d.state IN ('open', 'overdue') OR (d.counts_from = o.since
                            AND d.state NOT IN ('discharged', 'cancelled'))))
ORDER BY c.id
"""
"""Since when a school ($1) says nothing of whom, in the term ($3), for so long ($4) that it owes a
word on it. What it had said and took back, and who left and came back, is owed again; whatever else
became of the duty, the same silence is told of once.
"""

_ENDED: Final = f"""
SELECT d.subject_id, d.child_id, d.home_county, d.region_code, o.said
FROM duties d JOIN children c ON c.home_county = d.home_county AND c.id = d.child_id
CROSS JOIN LATERAL (
    SELECT said.last IS NOT NULL AS said, {_PUPIL} AS is_pupil
    FROM ({_SAID.format(child="d.child_id", since="d.counts_from")}) AS said
) AS o
WHERE d.rule = '{RULE}' AND d.bearer_agency_id = $1 AND d.state IN ('open', 'overdue')
    AND (o.said OR (d.state = 'open' AND o.is_pupil IS NOT TRUE))
ORDER BY d.child_id
"""


async def look(tx: Tx, school_id: UUID) -> None:
    """Tell of whom a school has said nothing since it last did, since the term began or since they
    came, though so many school days are over. Again, it tells of nobody anew. In SYSTEM's reach.
    """
    await heard(tx, school_id)
    place = await tx.connection.fetchval(
        "SELECT region_code FROM agencies WHERE id = $1 AND active", school_id
    )
    if place is None:
        return
    term = period_of("term", tx.today).first
    since_by = await _over_since(tx, school_id, place, term)
    if since_by is None:
        return
    news = []
    for row in await tx.connection.fetch(_SILENT, school_id, tx.today, term, since_by):
        subject = uuid5(row["child_id"], f"silence {school_id} {row['since']}")
        about = about_pupil({**row, "subject_id": subject, "school_id": school_id})
        news.append(PupilUnsaid(**about, since=row["since"]))
    await events.publish(tx, *news)


async def heard(tx: Tx, school_id: UUID) -> None:
    """Tell of whom a school has said something by now, or who is no pupil of it any more, of those
    of whom it owes a word. One statement and the events.
    """
    news: list[PupilSaid | PupilLeft] = []
    for row in await tx.connection.fetch(_ENDED, school_id, tx.today):
        about = about_pupil({**row, "school_id": school_id})
        news.append(PupilSaid(**about) if row["said"] else PupilLeft(**about))
    await events.publish(tx, *news)


async def _over_since(tx: Tx, school_id: UUID, place: int, term: date) -> date | None:
    """Return the last day since which so many school days of the term are over as policy leaves a
    school without a word; None: not so many are.
    """
    asked = _after(place, tx.today)
    exceptions = await calendar(tx, school_id, place, term, tx.today)
    days = (term + timedelta(n) for n in range((tx.today - term).days))
    over = [day for day in days if day.month in asked["months"] and is_school_day(day, exceptions)]
    number = asked["school_days"]
    return over[-number] if len(over) >= number else None
