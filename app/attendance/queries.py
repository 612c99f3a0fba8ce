"""Reads of attendance."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from app.access.principal import Principal
from app.attendance.holidays import nearest
from app.attendance.rules import Absence, absence
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.regions.rules import lineage

_EVENTS = """
SELECT e.id AS event_ref, e.child_id, e.agency_id AS school_id, e.batch_id, e.source,
    e.event_id AS id, e.school_day, e.session, e.category, e.reason, e.happened_at AS time,
    e.sequence, e.received_at, s.event_row_id IS NOT NULL AS in_force
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


async def batch_answer(tx: Tx, principal: Principal, batch_id: UUID) -> bytes | None:
    """Find what was answered to a batch of the caller's own agency (`schemas.BatchReceipt`)."""
    answer: bytes | None = await tx.connection.fetchval(
        "SELECT answer FROM attendance_batches WHERE id = $1 AND agency_id = $2",
        batch_id,
        principal.agency_id,
    )
    return answer


_ABSENT = """
SELECT DISTINCT b.child_id FROM attendance_slots b WHERE b.batch_id = $1 AND EXISTS (
    SELECT 1 FROM attendance_slots s
    WHERE s.home_county = b.home_county AND s.child_id = b.child_id
        AND s.school_id = b.school_id AND s.school_day >= $2 AND s.category = 'unexcused')
"""


async def absent_in_batch(tx: Tx, batch_id: UUID, *, since: date) -> set[UUID]:
    """Find whose sessions a batch set last who missed a day without leave since a day."""
    rows = await tx.connection.fetch(_ABSENT, batch_id, since)
    return {row["child_id"] for row in rows}


_SLOTS = """
SELECT child_id, school_day, session, category FROM attendance_slots
WHERE school_id = $1 AND child_id = ANY ($2::uuid[]) AND school_day >= $3 AND school_day <= $4
"""

_CALENDAR = """
SELECT CASE WHEN agency_id IS NOT NULL THEN -1 ELSE array_position($2::bigint[], region_code) END
    AS rank, day, is_school_day
FROM school_calendar_days
WHERE day >= $3 AND day <= $4
    AND (agency_id = $1 OR (agency_id IS NULL AND region_code = ANY ($2::bigint[])))
"""


async def absences(
    tx: Tx, *, school_id: UUID, region_code: int, children: Sequence[UUID], since: date, today: date
) -> dict[UUID, Absence]:
    """Count, for pupils of one school, the school days missed without leave since a day.

    `region_code`: where the school stands. Two statements for any number of children.
    """
    slots = await tx.connection.fetch(_SLOTS, school_id, list(children), since, today)
    places = list(lineage(region_code))
    calendar = await tx.connection.fetch(_CALENDAR, school_id, places, since, today)
    exceptions = nearest(tuple(row) for row in calendar)
    by_child: dict[UUID, dict[date, dict[Any, Any]]] = defaultdict(lambda: defaultdict(dict))
    for row in slots:
        by_child[row["child_id"]][row["school_day"]][row["session"]] = row["category"]
    return {child: absence(by_child[child], exceptions) for child in children}
