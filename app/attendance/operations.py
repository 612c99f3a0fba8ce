"""Take in what schools push: every event once, each judged by itself, in a fixed number of
statements however many events there are (I2–I6, EDU-01).
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.attendance import receipts, rolls, rules
from app.attendance.events import AbsencesRecorded
from app.attendance.receipts import Verdict
from app.attendance.schemas import (
    Incoming,
    Roll,
    Statement,
    StudentById,
    StudentByNumber,
)
from app.children import enrolments
from app.children import queries as children
from app.core.clock import CHINA
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events, queue
from app.core.problems import FieldError, Problem
from app.regions.rules import county_of

_Found = dict[Any, children.ChildRef]
"""Children by id, and by (system, number); those who have left the school since by that and the
day.
"""


class BatchRefused(Problem, status=422, denies=True):
    """`Prefer: handling=strict` and an event cannot be stored: nothing was."""

    title = "An event of the batch cannot be stored, so none was"
    title_zh = "批次中有事件无法保存,因此全部未保存"


@dataclass(slots=True)
class _Entry:
    """An event that can be stored."""

    verdict: Verdict
    event: Statement
    child: children.ChildRef
    row_id: UUID
    content: bytes
    moment: datetime
    """When it was said, as far as it can be believed: never later than it was received."""

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
    verdicts = [_judge(tx, one, found, entries) for one in incoming]
    left = any(entry.child.school_id != principal.agency_id for entry in entries)
    async with tx.as_system() if left else nullcontext():  # their rows are another school's to see
        fresh = await _store(tx, principal, batch_id, entries)
        changed = await _set_slots(tx, principal, batch_id, fresh)
    called = await _call(tx, principal, batch_id, verdicts)
    refusals = [verdict.refusal for verdict in verdicts if verdict.refusal is not None]
    if strict and refusals:
        known = {entry.child.id for entry in entries}
        raise BatchRefused(errors=refusals, children=sorted(known))
    answer = receipts.receipt(batch_id, verdicts)
    days = {entry.event.school_day for entry in fresh} | {roll.school_day for roll in called}
    await receipts.keep(tx, principal, batch_id, answer, days)
    if changed or called:
        recorded = AbsencesRecorded(
            subject_id=batch_id,
            region_code=principal.region_code,
            home_county=county_of(principal.region_code),
            school_id=principal.agency_id,
            changed=len(changed) + len(called),
            unexcused=sum(entry.event.category == "unexcused" for entry in changed),
            told_to=(principal.agency_id,),
        )
        await events.publish(tx, recorded)
        await _count_later(tx, recorded, {day for day in days if day > tx.today})
    return Pushed(
        batch_id,
        answer,
        {entry.child.id for entry in entries},
        min((*(entry.event.school_day for entry in entries), *days), default=None),
        any(verdict.code == "child_not_found" for verdict in verdicts),
    )


async def _find_children(tx: Tx, principal: Principal, incoming: Sequence[Incoming]) -> _Found:
    named = {
        (_known(one.event.student), one.event.school_day)
        for one in incoming
        if isinstance(one.event, Statement)
    }
    ids = {known for known, _ in named if isinstance(known, UUID)}
    numbers = {known for known, _ in named if not isinstance(known, UUID)}
    found: _Found = {}
    if ids:
        found |= await children.find_many(tx, principal, list(ids))
    if numbers:
        found |= await children.resolve_external(tx, principal, list(numbers))
    if left := {each for each in named if each[0] not in found}:
        found |= await enrolments.pupils_then(tx, principal.agency_id, left)
    return found


def _known(student: StudentById | StudentByNumber) -> enrolments.Known:
    if isinstance(student, StudentById):
        return student.child_id
    return student.system, student.number


def _judge(tx: Tx, one: Incoming, found: _Found, entries: list[_Entry]) -> Verdict:
    """Say what becomes of an event; if it can be stored, add it to `entries`."""
    if isinstance(one.event, FieldError):
        return _rejected(one, one.event)
    if isinstance(one.event, Roll):
        return _bad_day(tx, one, one.event) or _marked(tx, one, one.event)
    known = _known(one.event.student)
    child = found.get(known) or found.get((known, one.event.school_day))
    if child is None:
        detail = "No pupil of your school goes by this."
        return _rejected(one, _error(one, "student", "child_not_found", detail))
    if refused := _bad_day(tx, one, one.event):
        return refused
    verdict = _marked(tx, one, one.event)
    content = _digest(child, one.event)
    moment = tx.now if verdict.doubt == "clock" else min(one.event.time, tx.now)
    entries.append(_Entry(verdict, one.event, child, new_id(), content, moment))
    return verdict


def _digest(child: children.ChildRef, event: Statement) -> bytes:
    moment = event.time.astimezone(UTC)
    content = (event.school_day, event.session, event.category, event.reason, moment)
    return hashlib.sha256(orjson.dumps((str(child.id), *content, event.sequence))).digest()


def _rejected(one: Incoming, refusal: FieldError) -> Verdict:
    return Verdict(one, "rejected", refusal.code, refusal)


def _error(one: Incoming, field: str, code: str, detail: str) -> FieldError:
    return FieldError(f"{one.pointer}/{field}", code, detail)


def _bad_day(tx: Tx, one: Incoming, event: Statement | Roll) -> Verdict | None:
    if event.school_day >= tx.today - rules.OLDEST:
        return None
    detail = "The day lies over 400 days back."
    return _rejected(one, _error(one, "school_day", "day_too_old", detail))


def _marked(tx: Tx, one: Incoming, event: Statement | Roll) -> Verdict:
    doubt = rules.doubt(event.school_day, event.time, event.category, tx.today, tx.now)
    return Verdict(one, "accepted", "superseded", doubt=doubt)


def _compare(entry: _Entry, stored: bytes | None) -> None:
    """Tell a repetition from a contradiction (I3)."""
    verdict = entry.verdict
    if stored == entry.content:
        verdict.status, verdict.code = "duplicate", "duplicate"
        return
    verdict.status, verdict.code = "conflict", "id_taken"
    verdict.refusal = _taken(verdict.incoming)


def _taken(one: Incoming) -> FieldError:
    return _error(
        one, "id", "id_taken", "An event of this source and id was stored with other content."
    )


_INSERT_EVENTS: Final = """
INSERT INTO attendance_events (id, home_county, child_id, region_code, pupil_of, source, event_id,
    content_sha256, school_day, session, category, reason, happened_at, sequence, doubt, agency_id,
    batch_id, received_at)
SELECT u.*, $16::uuid, $17::uuid, $18::timestamptz
FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::text[],
    $8::bytea[], $9::date[], $10::text[], $11::text[], $12::text[], $13::timestamptz[],
    $14::int[], $15::text[]) AS u (id, home_county, child_id, region_code, pupil_of, source,
    event_id)
WHERE NOT EXISTS (SELECT FROM attendance_events e WHERE e.agency_id = $16
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


async def _store(
    tx: Tx, principal: Principal, batch_id: UUID, entries: Sequence[_Entry]
) -> list[_Entry]:
    """Insert what is new and return it; the rest learns what is stored under its id."""
    firsts: dict[tuple[str, str], _Entry] = {}
    for entry in entries:
        firsts.setdefault(entry.origin, entry)
    if not firsts:
        return []
    ordered = sorted(firsts.values(), key=lambda entry: entry.origin)  # two batches never deadlock
    inserted = await tx.connection.fetch(
        _INSERT_EVENTS, *_columns(map(_row, ordered)), principal.agency_id, batch_id, tx.now
    )
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
        entry.verdict.doubt,
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
        entry.moment,
        entry.row_id,
    )


async def _call(
    tx: Tx, principal: Principal, batch_id: UUID, verdicts: Sequence[Verdict]
) -> list[Roll]:
    """Take in the rolls of a batch, and return those that are new."""
    called = [
        (one.incoming.event, one)
        for one in verdicts
        if isinstance(one.incoming.event, Roll) and one.status == "accepted"
    ]
    outcomes = await rolls.call(
        tx, principal, batch_id, [(roll, verdict.doubt) for roll, verdict in called]
    )
    for (_, verdict), outcome in zip(called, outcomes, strict=True):
        verdict.status, verdict.code = outcome.status, outcome.code
        verdict.spoke_for = outcome.spoke_for
        if outcome.status == "conflict":
            verdict.refusal = _taken(verdict.incoming)
    return [roll for roll, verdict in called if verdict.status == "accepted"]


async def _count_later(tx: Tx, recorded: AbsencesRecorded, ahead: Iterable[date]) -> None:
    """Have it told again, on each day that had not come, that something was said of it."""
    for day in sorted(ahead):
        begins = datetime.combine(day, time.min, CHINA)
        payload = recorded.model_dump(mode="json")
        await queue.enqueue(tx.connection, "attendance.day_came", [payload], delay=begins - tx.now)
