"""A class called in full: whoever of it nothing else was said of was there (EDU-01)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from uuid import UUID

import orjson

from app.access import queries as access
from app.access.principal import Principal, acting_on
from app.attendance.area import WRITE
from app.attendance.dress import class_says_more, class_unread
from app.attendance.schemas import ResultStatus, Roll
from app.children.enrolments import class_key
from app.core.data.db import Tx
from app.core.ids import new_id

# A statement about the whole session silences the roll of it, two halves a roll of the day.
_INSERT: Final = """
WITH called AS MATERIALIZED (
    SELECT u.*, about.pupils, about.spoke_for, about.listed
    FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[],
        $7::date[], $8::text[], $9::timestamptz[], $10::text[], $14::text[], $15::int[],
        $16::bytea[], $17::boolean[])
        AS u (id, source, event_id, content_sha256, class_name, class_key, school_day, session,
              happened_at, doubt, category, sequence, as_sent_sealed, says_more)
    CROSS JOIN LATERAL (
        SELECT count(*) AS pupils, count(*) FILTER (WHERE u.category = 'roll' AND (
            SELECT 2 * count(*) FILTER (WHERE s.session IN ('whole_day', u.session)) + count(*)
            FROM attendance_slots s
            WHERE s.home_county = e.home_county AND s.child_id = e.child_id
                AND s.school_id = e.school_id AND s.school_day = u.school_day
                AND s.category <> 'withdrawn') < 2) AS spoke_for,
            coalesce(array_agg(e.child_id), '{}') AS listed
        FROM child_enrolments e
        WHERE e.school_id = $11 AND e.class_key = u.class_key AND e.since <= u.school_day
            AND (e.until IS NULL OR e.until > u.school_day) AND NOT u.says_more
    ) AS about
), stored AS (
    INSERT INTO attendance_rolls (id, source, event_id, content_sha256, class_name, class_key,
        school_day, session, happened_at, doubt, category, sequence, as_sent_sealed, pupils,
        spoke_for, listed, agency_id, batch_id, received_at)
    SELECT id, source, event_id, content_sha256, class_name, class_key, school_day, session,
        happened_at, doubt, category, sequence, as_sent_sealed, pupils, spoke_for, listed,
        $11::uuid, $12::uuid, $13::timestamptz FROM called
    ON CONFLICT (agency_id, source, event_id) DO NOTHING RETURNING id
)
SELECT called.id, called.pupils, called.spoke_for FROM called JOIN stored USING (id)
"""

_STORED: Final = """
SELECT r.source, r.event_id, r.content_sha256, r.pupils, r.spoke_for
FROM UNNEST($2::text[], $3::text[]) AS u (source, event_id)
CROSS JOIN LATERAL (
    SELECT * FROM attendance_rolls r
    WHERE r.agency_id = $1 AND r.source = u.source AND r.event_id = u.event_id LIMIT 1
) AS r
"""


@dataclass(frozen=True, slots=True)
class Called:
    """What became of a roll: for how many pupils it spoke when it was received."""

    status: ResultStatus
    code: str
    spoke_for: int | None


async def schools_of(tx: Tx, principal: Principal, rolls: Sequence[Roll]) -> list[Principal | None]:
    """Say in which post a caller calls each class: the one held on its day, since a class belongs
    to its school, and another may have one of that name. None: they held none at a school then. One
    statement, or none.
    """
    if not rolls:
        return []
    posts = await access.postings(tx, principal, WRITE.code)
    held = {
        day: any(post.held_on(day) for post in posts) for day in {roll.school_day for roll in rolls}
    }
    return [
        acting_on(posts, principal, roll.school_day) if held[roll.school_day] else None
        for roll in rolls
    ]


async def call(
    tx: Tx, principal: Principal, batch_id: UUID, rolls: Sequence[tuple[Roll, str | None]]
) -> list[Called]:
    """Store rolls of one school, each with the doubt about its time, after the statements of their
    batch. One statement, two if some were sent before.
    """
    firsts: dict[tuple[str, str], tuple[UUID, Roll, str | None]] = {}
    for roll, doubt in rolls:
        firsts.setdefault((roll.source, roll.id), (new_id(), roll, doubt))
    ordered = [firsts[origin] for origin in sorted(firsts)]
    columns = [list(column) for column in zip(*(_row(tx, each) for each in ordered), strict=True)]
    batch = (principal.agency_id, batch_id, tx.now)
    inserted = await tx.connection.fetch(_INSERT, *columns[:10], *batch, *columns[10:])
    new = {row["id"]: (row["pupils"], row["spoke_for"]) for row in inserted}
    stored = {
        origin: (_digest(roll), *new[row_id])
        for origin, (row_id, roll, _) in firsts.items()
        if row_id in new
    }
    if known := [origin for origin in firsts if origin not in stored]:
        names = [list(column) for column in zip(*known, strict=True)]
        for row in await tx.connection.fetch(_STORED, principal.agency_id, *names):
            source, event_id, *kept = tuple(row)
            stored[source, event_id] = (kept[0], kept[1], kept[2])
    fresh = {origin for origin, (row_id, *_) in firsts.items() if row_id in new}
    outcomes = []
    for roll, _ in rolls:
        origin = (roll.source, roll.id)
        content, pupils, spoke_for = stored[origin]
        if content not in {_digest(roll), _digest(roll, class_unread(roll.as_sent))}:
            outcomes.append(Called("conflict", "id_taken", None))
        elif origin in fresh:
            fresh.discard(origin)  # told again in the same batch, it is a repetition
            code = "applied" if pupils else "class_unknown"
            code = "says_more" if class_says_more(roll.as_sent) else code
            outcomes.append(Called("accepted", code, spoke_for))
        else:
            outcomes.append(Called("duplicate", "duplicate", spoke_for))
    return outcomes


def _row(tx: Tx, called: tuple[UUID, Roll, str | None]) -> tuple[Any, ...]:
    row_id, roll, doubt = called
    aside = roll.as_sent and orjson.dumps(roll.as_sent)
    return (
        row_id,
        roll.source,
        roll.id,
        _digest(roll),
        roll.class_name,
        class_key(roll.class_name),
        roll.school_day,
        roll.session,
        roll.time,
        doubt,
        roll.category,
        roll.sequence,
        aside and tx.keyring.seal("attendance_rolls.as_sent_sealed", row_id, aside),
        bool(class_says_more(roll.as_sent)),
    )


def _digest(roll: Roll, unread: dict[str, Any] | None = None) -> bytes:
    """Digest what was understood. `unread`: what the release before took for saying more."""
    content = (class_key(roll.class_name), roll.school_day, roll.session, roll.time.astimezone(UTC))
    more = (roll.category, roll.sequence)
    known = content if more == ("roll", 0) else (*content, *more)  # as they were digested before
    if beside := class_says_more(roll.as_sent) if unread is None else unread:
        known = (*known, beside)
    return hashlib.sha256(orjson.dumps(known, option=orjson.OPT_SORT_KEYS)).digest()
