"""Store events of pupils, each once, and let the newest set each session (I3, I6)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.attendance import rules
from app.attendance.dress import says_more
from app.attendance.receipts import Verdict
from app.attendance.schemas import Statement
from app.children import queries as children
from app.core.data.db import Tx


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
    moment: datetime
    """When it was said, as far as it can be believed: never later than it was received."""

    @property
    def origin(self) -> tuple[str, str]:
        return (self.event.source, self.event.id)


def digest(child_id: UUID, event: Statement) -> bytes:
    """Digest what was understood of an event, to know it again in whatever dress."""
    return _digest(child_id, event, says_more(event.as_sent) or None)


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


_INSERT_EVENTS: Final = """
INSERT INTO attendance_events (id, home_county, child_id, region_code, pupil_of, source, event_id,
    content_sha256, school_day, session, category, reason, happened_at, sequence, doubt, batch_id,
    received_at, as_sent_sealed, agency_id)
SELECT u.*, $19::uuid
FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
    $8::bytea[], $9::date[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],
    $14::int[], $15::text[], $16::uuid[], $17::timestamptz[], $18::bytea[])
    AS u (id, home_county, child_id, region_code, pupil_of, source, event_id)
WHERE NOT EXISTS (SELECT FROM attendance_events e WHERE e.agency_id = $19
                  AND e.source = u.source AND e.event_id = u.event_id OFFSET 0)
ON CONFLICT (agency_id, source, event_id, home_county) DO NOTHING RETURNING id
"""
# The key alone would let one origin name events on children of two counties. OFFSET here, LIMIT
# below: each event is looked up by its whole key. A join that was planned while the table was small
# reads all events of the agency.

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


async def store(tx: Tx, agency_id: UUID, entries: Sequence[Entry]) -> list[Entry]:
    """Insert what is new and return it; the rest learns what is stored under its id."""
    firsts: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        firsts.setdefault(entry.origin, entry)
    if not firsts:
        return []
    ordered = sorted(firsts.values(), key=lambda entry: entry.origin)  # two batches never deadlock
    inserted = await tx.connection.fetch(
        _INSERT_EVENTS, *_columns(_row(tx, entry) for entry in ordered), agency_id
    )
    new = {row["id"] for row in inserted}
    fresh = [entry for entry in ordered if entry.row_id in new]
    stored = {entry.origin: entry.content for entry in fresh}
    if known := [entry.origin for entry in ordered if entry.row_id not in new]:
        rows = await tx.connection.fetch(_STORED_CONTENT, agency_id, *_columns(known))
        stored |= {(row["source"], row["event_id"]): row["content_sha256"] for row in rows}
    for entry in entries:
        if entry.row_id not in new:
            _compare(entry, stored.get(entry.origin))
    return fresh


def _row(tx: Tx, entry: Entry) -> tuple[Any, ...]:
    event, child = entry.event, entry.child
    aside = event.as_sent and orjson.dumps(event.as_sent)
    return (
        entry.row_id,
        child.home_county,
        child.id,
        child.region_code,
        child.school_id,
        event.source,
        event.id,
        entry.content,
        event.school_day,
        event.session,
        event.category,
        event.reason,
        event.time,
        event.sequence,
        entry.verdict.doubt,
        entry.batch_id,
        entry.received_at,
        aside and tx.keyring.seal("attendance_events.as_sent_sealed", entry.row_id, aside),
    )


def _columns(rows: Any) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


_UPSERT_SLOTS: Final = """
INSERT INTO attendance_slots (home_county, child_id, school_day, session, region_code, pupil_of,
    category, reason, sequence, happened_at, event_row_id, school_id, batch_id, updated_at)
SELECT u.*, $12::uuid, $13::uuid, $14::timestamptz
FROM UNNEST($1::bigint[], $2::uuid[], $3::date[], $4::text[], $5::bigint[], $6::uuid[], $7::text[],
    $8::text[], $9::int[], $10::timestamptz[], $11::uuid[]) AS u
ON CONFLICT (home_county, child_id, school_id, school_day, session) DO UPDATE SET
    category = EXCLUDED.category, reason = EXCLUDED.reason, sequence = EXCLUDED.sequence,
    happened_at = EXCLUDED.happened_at, event_row_id = EXCLUDED.event_row_id,
    batch_id = EXCLUDED.batch_id, updated_at = EXCLUDED.updated_at
WHERE (EXCLUDED.sequence, EXCLUDED.happened_at)
    >= (attendance_slots.sequence, attendance_slots.happened_at)
RETURNING event_row_id
"""


async def set_slots(tx: Tx, agency_id: UUID, batch_id: UUID, fresh: Sequence[Entry]) -> list[Entry]:
    """Let the newest event set each session (I6) and return the events that did."""
    newest: dict[tuple[Any, ...], Entry] = {}
    for entry in sorted(fresh, key=lambda e: (e.event.sequence, e.moment, e.row_id)):
        child, event = entry.child, entry.event
        if event.school_day > tx.today + rules.FURTHEST:
            entry.verdict.code = "too_far_ahead"
            continue
        newest[child.home_county, child.id, event.school_day, event.session] = entry
    if not newest:
        return []
    rows = await tx.connection.fetch(
        _UPSERT_SLOTS,
        *_columns(
            (*slot, *_slot(entry))
            for slot, entry in sorted(newest.items(), key=lambda item: item[0])
        ),
        agency_id,
        batch_id,
        tx.now,
    )
    applied = {row["event_row_id"] for row in rows}
    changed = [entry for entry in newest.values() if entry.row_id in applied]
    for entry in changed:
        entry.verdict.code = "applied"
    return changed


_TAKE_AWAY: Final = """
DELETE FROM attendance_events e
USING UNNEST($3::text[], $4::text[], $5::bytea[]) AS u (source, event_id, content)
WHERE e.agency_id = $1 AND e.child_id = $2 AND e.source = u.source AND e.event_id = u.event_id
  AND e.content_sha256 = u.content
RETURNING e.source, e.event_id, e.id
"""

# What else was said of the session, as `set_slots` would have it; or nothing.
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


def _slot(entry: Entry) -> tuple[Any, ...]:
    child, event = entry.child, entry.event
    return (
        child.region_code,
        child.school_id,
        event.category,
        event.reason,
        event.sequence,
        entry.moment,
        entry.row_id,
    )
