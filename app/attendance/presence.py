"""名在人不在: a school said that a child was there, and it was seen elsewhere the same day: by
another school, by a hospital, or where the police took it; or the school at which it is enrolled
missed it; or the child had left by then. A person of the school looks, and says what they found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from typing import Final
from uuid import UUID

from app.attendance import asked
from app.attendance.events import PresenceDoubted, PresenceVerified, about
from app.attendance.queries import CALLED, ROLL_HOLDS
from app.attendance.rules import OLDEST, THERE
from app.children import queries
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events, queue

# The days on which somebody was said to be there, or back, or to be missed, in a batch, or of a
# child while others saw it.
_BACK: Final = """w.since = w.until AND EXISTS (
        SELECT FROM agencies g WHERE g.id = w.seen_by_id AND g.kind = 'school' OFFSET 0)"""
"""Whether a `presence_sightings w` is the word of somebody of a school that the child was back."""
_HEARD: Final = f"""
    SELECT home_county, child_id, school_day FROM attendance_slots s
    WHERE {{statements}} AND category = ANY ($2::text[] || 'unexcused'::text) AND school_day <= $3
    UNION
    SELECT e.home_county, e.child_id, r.school_day FROM attendance_rolls r
    JOIN child_enrolments e ON e.school_id = r.agency_id AND e.class_key = r.class_key
        AND e.since <= r.school_day AND (e.until IS NULL OR e.until > r.school_day)
    WHERE {{rolls}} AND {CALLED} AND r.school_day <= $3
    UNION
    SELECT home_county, child_id, since FROM presence_sightings w
    WHERE {{backs}} AND since <= $3 AND {_BACK}"""
_IN_BATCH: Final = _HEARD.format(statements="batch_id = $1", rolls="r.batch_id = $1", backs="false")
_SEEN: Final = """child_id = $1 AND EXISTS (
        SELECT FROM presence_sightings w WHERE w.child_id = $1
            AND w.since <= {day} AND ({day} <= w.until OR w.until IS NULL))"""
_OF_CHILD: Final = _HEARD.format(
    statements=_SEEN.format(day="s.school_day"),
    rolls="e." + _SEEN.format(day="r.school_day"),
    backs="w.child_id = $1",
)

_LATELY: Final = f"child_id = $1 AND {{day}} >= $3::date - {OLDEST.days}"
_AS_ENROLLED: Final = _HEARD.format(
    statements=_LATELY.format(day="s.school_day"),
    rolls="e." + _LATELY.format(day="r.school_day"),
    backs="w." + _LATELY.format(day="w.since"),
)

_SAYS: Final = f"{CALLED} AND {ROLL_HOLDS}"

# Every school that says so of the day, by a statement, or by a roll where it made none; and of
# these each that is not alone, or has the child on no list that day while the school that has it
# misses it, or that says so of a child that others saw, or that had left it, or never was there by
# the register of now, but at another: on the day it leaves, today, it may have been there. Of a
# child that is elsewhere, nobody knows until when, one doubt at a time: until somebody of the
# school found it; of one that left, until it has left the school again since.
# OFFSET: a roll is looked up by its whole key; a join reads those of all days of the class.
# `each`: of every day; `asked`: what is asked already is no reason to ask.
_ELSEWHERE: Final = """
WITH heard AS MATERIALIZED ({heard}
), there AS (
    SELECT h.*, s.school_id, s.session FROM heard h
    JOIN attendance_slots s ON s.home_county = h.home_county AND s.child_id = h.child_id
        AND s.school_day = h.school_day AND s.category = ANY ($2::text[])
    UNION ALL
    SELECT h.*, e.school_id, r.session FROM heard h
    JOIN child_enrolments e ON e.home_county = h.home_county AND e.child_id = h.child_id
        AND e.since <= h.school_day AND (e.until IS NULL OR e.until > h.school_day)
    CROSS JOIN LATERAL (
        SELECT session FROM attendance_rolls r WHERE r.agency_id = e.school_id
            AND r.class_key = e.class_key AND r.school_day = h.school_day AND {holds} OFFSET 0
    ) AS r
    WHERE NOT EXISTS (
        SELECT FROM attendance_slots s
        WHERE s.home_county = h.home_county AND s.child_id = h.child_id
            AND s.school_day = h.school_day AND s.school_id = e.school_id
            AND s.category <> 'withdrawn' AND s.session IN ('whole_day', r.session))
    UNION ALL
    SELECT h.*, w.seen_by_id, 'whole_day' FROM heard h
    JOIN presence_sightings w ON w.home_county = h.home_county AND w.child_id = h.child_id
        AND w.since = h.school_day AND {back}
), elsewhere AS (
    SELECT a.child_id, a.school_day, a.school_id, b.school_id AS seen_by_id
    FROM there a JOIN there b USING (home_county, child_id, school_day)
    WHERE a.school_id <> b.school_id
        AND (a.session = b.session OR 'whole_day' IN (a.session, b.session))
    UNION ALL
    SELECT a.child_id, a.school_day, a.school_id, b.school_id
    FROM there a JOIN attendance_slots b USING (home_county, child_id, school_day)
    WHERE b.category = 'unexcused' AND a.school_id <> b.school_id
        AND (a.session = b.session OR 'whole_day' IN (a.session, b.session))
        AND {at_b} AND NOT {at_a}
    UNION ALL
    (SELECT DISTINCT ON (w.id, a.school_id{each})
        a.child_id, a.school_day, a.school_id, w.seen_by_id
    FROM there a JOIN presence_sightings w USING (home_county, child_id)
    WHERE w.since <= a.school_day AND (w.until IS NULL OR a.school_day <= w.until)
        AND w.seen_by_id <> a.school_id
        AND NOT EXISTS (
            SELECT FROM presence_doubts d
            WHERE w.until IS NULL AND d.child_id = a.child_id AND d.school_id = a.school_id
                AND d.seen_by_id = w.seen_by_id AND d.school_day >= w.since
                AND ({asked} (d.finding = 'here' AND d.school_day <= a.school_day)
                    OR (d.finding = 'elsewhere' AND d.school_day = a.school_day)))
    ORDER BY w.id, a.school_id, a.school_day)
    UNION ALL
    (SELECT DISTINCT ON (a.child_id, a.school_id{each}) a.child_id, a.school_day, a.school_id, (
        SELECT e.school_id FROM child_enrolments e
        WHERE e.home_county = a.home_county AND e.child_id = a.child_id
            AND e.since <= a.school_day AND (e.until IS NULL OR e.until > a.school_day))
    FROM there a
    WHERE NOT {at_a} AND (
        EXISTS (
            SELECT FROM child_enrolments e
            WHERE e.home_county = a.home_county AND e.child_id = a.child_id
                AND e.school_id = a.school_id AND e.until <= least(a.school_day, $3::date - 1))
        OR (EXISTS (
                SELECT FROM child_enrolments e
                WHERE e.home_county = a.home_county AND e.child_id = a.child_id
                    AND e.since <= least(a.school_day, $3::date - 1)
                    AND (e.until IS NULL OR e.until > a.school_day))
            AND EXISTS (
                SELECT FROM child_stays t
                WHERE t.home_county = a.home_county AND t.child_id = a.child_id
                    AND t.enrolled_at = a.school_id)
            AND NOT EXISTS (
                SELECT FROM child_enrolments e
                WHERE e.home_county = a.home_county AND e.child_id = a.child_id
                    AND e.school_id = a.school_id)))
        AND NOT EXISTS (
            SELECT FROM presence_doubts d
            WHERE d.home_county = a.home_county AND d.child_id = a.child_id
                AND d.school_id = a.school_id
                AND ({asked} (
                    d.finding = 'here' AND d.school_day <= a.school_day AND NOT EXISTS (
                        SELECT FROM child_enrolments e
                        WHERE e.home_county = d.home_county AND e.child_id = d.child_id
                            AND e.school_id = d.school_id
                            AND e.until > d.school_day AND e.until <= a.school_day))))
    ORDER BY a.child_id, a.school_id, a.school_day DESC)
)
"""

_ENROLLED: Final = """EXISTS (
            SELECT FROM child_enrolments e
            WHERE e.home_county = a.home_county AND e.child_id = a.child_id
                AND e.school_id = {school}.school_id AND e.since <= a.school_day
                AND (e.until IS NULL OR e.until > a.school_day))"""
_AT: Final = {f"at_{school}": _ENROLLED.format(school=school) for school in "ab"}

_FIND: Final = """{elsewhere}
SELECT DISTINCT ON (x.child_id, x.school_day, x.school_id)
    h.home_county, x.child_id AS id, x.child_id, x.school_day, x.school_id, x.seen_by_id
FROM elsewhere x JOIN (SELECT DISTINCT home_county, child_id FROM heard) AS h USING (child_id)
ORDER BY x.child_id, x.school_day, x.school_id, x.seen_by_id
"""


def _elsewhere(heard: str, **varied: str) -> str:
    return _ELSEWHERE.format(heard=heard, holds=_SAYS, back=_BACK, **_AT, **varied)


_DOUBT: Final = """
INSERT INTO presence_doubts (id, home_county, child_id, region_code, pupil_of, school_id,
    school_day, seen_by_id, opened_at)
SELECT u.id, c.home_county, c.id, c.region_code, c.school_id, u.school_id, u.school_day,
    u.seen_by_id, $6::timestamptz
FROM UNNEST($1::uuid[], $2::uuid[], $3::date[], $4::uuid[], $5::uuid[])
    AS u (id, child_id, school_day, school_id, seen_by_id)
JOIN UNNEST($7::uuid[], $8::bigint[], $9::bigint[], $10::uuid[])
    AS c (id, home_county, region_code, school_id) ON c.id = u.child_id
ON CONFLICT (child_id, school_id, school_day, home_county) DO UPDATE
SET seen_by_id = excluded.seen_by_id, asked_id = NULL, opened_at = excluded.opened_at,
    finding = NULL, found_by = NULL, found_at = NULL
WHERE presence_doubts.finding = 'mistaken' AND presence_doubts.found_by = 'system'
RETURNING *
"""
"""What nothing stood for any more is doubted anew as soon as something does."""


async def look_elsewhere(tx: Tx, batch_id: UUID) -> None:
    """Doubt what a batch says of children whom others saw on one day. For the worker; again, it
    changes nothing. One statement, two if there are any.
    """
    await _doubt(tx, _IN_BATCH, batch_id)


async def look_after_sighting(tx: Tx, child_id: UUID) -> None:
    """Doubt what schools said of a child on days on which others saw it. As `look_elsewhere`."""
    await _doubt(tx, _OF_CHILD, child_id)


_ASKED: Final = """
    SELECT DISTINCT home_county, child_id, school_day FROM presence_doubts
    WHERE child_id = ANY ($1::uuid[]) AND finding IS NULL"""
_NOT_DOUBTED: Final = f"""{_elsewhere(_ASKED, each=", a.school_day", asked="")}
UPDATE presence_doubts d SET finding = 'mistaken', found_by = 'system', found_at = $4
WHERE d.child_id = ANY ($1::uuid[]) AND d.finding IS NULL AND NOT EXISTS (
    SELECT FROM elsewhere x WHERE x.child_id = d.child_id AND x.school_id = d.school_id
        AND x.school_day = d.school_day)
RETURNING d.*
"""


async def look_after_enrolment(tx: Tx, child_id: UUID) -> None:
    """Doubt what schools said of a child by where it was enrolled then as is known now, as
    `look_elsewhere`; what is doubted and explained by that, and nobody looked at yet, is not.
    """
    await asked.in_turn(tx, [child_id])
    await not_doubted(tx, [child_id])
    await _doubt(tx, _AS_ENROLLED, child_id)


async def not_doubted(tx: Tx, child_ids: Sequence[UUID]) -> None:
    """Close what is doubted of children and nobody looked at yet, where nothing stands for it any
    more that would be doubted now. One statement, and the events.
    """
    rows = await tx.connection.fetch(_NOT_DOUBTED, child_ids, sorted(THERE), tx.today, tx.now)
    await events.publish(tx, *(PresenceVerified(**about(row), finding="mistaken") for row in rows))


async def _doubt(tx: Tx, heard: str, which: UUID) -> None:
    elsewhere = _elsewhere(heard, each="", asked="d.finding IS NULL OR")
    sql = _FIND.format(elsewhere=elsewhere)
    found = await tx.connection.fetch(sql, which, sorted(THERE), tx.today)
    if not found:
        return
    names = ("child_id", "school_day", "school_id", "seen_by_id")
    columns = [[row[name] for row in found] for name in names]
    await asked.in_turn(tx, columns[0])
    children = (await queries.hold_those(tx, found)).values()
    held = [list(column) for column in zip(*map(astuple, children), strict=True)]
    rows = await tx.connection.fetch(_DOUBT, [new_id() for _ in found], *columns, tx.now, *held)
    await asked.oversee(tx, [row["id"] for row in rows])
    told = await asked.hide(tx, [row["child_id"] for row in rows], new={row["id"] for row in rows})
    await events.publish(tx, *(PresenceDoubted(**about(r)) for r in rows if r["id"] not in told))


@dataclass(frozen=True, slots=True)
class Sighting:
    """Who else saw a child; see `models.PresenceSighting`."""

    child_id: UUID
    source_id: UUID
    seen_by_id: UUID
    since: date
    until: date | None


_SIGHTED: Final = """
INSERT INTO presence_sightings (id, home_county, child_id, region_code, pupil_of, source_id,
    seen_by_id, since, until, recorded_at)
SELECT $1, c.home_county, c.id, c.region_code, c.school_id, $3, $4, $5, $6, $7
FROM (SELECT * FROM children WHERE home_county = $8 AND id = $2 FOR SHARE) AS c
ON CONFLICT (child_id, source_id, home_county) DO NOTHING
"""


async def sighted(tx: Tx, sighting: Sighting) -> None:
    """Write down who else saw a child, once, and have what schools say of it looked at: after this
    is committed, so that of a school's word and a sighting at one moment one sees the other.
    """
    county = await queries.opened_in(tx, sighting.child_id)
    await tx.connection.execute(_SIGHTED, new_id(), *astuple(sighting), tx.now, county)
    payload = {"child_id": str(sighting.child_id)}
    await queue.enqueue(tx.connection, "attendance.look_after_sighting", [payload])


_NOT_SEEN: Final = """
DELETE FROM presence_sightings WHERE child_id = $1 AND source_id = ANY ($2::uuid[])
RETURNING seen_by_id
"""
# Another agency that saw it, another school that did, or the school that has it.
_SEEN_BY_ANOTHER: Final = """
UPDATE presence_doubts d SET seen_by_id = coalesce(
    (SELECT w.seen_by_id FROM presence_sightings w
     WHERE w.child_id = d.child_id AND w.seen_by_id <> d.school_id AND w.since <= d.school_day
        AND (w.until IS NULL OR d.school_day <= w.until) ORDER BY w.id LIMIT 1),
    (SELECT s.school_id FROM attendance_slots s
     WHERE s.child_id = d.child_id AND s.school_day = d.school_day
        AND s.school_id <> d.school_id AND s.category = ANY ($3::text[])
     ORDER BY s.school_id LIMIT 1),
    (SELECT e.school_id FROM child_enrolments e
     WHERE e.child_id = d.child_id AND e.since <= d.school_day
        AND (e.until IS NULL OR e.until > d.school_day)))
WHERE d.child_id = ANY ($1::uuid[]) AND d.finding IS NULL AND d.seen_by_id = ANY ($2::uuid[])
    AND NOT EXISTS (
        SELECT FROM presence_sightings w
        WHERE w.child_id = d.child_id AND w.seen_by_id = d.seen_by_id
            AND w.since <= d.school_day AND (w.until IS NULL OR d.school_day <= w.until))
"""


async def mistaken(tx: Tx, child_id: UUID, sources: Iterable[UUID]) -> None:
    """Take back, in SYSTEM's reach, that a child was seen, by the rows that told of it: it was
    another.
    """
    gone = await tx.connection.fetch(_NOT_SEEN, child_id, list(sources))
    await saw_nobody(tx, [child_id], [row["seen_by_id"] for row in gone])


async def saw_nobody(tx: Tx, child_ids: Sequence[UUID], witnesses: Sequence[UUID]) -> None:
    """Doubt for others who saw these children, hidden as their word is, or not any more."""
    await asked.in_turn(tx, child_ids)
    await not_doubted(tx, child_ids)
    await tx.connection.execute(_SEEN_BY_ANOTHER, child_ids, witnesses, sorted(THERE))
    await asked.hide(tx, child_ids)
