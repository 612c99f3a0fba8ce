"""Take in what schools push: every event once, each judged by itself, in a fixed number of
statements however many events there are (I2–I6, EDU-01).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.attendance import schemas, unknown_pupils
from app.attendance.events import AbsencesRecorded
from app.attendance.schemas import (
    AttendanceEvent,
    Incoming,
    ResultStatus,
    StudentById,
    StudentByNumber,
)
from app.children import queries as children
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events
from app.core.problems import FieldError, Problem
from app.regions.rules import county_of
from app.unresolved.operations.holding import Kept

_Found = dict[Any, children.ChildRef]
"""Children by id, and by (system, number)."""


class BatchRefused(Problem, status=422, denies=True):
    """`Prefer: handling=strict` and an event cannot be stored: nothing was."""

    title = "An event of the batch cannot be stored, so none was"
    title_zh = "批次中有事件无法保存,因此全部未保存"


@dataclass(slots=True)
class _Verdict:
    """What becomes of one event."""

    incoming: Incoming
    status: ResultStatus
    code: str
    refusal: FieldError | None = None


@dataclass(slots=True)
class _Entry:
    """An event that can be stored."""

    verdict: _Verdict
    event: AttendanceEvent
    child: children.ChildRef
    row_id: UUID
    content: bytes
    batch_id: UUID
    received_at: datetime

    @property
    def origin(self) -> tuple[str, str]:
        return (self.event.source, self.event.id)


class Pushed(NamedTuple):
    """What became of a batch. `answer`: its receipt (`schemas.BatchReceipt`, JSON).

    `children`: whom events were taken of, the earliest on the day `since`. `strangers`: some named
    no pupil of the caller's.
    """

    batch_id: UUID
    answer: bytes
    children: set[UUID]
    since: date | None
    strangers: bool


async def push_attendance_events(
    tx: Tx, principal: Principal, incoming: Sequence[Incoming], *, strict: bool
) -> Pushed:
    """Store a batch of at least one event.

    Publishes one AbsencesRecorded if it changed what is believed of any session. Raises
    BatchRefused if `strict` and any event is rejected or in conflict.
    """
    batch_id = new_id()
    found = await _find_children(tx, principal, incoming)
    entries: list[_Entry] = []
    verdicts = [_judge(tx, batch_id, one, found, entries) for one in incoming]
    await _hold(tx, principal, batch_id, verdicts)
    fresh = await _store(tx, principal, entries)
    changed = await _set_slots(tx, principal, batch_id, fresh)
    refusals = [verdict.refusal for verdict in verdicts if verdict.refusal is not None]
    if strict and refusals:
        known = {entry.child.id for entry in entries}
        raise BatchRefused(errors=refusals, children=sorted(known))
    answer = _receipt(batch_id, verdicts)
    await _keep_batch(tx, principal, batch_id, answer, fresh)
    await _announce(tx, principal, batch_id, changed)
    return Pushed(
        batch_id,
        answer,
        {entry.child.id for entry in entries},
        min((entry.event.school_day for entry in entries), default=None),
        any(verdict.code == "child_not_found" for verdict in verdicts),
    )


async def _announce(
    tx: Tx, principal: Principal, batch_id: UUID, changed: Sequence[_Entry]
) -> None:
    if changed:
        await events.publish(
            tx,
            AbsencesRecorded(
                subject_id=batch_id,
                region_code=principal.region_code,
                home_county=county_of(principal.region_code),
                school_id=principal.agency_id,
                changed=len(changed),
                unexcused=sum(entry.event.category == "unexcused" for entry in changed),
                told_to=(principal.agency_id,),
            ),
        )


async def store_held(
    tx: Tx,
    sender: Principal,
    child: children.ChildRef,
    kept: Sequence[tuple[AttendanceEvent, UUID, datetime]],
) -> None:
    """Store events that waited until it was known which pupil they are about, each with the batch
    that brought it and when that was. In SYSTEM's reach; a fixed number of statements.
    """
    entries = []
    for event, batch_id, received_at in kept:
        verdict = _Verdict(Incoming("#", event.source, event.id, event), "accepted", "superseded")
        content = _digest(child, event)
        entries.append(_Entry(verdict, event, child, new_id(), content, batch_id, received_at))
    fresh = await _store(tx, sender, entries)
    set_by = new_id()  # the sessions were set now, by no batch
    await _announce(tx, sender, set_by, await _set_slots(tx, sender, set_by, fresh))


async def _find_children(tx: Tx, principal: Principal, incoming: Sequence[Incoming]) -> _Found:
    students = [one.event.student for one in incoming if isinstance(one.event, AttendanceEvent)]
    ids = {s.child_id for s in students if isinstance(s, StudentById)}
    numbers = {(s.system, s.number) for s in students if isinstance(s, StudentByNumber)}
    found: _Found = {}
    if ids:
        found |= await children.find_many(tx, principal, list(ids))
    if numbers:
        found |= await children.resolve_external(tx, principal, list(numbers))
    return found


def _judge(tx: Tx, batch_id: UUID, one: Incoming, found: _Found, entries: list[_Entry]) -> _Verdict:
    """Say what becomes of an event; if it can be stored, add it to `entries`."""
    if isinstance(one.event, FieldError):
        return _rejected(one, one.event)
    student = one.event.student
    child = found.get(
        student.child_id if isinstance(student, StudentById) else (student.system, student.number)
    )
    refusal = schemas.bad_time(one, one.event, today=tx.today, now=tx.now)
    if refusal is not None:
        return _rejected(one, refusal)
    if child is None:
        detail = "No pupil of your school goes by this."
        unknown = one.error("student", "child_not_found", detail)
        return _Verdict(one, "unresolved", unknown.code, unknown)
    verdict = _Verdict(one, "accepted", "superseded")
    content = _digest(child, one.event)
    entries.append(_Entry(verdict, one.event, child, new_id(), content, batch_id, tx.now))
    return verdict


async def _hold(tx: Tx, principal: Principal, batch_id: UUID, verdicts: list[_Verdict]) -> None:
    """Keep what is about nobody the school has; beyond its share of the queue it is rejected."""
    unknown = [
        (verdict, verdict.incoming.event)
        for verdict in verdicts
        if verdict.status == "unresolved" and isinstance(verdict.incoming.event, AttendanceEvent)
    ]
    pushed = [event for _, event in unknown]
    held = await unknown_pupils.hold(tx, principal, batch_id, pushed)
    for verdict, event in unknown:
        kept = held[event.source, event.id]
        if kept is Kept.differs:
            _contradicts(verdict)
        elif kept is Kept.full:
            verdict.status = "rejected"


def _digest(child: children.ChildRef, event: AttendanceEvent) -> bytes:
    moment = event.time.astimezone(UTC)
    content = (event.school_day, event.session, event.category, event.reason, moment)
    return hashlib.sha256(orjson.dumps((str(child.id), *content, event.sequence))).digest()


def _rejected(one: Incoming, refusal: FieldError) -> _Verdict:
    return _Verdict(one, "rejected", refusal.code, refusal)


def _compare(entry: _Entry, stored: bytes | None) -> None:
    """Tell a repetition from a contradiction (I3)."""
    verdict = entry.verdict
    if stored == entry.content:
        verdict.status, verdict.code = "duplicate", "duplicate"
        return
    _contradicts(verdict)


def _contradicts(verdict: _Verdict) -> None:
    detail = "An event of this source and id was stored with other content."
    verdict.status, verdict.code = "conflict", "id_taken"
    verdict.refusal = verdict.incoming.error("id", "id_taken", detail)


_INSERT_EVENTS: Final = """
INSERT INTO attendance_events (id, home_county, child_id, region_code, pupil_of, source, event_id,
    content_sha256, school_day, session, category, reason, happened_at, sequence, agency_id,
    batch_id, received_at)
SELECT u.*
FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
    $8::bytea[], $9::date[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],
    $14::int[], $15::uuid[], $16::uuid[], $17::timestamptz[])
    AS u (id, home_county, child_id, region_code, pupil_of, source, event_id)
WHERE NOT EXISTS (SELECT FROM attendance_events e WHERE e.agency_id = $18
                  AND e.source = u.source AND e.event_id = u.event_id OFFSET 0)
ON CONFLICT (agency_id, source, event_id, home_county) DO NOTHING RETURNING id
"""
# The key alone would let one origin name events on children of two counties. OFFSET here, LIMIT
# below: each event is looked up by its whole key. A join that was planned while the table was small
# reads all events of the agency.

_STORED_CONTENT: Final = """
SELECT stored.* FROM UNNEST($2::text[], $3::text[]) AS u (source, event_id)
CROSS JOIN LATERAL (
    SELECT e.source, e.event_id, e.content_sha256 FROM attendance_events e
    WHERE e.agency_id = $1 AND e.source = u.source AND e.event_id = u.event_id
    ORDER BY e.received_at, e.home_county LIMIT 1
) AS stored
"""


async def _store(tx: Tx, principal: Principal, entries: Sequence[_Entry]) -> list[_Entry]:
    """Insert what is new and return it; the rest learns what is stored under its id."""
    firsts: dict[tuple[str, str], _Entry] = {}
    for entry in entries:
        firsts.setdefault(entry.origin, entry)
    if not firsts:
        return []
    ordered = sorted(firsts.values(), key=lambda entry: entry.origin)  # two batches never deadlock
    columns = _columns(
        (*_row(one), principal.agency_id, one.batch_id, one.received_at) for one in ordered
    )
    inserted = await tx.connection.fetch(_INSERT_EVENTS, *columns, principal.agency_id)
    new = {row["id"] for row in inserted}
    fresh = [entry for entry in ordered if entry.row_id in new]
    stored = {entry.origin: entry.content for entry in fresh}
    if known := [entry.origin for entry in ordered if entry.row_id not in new]:
        rows = await tx.connection.fetch(_STORED_CONTENT, principal.agency_id, *_columns(known))
        stored |= {(row["source"], row["event_id"]): row["content_sha256"] for row in rows}
    for entry in entries:
        if entry.row_id not in new:
            _compare(entry, stored.get(entry.origin))
    return fresh


def _row(entry: _Entry) -> tuple[Any, ...]:
    event, child = entry.event, entry.child
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


async def _set_slots(
    tx: Tx, principal: Principal, batch_id: UUID, fresh: Sequence[_Entry]
) -> list[_Entry]:
    """Let the newest event set each session (I6) and return the events that did."""
    newest: dict[tuple[Any, ...], _Entry] = {}
    for entry in sorted(fresh, key=lambda e: (e.event.sequence, e.event.time, e.row_id)):
        child, event = entry.child, entry.event
        newest[child.home_county, child.id, event.school_day, event.session] = entry
    if not newest:
        return []
    rows = await tx.connection.fetch(
        _UPSERT_SLOTS,
        *_columns(
            (*slot, *_slot(entry))
            for slot, entry in sorted(newest.items(), key=lambda item: item[0])
        ),
        principal.agency_id,
        batch_id,
        tx.now,
    )
    applied = {row["event_row_id"] for row in rows}
    changed = [entry for entry in newest.values() if entry.row_id in applied]
    for entry in changed:
        entry.verdict.code = "applied"
    return changed


def _slot(entry: _Entry) -> tuple[Any, ...]:
    child, event = entry.child, entry.event
    return (
        child.region_code,
        child.school_id,
        event.category,
        event.reason,
        event.sequence,
        event.time,
        entry.row_id,
    )


def _receipt(batch_id: UUID, verdicts: Sequence[_Verdict]) -> bytes:
    return orjson.dumps(
        {
            "batch_id": batch_id,
            "results": [
                {
                    "index": index,
                    "source": verdict.incoming.source,
                    "id": verdict.incoming.id,
                    "status": verdict.status,
                    "code": verdict.code,
                    "detail": verdict.refusal.detail if verdict.refusal else None,
                    "pointer": verdict.refusal.pointer if verdict.refusal else None,
                }
                for index, verdict in enumerate(verdicts)
            ],
        }
    )


_KEEP_BATCH: Final = """
WITH reported AS (
    INSERT INTO attendance_days (agency_id, school_day, first_reported_at)
    SELECT $2::uuid, day, $5::timestamptz FROM UNNEST($6::date[]) AS day ON CONFLICT DO NOTHING
)
INSERT INTO attendance_batches (id, agency_id, caller, answer, received_at)
VALUES ($1, $2, $3, $4, $5)
"""


async def _keep_batch(
    tx: Tx, principal: Principal, batch_id: UUID, answer: bytes, fresh: Sequence[_Entry]
) -> None:
    days = {entry.event.school_day for entry in fresh if entry.event.school_day <= tx.today}
    await tx.connection.execute(
        _KEEP_BATCH, batch_id, principal.agency_id, principal.subject, answer, tx.now, sorted(days)
    )
