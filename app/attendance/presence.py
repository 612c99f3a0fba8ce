"""名在人不在: a school said that a child was there, and it was seen elsewhere the same day. A
person of the school looks, and says what they found.
"""

from typing import Any, Final
from uuid import UUID

import asyncpg

from app.access.acts import Act
from app.access.principal import Principal
from app.attendance import schemas
from app.attendance.acts import PRESENCE_ACTS
from app.attendance.events import PresenceDoubted, PresenceVerified
from app.attendance.rules import THERE
from app.children.queries import visible_below
from app.core.data.db import Tx
from app.core.data.sql import Where
from app.core.http import paging
from app.core.ids import new_id
from app.core.jobs import events

# Of whom the batch said that they were there: every school that says so of the day, by a statement,
# or by a roll where it made none; and of these each that is not alone. OFFSET: a roll is looked up
# by its whole key; a join reads those of all days of the class.
_FIND: Final = """
WITH heard AS MATERIALIZED (
    SELECT home_county, child_id, school_day FROM attendance_slots
    WHERE batch_id = $1 AND category = ANY ($2::text[]) AND school_day <= $3
    UNION
    SELECT e.home_county, e.child_id, r.school_day FROM attendance_rolls r
    JOIN child_enrolments e ON e.school_id = r.agency_id AND e.class_key = r.class_key
        AND e.since <= r.school_day AND (e.until IS NULL OR e.until > r.school_day)
    WHERE r.batch_id = $1 AND r.school_day <= $3
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
            AND r.class_key = e.class_key AND r.school_day = h.school_day OFFSET 0
    ) AS r
    WHERE NOT EXISTS (
        SELECT FROM attendance_slots s
        WHERE s.home_county = h.home_county AND s.child_id = h.child_id
            AND s.school_day = h.school_day AND s.school_id = e.school_id
            AND s.category <> 'withdrawn' AND s.session IN ('whole_day', r.session))
)
SELECT DISTINCT ON (a.child_id, a.school_day, a.school_id) a.home_county, a.child_id, a.school_day,
    a.school_id, b.school_id AS seen_by_id
FROM there a JOIN there b USING (home_county, child_id, school_day)
WHERE a.school_id <> b.school_id
    AND (a.session = b.session OR 'whole_day' IN (a.session, b.session))
ORDER BY a.child_id, a.school_day, a.school_id, b.school_id
"""

_DOUBT: Final = """
INSERT INTO presence_doubts (id, home_county, child_id, region_code, pupil_of, school_id,
    school_day, seen_by_id, opened_at)
SELECT u.id, c.home_county, c.id, c.region_code, c.school_id, u.school_id, u.school_day,
    u.seen_by_id, $6::timestamptz
FROM UNNEST($1::uuid[], $2::uuid[], $3::date[], $4::uuid[], $5::uuid[])
    AS u (id, child_id, school_day, school_id, seen_by_id)
JOIN (SELECT * FROM children WHERE id = ANY ($2::uuid[]) ORDER BY id FOR SHARE) AS c
    ON c.id = u.child_id
ON CONFLICT (child_id, school_id, school_day, home_county) DO NOTHING
RETURNING id, home_county, child_id, region_code, school_id, school_day, seen_by_id
"""


async def look_elsewhere(tx: Tx, batch_id: UUID) -> None:
    """Doubt what schools say of children whom two of them saw on one day. For the worker; again, it
    changes nothing. One statement, two if there are any.
    """
    found = await tx.connection.fetch(_FIND, batch_id, sorted(THERE), tx.today)
    if not found:
        return
    names = ("child_id", "school_day", "school_id", "seen_by_id")
    columns = [[row[name] for row in found] for name in names]
    rows = await tx.connection.fetch(_DOUBT, [new_id() for _ in found], *columns, tx.now)
    doubts = [PresenceDoubted(**_about(row), seen_by_id=row["seen_by_id"]) for row in rows]
    await events.publish(tx, *doubts)


def _about(row: asyncpg.Record) -> dict[str, Any]:
    names = ("region_code", "home_county", "child_id", "school_id", "school_day")
    return {"subject_id": row["id"], **{name: row[name] for name in names}}


def _visible(principal: Principal) -> Where:
    where = visible_below(principal, "d")
    if principal.school_id is None:
        return where
    return where.or_else("d.school_id = {}", principal.school_id)  # an index each


async def find(
    tx: Tx, principal: Principal, doubt_id: UUID, *, lock: bool = False
) -> asyncpg.Record | None:
    """Find a doubt about a child the caller sees, or about what their own school said."""
    where = _visible(principal).add("d.id = {}", doubt_id)
    return await tx.connection.fetchrow(
        f"SELECT d.* FROM presence_doubts d WHERE {where}" + " FOR UPDATE OF d" * lock,
        *where.arguments,
    )


_NEWEST: Final = paging.Order({"d.id": UUID}, descending=True)


async def page(
    tx: Tx, principal: Principal, window: paging.Window, *, act: Act | None
) -> paging.Rows:
    """List doubts the caller sees, newest first. One statement."""
    where = _visible(principal)
    if act is not None:
        act.narrow(where, principal, tx.today, alias="d")
    return await paging.fetch(tx, "SELECT d.* FROM presence_doubts d", where, _NEWEST, window)


async def record_finding(
    tx: Tx, principal: Principal, doubt: asyncpg.Record, new: schemas.PresenceFindingCreate
) -> asyncpg.Record:
    """Keep, of a locked doubt, what a named person of the school found."""
    PRESENCE_ACTS["recordPresenceFinding"].require(principal, doubt, tx.today)
    sealed = tx.keyring.seal("presence_doubts.note_sealed", doubt["id"], new.note)
    row = await tx.connection.fetchrow(
        "UPDATE presence_doubts SET finding = $3, note_sealed = $4, found_by = $5, found_at = $6"
        " WHERE home_county = $1 AND id = $2 RETURNING *",
        doubt["home_county"],
        doubt["id"],
        new.finding,
        sealed,
        principal.subject,
        tx.now,
    )
    await events.publish(tx, PresenceVerified(**_about(doubt), finding=new.finding))
    return row
