"""What happens to attendance by itself."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from app.access.principal import Principal
from app.attendance import asked, operations, presence, silence, unsaid
from app.attendance.events import AbsencesRecorded, PresenceVerified
from app.attendance.schemas import Statement
from app.children.events import ChildChanged
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events, queue
from app.regions import following
from app.regions.events import RegionReplaced
from app.unresolved.models import UnresolvedKind
from app.unresolved.operations import settling, taking_back
from app.unresolved.operations.settling import Waiting
from app.unresolved.operations.taking_back import Back, again

_CALENDAR = """
UPDATE school_calendar_days AS d SET region_code = d.region_code + $3
WHERE d.region_code >= $1 AND d.region_code < $2 AND (d.agency_id IS NOT NULL OR NOT EXISTS (
    SELECT FROM school_calendar_days o
    WHERE o.agency_id IS NULL AND o.region_code = d.region_code + $3 AND o.day = d.day))
"""


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Keep the days a place has school; where it joins another, that one's calendar holds. Few
    rows: a place has a handful of days of its own.
    """
    await tx.connection.execute(_CALENDAR, event.old_lo, event.old_hi, event.shift)


@events.on(AbsencesRecorded)
async def look_elsewhere(tx: Tx, event: AbsencesRecorded) -> None:
    """Doubt what schools say of children whom others saw on one day, and no more what one of them
    has taken back (EDU-01).
    """
    await unsaid.take_back(tx, event.subject_id)
    await presence.look_elsewhere(tx, event.subject_id)


@events.on(AbsencesRecorded)
async def hear_of_silent(tx: Tx, event: AbsencesRecorded) -> None:
    """Let a school owe no word any more on those of whom it has said one (EDU-01)."""
    await silence.heard(tx, event.school_id)


# From one school to the next, by the index: there are a thousand children to each.
_SCHOOLS: Final = """
WITH RECURSIVE schools AS (
    (SELECT school_id FROM child_enrolments ORDER BY school_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.school_id FROM child_enrolments e WHERE e.school_id > s.school_id
            ORDER BY e.school_id LIMIT 1)
    FROM schools s WHERE s.school_id IS NOT NULL)
SELECT school_id FROM schools s
WHERE EXISTS (SELECT FROM child_enrolments e WHERE e.school_id = s.school_id AND e.until IS NULL)
ORDER BY school_id
"""


@queue.every("attendance.look_for_silence", "20 0 * * *")
async def look_for_silence(tx: Tx, _: dict[str, Any]) -> None:
    """Have each school asked of whom it says nothing (EDU-01)."""
    schools = [str(row["school_id"]) for row in await tx.connection.fetch(_SCHOOLS)]
    await queue.enqueue(
        tx.connection,
        "attendance.look_for_silence_at",
        [{"school_id": school} for school in schools],
        dedupe_keys=schools,
    )


@queue.job("attendance.look_for_silence_at", of="attendance.look_for_silence")
async def look_for_silence_at(tx: Tx, payload: dict[str, Any]) -> None:
    await silence.look(tx, UUID(payload["school_id"]))


@queue.job("attendance.look_after_sighting")
async def look_after_sighting(tx: Tx, payload: dict[str, Any]) -> None:
    """Doubt what schools said of a child on days on which others saw it (EDU-01)."""
    await presence.look_after_sighting(tx, UUID(payload["child_id"]))


@events.on(PresenceVerified)
async def look_further(tx: Tx, event: PresenceVerified) -> None:
    """Doubt what a school says of other days of a child that was found elsewhere (EDU-01)."""
    if event.finding == "elsewhere":
        await presence.look_after_sighting(tx, event.child_id)


@queue.walk("attendance.ask_again", "*/5 * * * *")
async def ask_again(tx: Tx, after: UUID) -> UUID | None:
    """Ask whoever may know of what a school must learn nothing of, and was not there before."""
    return await asked.ask_again(tx, after)


@events.on(ChildChanged)
async def look_after_enrolment(tx: Tx, event: ChildChanged) -> None:
    """Doubt what schools said of a child on days on which it was enrolled elsewhere, as is known
    now, and no more what that explains (EDU-01).
    """
    if "education" in event.sections:
        await presence.look_after_enrolment(tx, event.subject_id)


@queue.job("attendance.day_came")
async def day_came(tx: Tx, payload: dict[str, Any]) -> None:
    """Tell again of a batch that spoke of a day ahead, now that the day has come: it counts."""
    told = {"event_id": new_id(), "told_to": (payload["school_id"],)}
    await events.publish(tx, AbsencesRecorded.model_validate({**payload, **told}))


@settling.takes(UnresolvedKind.attendance)
async def store_held_events(
    tx: Tx, sender: Principal, child: ChildRef, waiting: Sequence[Waiting]
) -> None:
    """Store the events that waited for a pupil, as they were pushed."""
    kept = [
        (Statement.model_validate(sent), row["batch_id"], row["received_at"], row["id"])
        for row, sent in waiting
    ]
    await operations.store_held(tx, sender, child, kept)


@taking_back.returns(UnresolvedKind.attendance)
async def return_events(
    tx: Tx, sender: Principal, child_id: UUID, waited: Sequence[Waiting]
) -> list[Back]:
    """Take events back from a pupil whom they were not about."""
    kept = [(Statement.model_validate(sent), row["id"]) for row, sent in waited]
    gone = await operations.take_back(tx, sender, child_id, kept)
    return [
        Back(row["id"], again(row, sent), row["received_at"])
        for row, sent in waited
        if row["id"] in gone
    ]
