"""What attendance does to dropout alerts: opens, moves and closes them."""

from dataclasses import astuple
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from app.attendance import queries as attendance
from app.attendance.events import AbsencesRecorded
from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http.shown import Seen
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.dropout_alerts import events, models, queries, rules
from app.regions import following
from app.regions.events import RegionReplaced

_LOOK_BACK: Final = timedelta(days=120)


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let the place where alerts opened have its new code: its township is written to. Where the
    children live follows with them (`children.below`).
    """
    await following.shift(tx, event, "dropout_alerts", "opened_in", keys=("id", "home_county"))


@spine.on(AbsencesRecorded)
async def reassess(tx: Tx, event: AbsencesRecorded) -> None:
    """Open, move and close the alerts of a school after a batch (EDU-01, EDU-02, I6).

    The outcome depends on the sessions as they stand, not on the event, so running twice or late
    changes nothing. A fixed number of statements.
    """
    alerts = {row["child_id"]: row for row in await queries.lock_school(tx, event.school_id)}
    thresholds = queries.thresholds(event.region_code, tx.today)
    since = tx.today - _LOOK_BACK
    # Those with an open alert as well: the batch may say that they are back, or had leave.
    worth = await attendance.absent_in_batch(tx, event.subject_id, since=since) | alerts.keys()
    if not worth:
        return
    absences = await attendance.absences(
        tx,
        school_id=event.school_id,
        region_code=event.region_code,
        children=sorted(worth),
        since=min([since, *(row["first_absent_day"] for row in alerts.values())]),
        today=tx.today,
    )
    changes: dict[UUID, rules.Change] = {}
    for child_id, absence in absences.items():
        change = rules.assess(_standing(alerts.get(child_id)), absence, thresholds)
        if change is not None:
            changes[child_id] = change
    if not changes:
        return
    opened = await _open(tx, event.school_id, changes)
    moved = {child: alerts[child] for child in changes if child in alerts}
    await _move(tx, moved, changes)
    rows = {**opened, **moved}
    announced = [
        _announcement(rows[child], changes[child], event.school_id) for child in sorted(rows)
    ]
    await spine.publish(tx, *(one for one in announced if one is not None))
    seen = Seen(tuple(sorted(rows)), ("education",))
    await audit.record(tx, audit.SYSTEM, "dropout_alerts.reassess", seen)


def _standing(row: dict[str, Any] | None) -> rules.Standing | None:
    if row is None:
        return None
    names = ("state", "first_absent_day", "last_absent_day", "unexcused_days")
    return rules.Standing(**{name: row[name] for name in names})


_OPEN: Final = """
INSERT INTO dropout_alerts (id, home_county, child_id, region_code, pupil_of, opened_in, state,
    first_absent_day, last_absent_day, unexcused_days, registered_on, school_id, opened_on, version,
    created_at, updated_at)
SELECT u.*, $12::uuid, $13::date, 1, $14::timestamptz, $14
FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::bigint[],
    $7::text[], $8::date[], $9::date[], $10::int[], $11::date[]) AS u
ON CONFLICT DO NOTHING RETURNING id, home_county, child_id, opened_in
"""


async def _open(
    tx: Tx, school_id: UUID, changes: dict[UUID, rules.Change]
) -> dict[UUID, dict[str, Any]]:
    """Open alerts; a child who has one at another school keeps that one only."""
    new = {child: c.standing for child, c in changes.items() if c.verdict == "opened"}
    if not new:
        return {}
    places = await queries.child_places(tx, list(new))
    rows = []
    for child, standing in sorted(new.items()):
        place = places[child]
        lives = (place.home_county, child, place.region_code, place.school_id, place.region_code)
        registered_on = tx.today if standing.state == "registered" else None
        rows.append((new_id(), *lives, *astuple(standing), registered_on))
    columns = [list(column) for column in zip(*rows, strict=True)]
    opened = await tx.connection.fetch(_OPEN, *columns, school_id, tx.today, tx.now)
    return {row["child_id"]: dict(row) for row in opened}


_MOVE: Final = """
UPDATE dropout_alerts a SET state = u.state, first_absent_day = u.first_day,
    last_absent_day = u.last_day, unexcused_days = u.days, returned_on = u.returned_on,
    registered_on = CASE WHEN u.state = 'registered' THEN coalesce(a.registered_on, $9::date)
                         ELSE a.registered_on END,
    ended_on = CASE WHEN u.reason IS NOT NULL THEN $9 END, end_reason = u.reason,
    version = a.version + 1, updated_at = $10::timestamptz
FROM UNNEST($1::uuid[], $2::text[], $3::date[], $4::date[], $5::int[], $6::date[], $7::text[],
    $8::bigint[]) AS u (id, state, first_day, last_day, days, returned_on, reason, home_county)
WHERE a.home_county = u.home_county AND a.id = u.id
"""


async def _move(
    tx: Tx, moved: dict[UUID, dict[str, Any]], changes: dict[UUID, rules.Change]
) -> None:
    if not moved:
        return
    rows = []
    for child, row in moved.items():
        change = changes[child]
        reason = change.verdict if change.standing.state in models.DONE else None
        about = (change.returned_on, reason, row["home_county"])
        rows.append((row["id"], *astuple(change.standing), *about))
    columns = [list(column) for column in zip(*rows, strict=True)]
    await tx.connection.execute(_MOVE, *columns, tx.today, tx.now)


def _announcement(row: dict[str, Any], change: rules.Change, school_id: UUID) -> spine.Event | None:
    named = events.about({**row, "school_id": school_id})
    days = change.standing.unexcused_days
    match change.verdict:
        case "opened":
            return events.AlertOpened(**named, unexcused_days=days)
        case "registered":
            return events.ChildRegistered(**named)
        case "amended":
            return events.AlertAmended(**named, unexcused_days=days)
        case "excused":
            return events.AlertClosed(**named, reason="excused")
        case "attended":
            return events.ChildReturned(**named)
        case "counted":
            return None
