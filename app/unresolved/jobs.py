"""What settles by itself: a file appears, a pupil gets a number, a place another code."""

from uuid import UUID

from app.children import referred, reindexing
from app.children.events import ChildChanged, ChildRegistered, DuplicateSuspected
from app.core.data.db import Tx
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import RegionReplaced
from app.unresolved.events import AttendanceUnresolved, VisitUnresolved
from app.unresolved.operations import knowing, referrals, settling


@queue.walk("unresolved.reindex", "*/5 * * * *")
async def reindex(tx: Tx, after: UUID) -> UUID | None:
    """Have what is asked found by a new index key, too (`children.reindex`)."""
    if not await reindexing.is_left(tx, reindexing.QUESTIONS):
        return None
    last = await knowing.renew_next(tx, after)
    await reindexing.reached(tx, reindexing.QUESTIONS, last or after, 0, whole=last is None)
    return last


@events.on(ChildRegistered)
async def look_again_at_new_file(tx: Tx, event: ChildRegistered) -> None:
    """Store what waited for a file that was opened now."""
    await settling.look_again(tx, event.subject_id)


@events.on(ChildChanged)
async def look_again_at_changed_file(tx: Tx, event: ChildChanged) -> None:
    """Store what waited for a child who moved, was enrolled or got a number."""
    if {"residence", "education", "external"}.intersection(event.sections):
        await settling.look_again(tx, event.subject_id)


@events.on(VisitUnresolved)
async def look_again_at_visit(tx: Tx, event: VisitUnresolved) -> None:
    """Look once more after the commit: the file may have appeared meanwhile."""
    await settling.ask_again(tx, event.subject_id)


@events.on(AttendanceUnresolved)
async def look_again_at_attendance(tx: Tx, event: AttendanceUnresolved) -> None:
    """Look once more after the commit: it may be decided, or the number have come, meanwhile."""
    await settling.ask_again(tx, event.subject_id)


@events.on(DuplicateSuspected)
async def open_referral(tx: Tx, event: DuplicateSuspected) -> None:
    """Ask the offices concerned whether two files are one child."""
    await referrals.open_referral(tx, event.subject_id)


@events.on(ChildChanged)
async def follow_moved_file(tx: Tx, event: ChildChanged) -> None:
    """Ask the offices of the places where two files live now; a hand-over is done."""
    if event.previous_region_code is not None:
        await referrals.handed_over(tx, event.subject_id, event.region_code)
        await referrals.follow(tx, await referred.waiting(tx, event.subject_id))


@queue.walk("unresolved.ask_again", "*/5 * * * *")
async def ask_again(tx: Tx, after: UUID) -> UUID | None:
    """Let an answer stand alone where there is no other office to ask any more."""
    return await referrals.stand_alone(tx, after)


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let questions be owed where their place is now, and be tried again by whoever sent what waits
    from where they are now. Whether two files are one child the offices answer that the place has
    now; the files have theirs already (`children.jobs`).
    """
    await following.shift(tx, event, "unresolved", "region_code")
    await following.shift(tx, event, "unresolved", "sent_from")
    await following.shift(tx, event, "unresolved_evidence", "region_code")
    now = (event.old_lo + event.shift, event.old_hi + event.shift)
    await referrals.follow(tx, await referred.waiting_in(tx, *now))
