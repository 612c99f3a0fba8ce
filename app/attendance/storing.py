"""Store events of pupils, each once, and let the newest set each session (I3, I6)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.attendance import rules
from app.attendance.dress import says_more
from app.attendance.receipts import Verdict
from app.attendance.schemas import Statement
from app.children import queries as children
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import of_child


@dataclass(slots=True)
class Entry:
    """An event that can be stored."""

    verdict: Verdict
    event: Statement
    child: children.ChildRef
    row_id: UUID
    content: bytes
    batch_id: UUID
    received_at: datetime

    @property
    def origin(self) -> tuple[str, str]:
        return (self.event.source, self.event.id)


def digest(child_id: UUID, event: Statement) -> bytes:
    """Digest what was understood of an event, to know it again in whatever dress."""
    return _digest(child_id, event, (event.as_sent and says_more(event.as_sent)) or None)


def digests(child_id: UUID, event: Statement) -> tuple[bytes, bytes]:
    """Digest what was understood, and all that was sent: so the release before knew it again."""
    return digest(child_id, event), _digest(child_id, event, event.as_sent)


def _digest(child_id: UUID, event: Statement, as_sent: Mapping[str, Any] | None) -> bytes:
    moment = event.time.astimezone(UTC)
    content = (event.school_day, event.session, event.category, event.reason, moment)
    aside = () if as_sent is None else (as_sent,)
    said = (str(child_id), *content, event.sequence, *aside)
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


def _compare(entry: Entry, stored: bytes | None) -> None:
    """Tell a repetition from a contradiction (I3)."""
    verdict = entry.verdict
    if stored in {entry.content, *digests(entry.child.id, entry.event)}:
        verdict.status, verdict.code = "duplicate", "duplicate"
        return
    contradicts(verdict)


def contradicts(verdict: Verdict) -> None:
    """Say that an event's id is taken by other content."""
    verdict.status, verdict.code = "conflict", "id_taken"
    detail = "An event of this source and id says something else. This one is kept beside it."
    verdict.refusal = verdict.incoming.error("id", "id_taken", detail)


_STORE: Final = """
WITH u AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::text::json) AS u (id uuid, home_county bigint,
        child_id uuid, region_code bigint, pupil_of uuid, source text, event_id text,
        content_sha256 bytea, school_day date, session text, category text, reason text,
        happened_at timestamptz, sequence int, doubt text, batch_id uuid, received_at timestamptz,
        as_sent_sealed bytea)
), new AS (
    INSERT INTO attendance_events (id, home_county, child_id, region_code, pupil_of, source,
        event_id, content_sha256, school_day, session, category, reason, happened_at, sequence,
        doubt, batch_id, received_at, as_sent_sealed, agency_id)
    SELECT u.*, $2::uuid FROM u
    WHERE NOT EXISTS (SELECT FROM attendance_events e WHERE e.agency_id = $2
                      AND e.source = u.source AND e.event_id = u.event_id OFFSET 0)
    ON CONFLICT (agency_id, source, event_id, home_county) DO NOTHING RETURNING *
), newest AS (
    SELECT DISTINCT ON (n.home_county, n.child_id, n.school_day, n.session) n.*, m.moment
    FROM new n CROSS JOIN LATERAL (SELECT CASE WHEN n.doubt = 'clock' THEN n.received_at
                                   ELSE least(n.happened_at, n.received_at) END AS moment) AS m
    WHERE n.school_day <= $5::date
    ORDER BY n.home_county, n.child_id, n.school_day, n.session,
        n.sequence DESC, m.moment DESC, n.id DESC
), believed AS (
    INSERT INTO attendance_slots (home_county, child_id, school_day, session, region_code, pupil_of,
        category, reason, sequence, happened_at, event_row_id, school_id, batch_id, updated_at)
    SELECT home_county, child_id, school_day, session, region_code, pupil_of, category, reason,
        sequence, moment, id, $2, $3::uuid, $4::timestamptz
    FROM newest
    ON CONFLICT (home_county, child_id, school_id, school_day, session) DO UPDATE SET
        category = EXCLUDED.category, reason = EXCLUDED.reason, sequence = EXCLUDED.sequence,
        happened_at = EXCLUDED.happened_at, event_row_id = EXCLUDED.event_row_id,
        batch_id = EXCLUDED.batch_id, updated_at = EXCLUDED.updated_at
    WHERE (EXCLUDED.sequence, EXCLUDED.happened_at)
        >= (attendance_slots.sequence, attendance_slots.happened_at)
    RETURNING event_row_id
)
SELECT u.id, new.id IS NOT NULL AS stored, b.event_row_id IS NOT NULL AS believed
FROM u LEFT JOIN new ON new.id = u.id LEFT JOIN believed b ON b.event_row_id = u.id
"""
# One text: to send each of 500 events in 18 arrays costs three times as much of this process, and a
# quarter more all in all. The key alone would let one origin name events on children of two
# counties; so would two batches that do not see each other, hence `_IN_TURN`. OFFSET here, LIMIT
# below: each event is looked up by its whole key. A join that was planned while the table was small
# reads all events of the agency.

_IN_TURN: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('events/' || $1 || '/' || source, 6))
FROM unnest($2::text[]) AS source
"""
_STORED_CONTENT: Final = """
SELECT stored.* FROM UNNEST($2::text[], $3::text[]) AS u (source, event_id)
CROSS JOIN LATERAL (
    SELECT e.source, e.event_id, e.content_sha256, e.child_id FROM attendance_events e
    WHERE e.agency_id = $1 AND e.source = u.source AND e.event_id = u.event_id
    ORDER BY e.received_at, e.home_county LIMIT 1
) AS stored
"""


async def stored_before(
    tx: Tx, agency_id: UUID, events: Sequence[Statement]
) -> dict[tuple[str, str], tuple[bytes, UUID]]:
    """Return, by (source, id), of events the agency pushed before what they said (`digest`) and of
    which child. One statement.
    """
    origins = [*{(event.source, event.id) for event in events}]
    rows = await tx.connection.fetch(_STORED_CONTENT, agency_id, *_columns(origins))
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


class Stored(NamedTuple):
    """Of some entries those that are `new`, and of these those that are `believed` of a session."""

    new: list[Entry]
    believed: list[Entry]


async def store(tx: Tx, agency_id: UUID, entries: Sequence[Entry], *, set_by: UUID) -> Stored:
    """Insert what is new and let the newest of it set each session (I6), by `set_by`: one
    statement, and one before it, by which what names one origin takes turns. The rest learns what
    is stored under its id: one more.
    """
    firsts: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        firsts.setdefault(entry.origin, entry)
    if not firsts:
        return Stored([], [])
    await tx.connection.execute(_IN_TURN, f"{agency_id}", sorted({source for source, _ in firsts}))
    ordered = [firsts[origin] for origin in sorted(firsts)]  # two batches never deadlock
    await keys.load(tx, [of_child(each.child.id) for each in ordered if each.event.as_sent])
    rows = orjson.dumps([_row(tx, entry) for entry in ordered], default=str).decode()
    last = tx.today + rules.FURTHEST
    told = await tx.connection.fetch(_STORE, rows, agency_id, set_by, tx.now, last)
    new = {row["id"] for row in told if row["stored"]}
    believed = {row["id"] for row in told if row["believed"]}
    fresh = [entry for entry in ordered if entry.row_id in new]
    stored = {entry.origin: entry.content for entry in fresh}
    if known := [entry.origin for entry in ordered if entry.row_id not in new]:
        before = await tx.connection.fetch(_STORED_CONTENT, agency_id, *_columns(known))
        stored |= {(row["source"], row["event_id"]): row["content_sha256"] for row in before}
    for entry in entries:
        if entry.row_id in believed:
            entry.verdict.code = "applied"
        elif entry.row_id not in new:
            _compare(entry, stored.get(entry.origin))
        elif entry.event.school_day > last:
            entry.verdict.code = "too_far_ahead"
    return Stored(fresh, [entry for entry in fresh if entry.row_id in believed])


def _row(tx: Tx, entry: Entry) -> dict[str, Any]:
    event, child = entry.event, entry.child
    aside = event.as_sent and orjson.dumps(event.as_sent)
    place, of = "attendance_events.as_sent_sealed", of_child(child.id)
    sealed = aside and tx.keyring.seal(place, entry.row_id, aside, of)
    return {
        "id": entry.row_id,
        "home_county": child.home_county,
        "child_id": child.id,
        "region_code": child.region_code,
        "pupil_of": child.school_id,
        "source": event.source,
        "event_id": event.id,
        "content_sha256": _hex(entry.content),
        "school_day": event.school_day,
        "session": event.session,
        "category": event.category,
        "reason": event.reason,
        "happened_at": event.time,
        "sequence": event.sequence,
        "doubt": entry.verdict.doubt,
        "batch_id": entry.batch_id,
        "received_at": entry.received_at,
        "as_sent_sealed": sealed and _hex(sealed),
    }


def _hex(said: bytes) -> str:
    """Write bytes as PostgreSQL reads them."""
    return f"\\x{said.hex()}"


def _columns(rows: Any) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


_TAKE_AWAY: Final = """
DELETE FROM attendance_events e
USING UNNEST($3::text[], $4::text[], $5::bytea[]) AS u (source, event_id, content)
WHERE e.agency_id = $1 AND e.child_id = $2 AND e.source = u.source AND e.event_id = u.event_id
  AND e.content_sha256 = u.content
RETURNING e.source, e.event_id, e.id
"""

# What else was said of the session, as `store` would have it; or nothing.
_BELIEVE_LESS: Final = """
UPDATE attendance_slots s SET category = coalesce(n.category, 'withdrawn'), reason = n.reason,
    sequence = coalesce(n.sequence, 0), happened_at = coalesce(n.moment, to_timestamp(0)),
    event_row_id = coalesce(n.id, s.event_row_id), batch_id = $3, updated_at = $4
FROM attendance_slots gone LEFT JOIN LATERAL (
    SELECT e.id, e.category, e.reason, e.sequence, m.moment FROM attendance_events e
    CROSS JOIN LATERAL (SELECT CASE WHEN e.doubt = 'clock' THEN e.received_at
                               ELSE least(e.happened_at, e.received_at) END AS moment) AS m
    WHERE e.child_id = gone.child_id AND e.school_day = gone.school_day
      AND e.home_county = gone.home_county AND e.agency_id = gone.school_id
      AND e.session = gone.session
    ORDER BY e.sequence DESC, m.moment DESC, e.id DESC LIMIT 1
) AS n ON true
WHERE gone.child_id = $1 AND gone.event_row_id = ANY ($2::uuid[])
  AND (s.home_county, s.child_id, s.school_id, s.school_day, s.session)
    = (gone.home_county, gone.child_id, gone.school_id, gone.school_day, gone.session)
"""


async def take_away(
    tx: Tx, agency_id: UUID, child_id: UUID, batch_id: UUID, said: Sequence[Statement]
) -> tuple[set[tuple[str, str]], int]:
    """Take events away from a child whom they were not about, if they are stored with it: its
    sessions are what the others say, or nothing. Returns which were there, by (source, id), and how
    many sessions changed. Two statements.
    """
    rows = await tx.connection.fetch(
        _TAKE_AWAY,
        agency_id,
        child_id,
        *_columns(
            (each.source, each.id, content)
            for each in said
            for content in {*digests(child_id, each)}
        ),
    )
    done = await tx.connection.execute(
        _BELIEVE_LESS, child_id, [row["id"] for row in rows], batch_id, tx.now
    )
    return {(row["source"], row["event_id"]) for row in rows}, int(done.removeprefix("UPDATE "))
