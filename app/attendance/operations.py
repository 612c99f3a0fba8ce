"""Take in what schools push: every event once, each judged by itself, in a fixed number of
statements however many events there are (I2–I6, EDU-01).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, time
from itertools import compress
from typing import Any, NamedTuple
from uuid import UUID

from app.access.principal import Principal
from app.attendance import contradictions, receipts, rolls, rules, unknown_pupils
from app.attendance.events import AbsencesRecorded
from app.attendance.reading import Incoming
from app.attendance.receipts import Verdict
from app.attendance.schemas import (
    Roll,
    Statement,
    StudentById,
    StudentByNumber,
)
from app.attendance.storing import (
    Entry,
    contradicts,
    digest,
    digests,
    store,
    stored_before,
    take_away,
)
from app.children import enrolments
from app.children import queries as children
from app.core.clock import CHINA, local_date
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events, queue
from app.core.problems import FieldError, Problem
from app.regions.rules import county_of
from app.unresolved.operations.holding import Kept

_Found = dict[Any, children.ChildRef]
"""Children by id, and by (system, number); those who have left the school since by that and the
day.
"""


class BatchRefused(Problem, status=422, denies=True):
    """`Prefer: handling=strict` and an event cannot be stored: nothing was."""

    title = "An event of the batch cannot be stored, so none was"
    title_zh = "批次中有事件无法保存,因此全部未保存"


class Pushed(NamedTuple):
    """What became of a batch. `kept`: what its receipt is written from (`receipts.to_keep`).

    `children`: whom events were taken of, the earliest on the day `since`. `strangers`: some named
    no pupil of the caller's.
    """

    batch_id: UUID
    kept: Mapping[str, Any]
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
    entries: list[Entry] = []
    verdicts = [_judge(tx, batch_id, one, found, entries) for one in incoming]
    entries = await _apart(tx, principal, entries)
    await _hold(tx, principal, batch_id, verdicts, entries)
    left = any(entry.child.school_id != principal.agency_id for entry in entries)
    async with tx.as_system() if left else nullcontext():  # their rows are another school's to see
        fresh, changed = await store(tx, principal.agency_id, entries, set_by=batch_id)
    called = await _call(tx, principal, batch_id, verdicts)
    refusals = [verdict.refusal for verdict in verdicts if verdict.refusal is not None]
    if strict and refusals:
        known = {entry.child.id for entry in entries}
        raise BatchRefused(errors=refusals, children=sorted(known))
    differing = [
        one.incoming.event
        for one in verdicts
        if one.status == "conflict" and not isinstance(one.incoming.event, FieldError)
    ]
    await contradictions.keep(tx, principal, batch_id, differing)
    kept = receipts.to_keep(batch_id, receipts.results(verdicts))
    _, own = called.pop(principal.agency_id, (principal, []))
    days = {entry.event.school_day for entry in fresh} | {roll.school_day for roll in own}
    await receipts.keep(tx, principal, batch_id, kept, days)
    await _announce(tx, principal, batch_id, changed, len(own), days)
    for then, theirs in called.values():
        await _announce(tx, then, batch_id, [], len(theirs), ())
    return Pushed(
        batch_id,
        kept,
        {entry.child.id for entry in entries},
        min((*(entry.event.school_day for entry in entries), *days), default=None),
        any(verdict.code == "child_not_found" for verdict in verdicts),
    )


async def _announce(
    tx: Tx,
    principal: Principal,
    batch_id: UUID,
    changed: Sequence[Entry],
    called: int,
    days: Iterable[date],
) -> None:
    """Tell that a batch changed what is believed; again on each of its days that has not come. Of
    a session that two entries changed the last counts.
    """
    if not changed and not called:
        return
    sessions = {
        (each.child.id, each.event.school_day, each.event.session): each for each in changed
    }
    recorded = AbsencesRecorded(
        subject_id=batch_id,
        region_code=principal.region_code,
        home_county=county_of(principal.region_code),
        school_id=principal.agency_id,
        changed=len(sessions) + called,
        unexcused=sum(each.event.category == "unexcused" for each in sessions.values()),
        told_to=(principal.agency_id,),
    )
    await events.publish(tx, recorded)
    await _count_later(tx, recorded, {day for day in days if day > tx.today})


async def store_held(
    tx: Tx,
    sender: Principal,
    child: children.ChildRef,
    kept: Sequence[tuple[Statement, UUID, datetime, UUID]],
) -> None:
    """Store events that waited until it was known which pupil they are about, each with the batch
    that brought it and when that was. In SYSTEM's reach; a fixed number of statements.

    If its id was taken meanwhile by an event that says something else, it is stored under the last
    of what is given, which is an id of our own: neither is lost.
    """
    own: list[Entry] = []
    instead: list[Entry] = []
    for event, batch_id, received_at, otherwise in kept:
        for entries, each in (
            (own, event),
            (instead, event.model_copy(update={"id": str(otherwise)})),
        ):
            one = Incoming("#", each.source, each.id, each)
            verdict = _marked(one, each, received_at, local_date(received_at))
            entries.append(_entry(verdict, each, child, batch_id, received_at))
    set_by = new_id()  # the sessions are set now, by no batch
    first = await store(tx, sender.agency_id, own, set_by=set_by)
    taken = [each.verdict.status == "conflict" for each in own]
    then = await store(tx, sender.agency_id, [*compress(instead, taken)], set_by=set_by)
    days = {each.event.school_day for each in (*first.new, *then.new)}
    await _announce(tx, sender, set_by, [*first.believed, *then.believed], 0, days)


async def take_back(
    tx: Tx, sender: Principal, child_id: UUID, kept: Sequence[tuple[Statement, UUID]]
) -> set[UUID]:
    """Take events back from a child whom they were not about, each stored under its own id or under
    the one given beside it, and tell what is believed now; return the latter of those that were
    there. In SYSTEM's reach.
    """
    named: dict[tuple[str, str], UUID] = {}
    said = []
    for event, otherwise in kept:
        for each in (event, event.model_copy(update={"id": str(otherwise)})):
            named[each.source, each.id] = otherwise
            said.append(each)
    set_by = new_id()
    gone, changed = await take_away(tx, sender.agency_id, child_id, set_by, said)
    if changed:
        recorded = AbsencesRecorded(
            subject_id=set_by,
            region_code=sender.region_code,
            home_county=county_of(sender.region_code),
            school_id=sender.agency_id,
            changed=min(changed, 1000),
            unexcused=0,
            told_to=(sender.agency_id,),
        )
        await events.publish(tx, recorded)
    return {named[origin] for origin in gone}


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


def _judge(tx: Tx, batch_id: UUID, one: Incoming, found: _Found, entries: list[Entry]) -> Verdict:
    """Say what becomes of an event; if it can be stored, add it to `entries`."""
    if isinstance(one.event, FieldError):
        return _rejected(one, one.event)
    if isinstance(one.event, Roll):
        return _marked(one, one.event, tx.now, tx.today)
    known = _known(one.event.student)
    child = found.get(known) or found.get((known, one.event.school_day))
    if child is None:
        detail = "No pupil of your school goes by this."
        unknown = one.error("student", "child_not_found", detail)
        return Verdict(one, "unresolved", unknown.code, unknown)
    verdict = _marked(one, one.event, tx.now, tx.today)
    entries.append(_entry(verdict, one.event, child, batch_id, tx.now))
    return verdict


def _entry(
    verdict: Verdict,
    event: Statement,
    child: children.ChildRef,
    batch_id: UUID,
    received_at: datetime,
) -> Entry:
    content = digest(child.id, event)
    return Entry(verdict, event, child, new_id(), content, batch_id, received_at)


async def _apart(tx: Tx, principal: Principal, entries: list[Entry]) -> list[Entry]:
    """Leave out what contradicts that which is kept, under its source and id, about a pupil nobody
    knew when it came; unless that was corrected since, and stored as just this.
    """
    differing = await unknown_pupils.differing(tx, principal, [each.event for each in entries])
    apart = [*compress(entries, differing)]
    if not apart:
        return entries
    stored = await stored_before(tx, principal.agency_id, [each.event for each in apart])
    apart = [each for each in apart if not _is_stored(each, stored.get(each.origin))]
    for entry in apart:
        contradicts(entry.verdict)
    return [entry for entry in entries if entry not in apart]


def _is_stored(entry: Entry, stored: tuple[bytes, UUID] | None) -> bool:
    content, child_id = stored or (None, None)
    return child_id == entry.child.id and content in digests(entry.child.id, entry.event)


async def _hold(
    tx: Tx,
    principal: Principal,
    batch_id: UUID,
    verdicts: Sequence[Verdict],
    entries: Sequence[Entry],
) -> None:
    """Keep what is about nobody the school has; beyond its share of the queue it is rejected. What
    was stored before under a number that the pupil no longer has is known again.
    """
    unknown = [
        (verdict, verdict.incoming.event)
        for verdict in verdicts
        if verdict.status == "unresolved" and isinstance(verdict.incoming.event, Statement)
    ]
    if not unknown:
        return
    stored = await stored_before(tx, principal.agency_id, [event for _, event in unknown])
    asked = []
    for verdict, event in unknown:
        content, child_id = stored.get((event.source, event.id), (None, None))
        named = event.student.child_id if isinstance(event.student, StudentById) else child_id
        if child_id is not None and named == child_id and content in digests(child_id, event):
            verdict.status, verdict.code, verdict.refusal = "duplicate", "duplicate", None
        else:
            asked.append((verdict, event))
    taken = stored.keys() | {entry.origin for entry in entries}
    pushed = [event for _, event in asked]
    held = await unknown_pupils.hold(tx, principal, batch_id, pushed, taken=taken)
    for (verdict, _), kept in zip(asked, held, strict=True):
        if kept is Kept.differs:
            contradicts(verdict)
        elif kept is Kept.full:
            verdict.status = "rejected"


def _rejected(one: Incoming, refusal: FieldError) -> Verdict:
    return Verdict(one, "rejected", refusal.code, refusal)


def _marked(one: Incoming, event: Statement | Roll, received_at: datetime, today: date) -> Verdict:
    doubt = rules.doubt(event.school_day, event.time, event.category, today, received_at)
    return Verdict(one, "accepted", "superseded", doubt=doubt)


async def _call(
    tx: Tx, principal: Principal, batch_id: UUID, verdicts: Sequence[Verdict]
) -> dict[UUID, tuple[Principal, list[Roll]]]:
    """Take in the rolls of a batch, each for the school at which the caller was on its day, and
    return those that are new: by school, with the post held there.
    """
    called = [
        (one.incoming.event, one)
        for one in verdicts
        if isinstance(one.incoming.event, Roll) and one.status == "accepted"
    ]
    posts = await rolls.schools_of(tx, principal, [roll for roll, _ in called])
    by_school: dict[UUID, list[tuple[Principal, Roll, Verdict]]] = defaultdict(list)
    for post, (roll, verdict) in zip(posts, called, strict=True):
        if post is None:
            detail = "You held no post at a school on that day."
            verdict.refusal = verdict.incoming.error("school_day", "no_school_then", detail)
            verdict.status, verdict.code, verdict.doubt = "rejected", "no_school_then", None
        else:
            by_school[post.agency_id].append((post, roll, verdict))
    new: dict[UUID, tuple[Principal, list[Roll]]] = {}
    for school_id, theirs in by_school.items():
        then = theirs[0][0]
        async with nullcontext() if school_id == principal.agency_id else tx.as_system():
            outcomes = await rolls.call(tx, then, batch_id, [(r, v.doubt) for _, r, v in theirs])
        for (_, _, verdict), outcome in zip(theirs, outcomes, strict=True):
            verdict.status, verdict.code = outcome.status, outcome.code
            verdict.spoke_for = outcome.spoke_for
            if outcome.status == "conflict":
                contradicts(verdict)
        new[school_id] = then, [roll for _, roll, v in theirs if v.status == "accepted"]
    return new


async def _count_later(tx: Tx, recorded: AbsencesRecorded, ahead: Iterable[date]) -> None:
    """Have it told again, on each day that had not come, that something was said of it."""
    for day in sorted(ahead):
        begins = datetime.combine(day, time.min, CHINA)
        payload = recorded.model_dump(mode="json")
        await queue.enqueue(tx.connection, "attendance.day_came", [payload], delay=begins - tx.now)
