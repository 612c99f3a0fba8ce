"""Reads of attendance."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.attendance.holidays import nearest
from app.attendance.rules import (
    Absence,
    Slots,
    absence,
    of_former_school,
    of_mistaken_school,
    together,
    with_roll,
)
from app.children import enrolments
from app.children.enrolments import attended_on, left
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.regions.rules import lineage

_EVENTS = """
SELECT e.id AS event_ref, e.child_id, e.agency_id AS school_id, e.batch_id, e.source,
    e.event_id AS id, e.school_day, e.session, e.category, e.reason, e.happened_at AS time,
    e.sequence, e.doubt, e.received_at, e.as_sent_sealed, s.event_row_id IS NOT NULL AS in_force
FROM (SELECT *, id AS event_ref FROM attendance_events) AS e
LEFT JOIN attendance_slots s ON s.home_county = e.home_county AND s.child_id = e.child_id
    AND s.school_id = e.agency_id AND s.school_day = e.school_day AND s.session = e.session
    AND s.event_row_id = e.id
"""
_LATEST = paging.Order({"e.school_day": date, "e.event_ref": UUID}, descending=True)


async def events_of_child(
    tx: Tx,
    child_id: UUID,
    window: paging.Window,
    *,
    since: date,
    until: date,
    school_id: UUID | None,
) -> paging.Rows:
    """List the events on a child, latest day first. `school_id`: those of this school only."""
    where = Where("e.child_id = {}", child_id).add_given({"e.agency_id = {}": school_id})
    where.add("e.school_day >= {} AND e.school_day <= {}", since, until)
    return await paging.fetch(tx, _EVENTS, where, _LATEST, window)


async def batch_kept(tx: Tx, principal: Principal, batch_id: UUID) -> bytes | None:
    """Find what is kept of a batch of the caller's own agency (`receipts.unpacked`)."""
    kept: bytes | None = await tx.connection.fetchval(
        "SELECT answer FROM attendance_batches WHERE id = $1 AND agency_id = $2",
        batch_id,
        principal.agency_id,
    )
    return kept


CALLED: Final = """(e.child_id = ANY (r.listed)
    OR (r.listed IS NULL AND e.recorded_at <= r.received_at))"""
"""Whether the child of a `child_enrolments e` was in the class, as known then, when its roll, an
`attendance_rolls r`, was received: of whom it was not on the list, that says nothing.
"""

_HEARD = f"""
WITH spoken_of AS MATERIALIZED (
    SELECT home_county, child_id, pupil_of, school_day FROM attendance_slots WHERE batch_id = $1
    UNION ALL
    SELECT e.home_county, e.child_id, e.pupil_of, r.school_day FROM attendance_rolls r
    JOIN child_enrolments e ON e.school_id = r.agency_id AND e.class_key = r.class_key
        AND e.since <= r.school_day AND (e.until IS NULL OR e.until > r.school_day)
    WHERE r.batch_id = $1 AND {CALLED}
), looked AS (
    SELECT greatest(least(min(school_day), $2::date), $3::date) AS since FROM spoken_of
)
SELECT b.child_id, b.pupil_of, EXISTS (
    SELECT 1 FROM attendance_slots s
    WHERE s.home_county = b.home_county AND s.child_id = b.child_id
        AND s.school_day >= looked.since AND s.category = 'unexcused') AS absent, looked.since
FROM (SELECT DISTINCT home_county, child_id, pupil_of FROM spoken_of) AS b CROSS JOIN looked
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """Whose sessions a batch set last, or whose class it called. `pupil_of`: the school now;
    `absent`: it missed a day without leave, as any school said, since the day `since`.
    """

    child_id: UUID
    pupil_of: UUID | None
    absent: bool
    since: date


async def heard_of(tx: Tx, batch_id: UUID, *, since: date, oldest: date) -> list[Heard]:
    """Find of whom a batch spoke, and whether they missed a day since a day, or since the earliest
    of which it spoke, but none before `oldest`. One statement.
    """
    return [Heard(*row) for row in await tx.connection.fetch(_HEARD, batch_id, since, oldest)]


_MISSING = """
SELECT coalesce(c.school_id, missed.school_id) FROM children c
CROSS JOIN LATERAL (
    SELECT s.school_id FROM attendance_slots s
    WHERE s.home_county = c.home_county AND s.child_id = c.id
        AND s.school_day >= $2 AND s.category = 'unexcused'
    ORDER BY s.school_day DESC LIMIT 1
) AS missed
WHERE c.id = $1
"""


async def missing_from(tx: Tx, child_id: UUID, *, since: date) -> UUID | None:
    """Find the school of a child that missed a day without leave since a day; if it is at none now,
    the one that said so last. None: it missed no day. One statement.
    """
    school_id: UUID | None = await tx.connection.fetchval(_MISSING, child_id, since)
    return school_id


_SLOTS = """
SELECT s.child_id, s.school_day, s.school_id, s.session, s.category
FROM UNNEST($1::uuid[], $2::date[]) AS u (child_id, since)
JOIN attendance_slots s ON s.child_id = u.child_id
    AND s.school_day >= u.since AND s.school_day <= $3
"""

ROLL_HOLDS: Final = """(r.category = 'roll' AND NOT EXISTS (
    SELECT FROM attendance_rolls w
    WHERE w.agency_id = r.agency_id AND w.class_key = r.class_key AND w.school_day = r.school_day
        AND w.session = r.session AND w.category = 'withdrawn'
        AND (w.sequence, least(w.happened_at, w.received_at))
            >= (r.sequence, least(r.happened_at, r.received_at)) OFFSET 0))"""
"""Whether an `attendance_rolls r` was not taken back since. A clock that ran ahead is believed no
further than to when it was received. OFFSET: asked of each by its whole key, not of all the class.
"""

# OFFSET: the rolls of a class are looked up by its key and the days, whatever was planned before.
_ROLLS = f"""
SELECT e.child_id, r.school_day, e.school_id, r.session
FROM UNNEST($1::uuid[], $2::date[]) AS u (child_id, since)
JOIN child_enrolments e ON e.child_id = u.child_id
CROSS JOIN LATERAL (
    SELECT r.school_day, r.session FROM attendance_rolls r
    WHERE r.agency_id = e.school_id AND r.class_key = e.class_key
        AND r.school_day >= greatest(e.since, u.since)
        AND r.school_day <= least(e.until - 1, $3::date) AND {CALLED} AND {ROLL_HOLDS} OFFSET 0
) AS r
"""

# What a named person found counts more than what a school's system says, also afterwards.
_FOUND_ELSEWHERE = """
SELECT d.child_id, d.school_day, d.school_id FROM UNNEST($1::uuid[], $2::date[]) AS u (child, since)
JOIN presence_doubts d ON d.child_id = u.child
    AND d.school_day >= u.since AND d.school_day <= $3 AND d.finding = 'elsewhere'
"""

_CALENDAR = """
SELECT CASE WHEN agency_id IS NOT NULL THEN -1 ELSE array_position($2::bigint[], region_code) END
    AS rank, day, is_school_day
FROM school_calendar_days
WHERE day >= $3 AND day <= $4
    AND (agency_id = $1 OR (agency_id IS NULL AND region_code = ANY ($2::bigint[])))
"""


async def calendar(
    tx: Tx, school_id: UUID, region_code: int, first: date, last: date
) -> Mapping[date, bool]:
    """Find the days that differ from Monday to Friday at a school; True: there is school. One
    statement.
    """
    places = list(lineage(region_code))
    rows = await tx.connection.fetch(_CALENDAR, school_id, places, first, last)
    return nearest((tuple(row) for row in rows), first, last)


async def absences(
    tx: Tx,
    *,
    school_id: UUID,
    region_code: int,
    returned_on: Mapping[UUID, date | None],
    since: Mapping[UUID, date],
    today: date,
) -> dict[UUID, Absence]:
    """Count the school days that children missed without leave, each `since` a day, whichever
    school said it, by the calendar of one school. `region_code`: where that stands. `returned_on`:
    of each child, the day on which a person last had it back.

    Five statements for any number of children.
    """
    begins = [since[child] for child in returned_on]
    slots = await tx.connection.fetch(_SLOTS, list(returned_on), begins, today)
    rolls = await tx.connection.fetch(_ROLLS, list(returned_on), begins, today)
    mistaken = await tx.connection.fetch(_FOUND_ELSEWHERE, list(returned_on), begins, today)
    exceptions = await calendar(tx, school_id, region_code, min(begins), today)
    said: dict[tuple[UUID, date], dict[UUID, dict[Any, Any]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in slots:
        spoke = said[row["child_id"], row["school_day"]]
        spoke[row["school_id"]][row["session"]] = row["category"]
    called: dict[tuple[UUID, date, UUID], dict[Any, Any]] = defaultdict(dict)
    for row in rolls:
        called[row["child_id"], row["school_day"], row["school_id"]][row["session"]] = "present"
    for (child, day, school), roll in called.items():
        heard = said[child, day]
        heard[school] = {**with_roll(heard[school], roll)}
    for child, day, school in mistaken:
        if school in said[child, day]:
            said[child, day][school] = {**of_mistaken_school(said[child, day][school])}
    attended = await enrolments.attended(tx, {child for child, _ in said}) if said else {}
    by_child: dict[UUID, dict[date, Slots]] = defaultdict(dict)
    for (child, day), schools in said.items():
        at = attended.get(child, ())
        by_child[child][day] = together(
            (attended_on(at, each, day), of_former_school(told) if left(at, each, day) else told)
            for each, told in schools.items()
        )
    return {
        child: absence(by_child[child], exceptions, returned_on=returned)
        for child, returned in returned_on.items()
    }
