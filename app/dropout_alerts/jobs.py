"""What attendance and enrolment do to dropout alerts: they open, move, close and hand them over."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from app.attendance import queries as attendance
from app.attendance import rules as attendance_rules
from app.attendance.events import AbsencesRecorded, PresenceVerified
from app.children import queries as children
from app.children.events import ChildChanged
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.core.jobs import queue
from app.dropout_alerts import addressing, events, models, operations, queries, rules
from app.regions import following
from app.regions.events import RegionReplaced

_LOOK_BACK: Final = timedelta(days=120)

_Alerts = dict[UUID, dict[str, Any]]
"""Open alerts by child, locked."""
_Ends = Sequence[tuple[UUID, UUID]]
"""Alerts that had ended: child and alert."""


@following.follows
async def follow_region_change(tx: Tx, event: RegionReplaced) -> None:
    """Let the place where alerts opened have its new code. Where the children live follows with
    them (`children.below`). The schools have theirs (`agencies.jobs`).
    """
    await following.shift(tx, event, "dropout_alerts", "opened_in", keys=("id", "home_county"))
    now = (event.old_lo + event.shift, event.old_hi + event.shift)
    while await queries.known_above(tx, *now, at_most=following.BATCH) == following.BATCH:
        pass  # pragma: no cover  more than fit one set


@spine.on(AbsencesRecorded)
async def reassess(tx: Tx, event: AbsencesRecorded) -> None:
    """Open, move and close the alerts of a school, and on the children of whom it spoke, after a
    batch (EDU-01, EDU-02, I6).

    The outcome depends on the sessions as they stand, not on the event, so running twice or late
    changes nothing. A fixed number of statements for each school that keeps one of the alerts.
    """
    await queries.lock_school(tx, event.school_id)
    lately = tx.today - _LOOK_BACK
    oldest = tx.today - attendance_rules.OLDEST
    heard = await attendance.heard_of(tx, event.subject_id, since=lately, oldest=oldest)
    spoken_of = [each.child_id for each in heard]
    since = heard[0].since if heard else lately
    alerts = await queries.open_alerts(tx, school_id=event.school_id, children=spoken_of)
    again = await queries.may_go_on(tx, spoken_of, since)
    # Those with an open alert as well: the batch may say that they are back, or had leave.
    keepers = {
        each.child_id: each.pupil_of or event.school_id
        for each in heard
        if each.absent or each.child_id in again
    }
    await _weigh(tx, alerts, keepers, since=since)


@spine.on(ChildChanged)
async def follow_pupil(tx: Tx, event: ChildChanged) -> None:
    """Hand an open alert over to the school at which the child is enrolled now, and what was
    written about it to the offices of where it is at school and lives now. What a machine believed
    of a day depends on where the child was enrolled: weigh that anew, also if its alert has ended.
    """
    if "education" not in event.sections and event.previous_region_code is None:
        return
    alerts = await queries.open_alerts(tx, school_id=None, children=[event.subject_id])
    if "education" in event.sections:
        await _weigh_anew(tx, event.subject_id, alerts)
    else:
        await _weigh(tx, alerts, {}, since=tx.today - _LOOK_BACK)
    if written := await addressing.address_as_well(tx, alerts.values()):
        await addressing.witness(tx, (alert["child_id"] for alert in written))


@queue.walk("dropout_alerts.address_later", "*/5 * * * *")
async def address_later(tx: Tx, after: UUID) -> UUID | None:
    """Let offices that were registered since know, and have what was written (EDU-05)."""
    return await addressing.address_later(tx, after)


@spine.on(PresenceVerified)
async def believe_finding(tx: Tx, event: PresenceVerified) -> None:
    """Weigh anew what a school's word ended, a recorded return too, that was found to be false."""
    if event.finding == "elsewhere":
        if await operations.not_back(tx, event):
            await addressing.witness(tx, [event.child_id])
        alerts = await queries.open_alerts(tx, school_id=None, children=[event.child_id])
        await _weigh_anew(tx, event.child_id, alerts)


@spine.on(events.ChildReturned)
async def weigh_days_since(tx: Tx, event: events.ChildReturned) -> None:
    """Open an alert on what was missed since a day on which a person had the child back, where that
    was told before they said so: nobody may say it again.
    """
    if await queries.missed_since_return(tx, event.subject_id):
        alerts = await queries.open_alerts(tx, school_id=None, children=[event.child_id])
        await _weigh_anew(tx, event.child_id, alerts)


async def _weigh_anew(tx: Tx, child_id: UUID, alerts: _Alerts) -> None:
    """Weigh all that is counted of a child, its alerts that a machine ended as well."""
    since, oldest = tx.today - _LOOK_BACK, tx.today - attendance_rules.OLDEST
    ended = await queries.may_go_on(tx, [child_id], oldest)
    since = min(since, *ended.values()) if ended else since
    school_id = await attendance.missing_from(tx, child_id, since=since)
    await _weigh(tx, alerts, {child_id: school_id} if school_id else {}, since=since)


async def _weigh(tx: Tx, alerts: _Alerts, keepers: Mapping[UUID, UUID], *, since: date) -> None:
    """Bring open alerts up to date, and open those that are due on the children in `keepers`, at
    the school named there, by what was missed since a day.
    """
    await _hand_over(tx, alerts)
    keepers = {**keepers, **{child: alert["school_id"] for child, alert in alerts.items()}}
    if not keepers:
        return
    schools = await queries.schools(tx, {*keepers.values()})
    changes, again, continued = await _compare(tx, alerts, keepers, schools, since)
    await _take_back(tx, again, continued)
    if again:
        going = [child for child, _ in again]
        reopened = await queries.open_alerts(tx, school_id=None, children=going)
        await _weigh(tx, reopened, {}, since=since)
    if not changes:
        return
    opened = await _open(tx, keepers, schools, changes)
    moved = {child: alerts[child] for child in changes if child in alerts}
    await _move(tx, moved, changes)
    rows = {**opened, **moved}
    await spine.publish(
        tx, *(each for child in sorted(rows) for each in _announced(rows[child], changes[child]))
    )
    await addressing.witness(tx, rows)
    # Somebody opened an alert on the others at this moment: it has counted less than is known now.
    late = [child for child, c in changes.items() if c.verdict == "opened" and child not in opened]
    if late:  # pragma: no cover  two workers at one moment
        theirs = await queries.open_alerts(tx, school_id=None, children=late)
        await _weigh(tx, theirs, {}, since=since)


async def _compare(
    tx: Tx,
    alerts: _Alerts,
    keepers: Mapping[UUID, UUID],
    schools: Mapping[UUID, queries.School],
    since: date,
) -> tuple[dict[UUID, rules.Change], _Ends, _Ends]:
    """Find what attendance changes: by child, at the alert that is open or due; and at those that
    had ended by themselves: which go on, and whose days another one counts by now.
    """
    ended = await queries.ended(tx, list(keepers))
    settled = {
        child: max(filter(None, (each.settled for each in ended.get(child, ()))), default=None)
        for child in keepers
    }
    changes: dict[UUID, rules.Change] = {}
    again: list[tuple[UUID, UUID]] = []
    continued: list[tuple[UUID, UUID]] = []
    for school in schools.values():
        pupils = sorted(child for child, keeper in keepers.items() if keeper == school.id)
        absences = await attendance.absences(
            tx,
            school_id=school.id,
            region_code=school.region_code,
            returned_on={child: settled[child] for child in pupils},
            since={
                child: rules.counted_since(
                    since,
                    alerts[child]["first_absent_day"] if child in alerts else None,
                    ended.get(child, ()),
                )
                for child in pupils
            },
            today=tx.today,
        )
        thresholds = queries.thresholds(school.region_code, tx.today)
        for child, absence in absences.items():
            standing = _standing(alerts.get(child))
            change = rules.assess(standing, absence, thresholds)
            now = change.standing if change else standing
            if now is None:
                continue
            before = rules.going_on(ended.get(child, ()), absence, now.first_absent_day)
            if standing is None and before:  # no alert of its own: the last one goes on
                again.append((child, before.pop(0).id))
            elif change is not None:
                changes[child] = change
            continued += [(child, each.id) for each in before]
    return changes, again, continued


_REOPEN: Final = f"""
UPDATE dropout_alerts SET state = 'absent', returned_on = NULL, stated_on = NULL, ended_on = NULL,
    end_reason = NULL, version = version + 1, updated_at = $2
WHERE id = ANY ($1::uuid[]) AND state IN {models.DONE} RETURNING *
"""
_CONTINUE: Final = f"""
UPDATE dropout_alerts SET state = 'closed', returned_on = NULL, stated_on = NULL,
    end_reason = 'continued', version = version + 1, updated_at = $2
WHERE id = ANY ($1::uuid[]) AND state IN {models.DONE} RETURNING *
"""


async def _take_back(tx: Tx, again: _Ends, continued: _Ends) -> None:
    """Undo what ended alerts by itself, where that is not said any more: of those that go on, and
    of those whose days another alert counts by now.
    """
    told: list[spine.Event] = []
    for statement, kind, alerts in (
        (_REOPEN, "reopened", again),
        (_CONTINUE, "continued", continued),
    ):
        if not alerts:
            continue
        rows = await tx.connection.fetch(statement, [alert for _, alert in alerts], tx.now)
        for row in rows:
            await operations.note(tx, row, {"kind": kind})
            if kind == "reopened":
                told.append(events.AlertReopened(**events.about(row)))
        await addressing.witness(tx, (child for child, _ in alerts))
    await spine.publish(tx, *told)


async def _hand_over(tx: Tx, alerts: _Alerts) -> None:
    """Give alerts to the schools at which the children are enrolled now, as they stand, by way of
    those at which they were meanwhile. `alerts` says it afterwards.
    """
    if not alerts:
        return
    through = await queries.passed_through(tx, [alert["id"] for alert in alerts.values()])
    ways = {
        child: _way(alert["school_id"], [*through.get(child, ()), alert["pupil_of"]])
        for child, alert in alerts.items()
    }
    going = {child: way for child, way in ways.items() if way}
    if not going:
        return
    parties = {school for child, way in going.items() for school in way}
    parties |= {alerts[child]["school_id"] for child in going}
    schools = await queries.schools(tx, parties)
    told: list[spine.Event] = []
    for child, way in going.items():
        alert = alerts[child]
        for new in way:
            old = alert["school_id"]
            known = {*alert["known_to"], *schools[old].known_to, *schools[new].known_to}
            alert |= {"school_id": new, "handed_over_by": old, "known_to": sorted(known)}
            step = {"kind": "handed_over", "from_school_id": old, "to_school_id": new}
            await operations.hand_over(tx, alert, step)
            told.append(events.AlertHandedOver(**events.about(alert), from_school_id=old))
    await spine.publish(tx, *told)
    await addressing.witness(tx, going)


def _way(keeper: UUID, schools: Iterable[UUID | None]) -> list[UUID]:
    """Return the schools from one to the next of which an alert goes; None is none."""
    way = [keeper]
    for school in schools:
        if school not in {None, way[-1]}:
            way.append(school)
    return way[1:]


def _standing(row: dict[str, Any] | None) -> rules.Standing | None:
    if row is None:
        return None
    names = (
        "state",
        "first_absent_day",
        "last_absent_day",
        "unexcused_days",
        "doubt",
        "back_since",
    )
    return rules.Standing(**{name: row[name] for name in names})


_OPEN: Final = """
INSERT INTO dropout_alerts (id, home_county, child_id, region_code, pupil_of, opened_in, state,
    first_absent_day, last_absent_day, unexcused_days, registered_on, school_id, known_to,
    back_since, opened_on, version, created_at, updated_at)
SELECT u.id, u.home_county, u.child_id, u.region_code, u.pupil_of, u.region_code, u.state, u.first,
    u.last, u.days, u.registered_on, u.school_id, string_to_array(u.known_to, ' ')::uuid[],
    u.back_since, $14::date, 1, $15::timestamptz, $15
FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::date[],
    $8::date[], $9::int[], $10::date[], $11::uuid[], $12::text[], $13::date[])
    AS u (id, home_county, child_id, region_code, pupil_of, state, first, last, days, registered_on,
          school_id, known_to, back_since)
ON CONFLICT DO NOTHING RETURNING id, home_county, child_id, opened_in, school_id, known_to
"""


async def _open(
    tx: Tx,
    keepers: Mapping[UUID, UUID],
    schools: Mapping[UUID, queries.School],
    changes: Mapping[UUID, rules.Change],
) -> _Alerts:
    """Open alerts, known to all who would know of them if they had been opened on their first day;
    a child who has one by now keeps that one only.
    """
    new = {child: c.standing for child, c in changes.items() if c.verdict == "opened"}
    if not new:
        return {}
    places = await children.hold(tx, list(new))
    parties = await queries.parties(tx, keepers, new)
    schools = await _with(tx, schools, {each for some in parties.values() for each in some})
    rows = []
    for child, standing in sorted(new.items()):
        place = places[child]
        lives = (place.home_county, child, place.region_code, place.school_id)
        state, first, last, days, _, back = astuple(standing)
        registered_on = tx.today if state == "registered" else None
        known = sorted({who for each in parties[child] for who in schools[each].known_to})
        kept = (registered_on, keepers[child], " ".join(map(str, known)), back)
        rows.append((new_id(), *lives, state, first, last, days, *kept))
    columns = [list(column) for column in zip(*rows, strict=True)]
    opened = await tx.connection.fetch(_OPEN, *columns, tx.today, tx.now)
    return {row["child_id"]: dict(row) for row in opened}


async def _with(
    tx: Tx, schools: Mapping[UUID, queries.School], ids: set[UUID]
) -> Mapping[UUID, queries.School]:
    """Return schools with those that are missing. One statement, or none."""
    more = ids - schools.keys()
    return {**schools, **(await queries.schools(tx, more) if more else {})}


_MOVE: Final = """
UPDATE dropout_alerts a SET state = u.state, first_absent_day = u.first_day,
    last_absent_day = u.last_day, unexcused_days = u.days, doubt = u.doubt,
    back_since = u.back_since, returned_on = u.returned_on,
    registered_on = CASE WHEN u.state = 'registered' THEN coalesce(a.registered_on, $11::date)
                         ELSE a.registered_on END,
    ended_on = CASE WHEN u.reason IS NOT NULL THEN $11 END, end_reason = u.reason,
    version = a.version + 1, updated_at = $12::timestamptz
FROM UNNEST($1::uuid[], $2::text[], $3::date[], $4::date[], $5::int[], $6::text[], $7::date[],
    $8::date[], $9::text[], $10::bigint[])
    AS u (id, state, first_day, last_day, days, doubt, back_since, returned_on, reason, home_county)
WHERE a.home_county = u.home_county AND a.id = u.id
"""


async def _move(tx: Tx, moved: _Alerts, changes: Mapping[UUID, rules.Change]) -> None:
    if not moved:
        return
    rows = []
    for child, row in moved.items():
        change = changes[child]
        reason = change.verdict if change.standing.state in models.DONE else None
        about = (change.returned_on, reason, row["home_county"])
        rows.append((row["id"], *astuple(change.standing), *about))
        if change.doubted:
            days = change.standing.unexcused_days
            await operations.note(tx, row, {"kind": "doubted", "unexcused_days": days})
    columns = [list(column) for column in zip(*rows, strict=True)]
    await tx.connection.execute(_MOVE, *columns, tx.today, tx.now)


def _announced(row: dict[str, Any], change: rules.Change) -> Sequence[spine.Event]:
    named = events.about(row)
    days = change.standing.unexcused_days
    doubt = [events.AlertDoubted(**named, unexcused_days=days)] if change.doubted else []
    match change.verdict:
        case "opened":
            opened = events.AlertOpened(**named, unexcused_days=days)
            registered = change.standing.state == "registered"
            return [opened, events.ChildRegistered(**named)] if registered else [opened]
        case "registered":
            return [events.ChildRegistered(**named)]
        case "amended":
            return [events.AlertAmended(**named, unexcused_days=days), *doubt]
        case "excused":
            return [events.AlertClosed(**named, reason="excused")]
        case "attended":
            return [events.ChildReturned(**named)]
        case _:  # counted, or doubted
            return doubt
