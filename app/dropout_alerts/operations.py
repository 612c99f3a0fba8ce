"""What people do about a dropout alert, and how what happens to it is written down (what attendance
does: `jobs`).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, cast
from uuid import UUID

from sqlmodel import SQLModel, col, select

from app.access.principal import Principal
from app.attendance import presence
from app.attendance.events import PresenceVerified
from app.core.data import keys, sql
from app.core.data.db import Tx
from app.core.data.envelopes import of_child
from app.core.http.preconditions import check_version
from app.core.http.wire import Input
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.dropout_alerts import events, models, queries, rules, schemas
from app.dropout_alerts.acts import ACTS


async def record_persuasion(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.PersuasionCreate,
    *,
    if_match: int,
) -> None:
    """Record an attempt to bring the child back (EDU-03); a final one makes the report due. The
    first attempt enters the child in the register, if it was not yet (EDU-02).
    """
    check_version(alert.version, if_match)
    ACTS["recordPersuasion"].require(principal, alert.model_dump(), tx.today)
    by = {"recorded_by": principal.subject, "recorded_at": tx.now}
    by["persuaded_on"], by["stated_on"] = _counted(tx, alert, new.persuaded_on)
    await _keep(tx, alert, models.Persuasion, new, "note", **by)
    about = events.about(alert.model_dump())
    announced: list[spine.Event] = [
        events.PersuasionRecorded(**about, persuaded_on=by["persuaded_on"])
    ]
    if new.outcome != "unreachable":
        announced.append(events.ParentsSpokenTo(**about, spoken_on=by["persuaded_on"]))
    announced += _register(tx, alert)
    before = cast("models.State", alert.state)  # the table's constraint holds it to the states
    alert.state = rules.after_persuasion(before, gave_up=new.final)
    if alert.state == "persuasion_failed" != before:
        announced.append(events.PersuasionFailed(**events.about(alert.model_dump())))
    await _changed(tx, alert, *announced)


async def record_parent_contact(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.ParentContactCreate,
    *,
    if_match: int,
) -> None:
    """Record that the parents were spoken to of why the child is away (EDU-01). It stays where it
    stands: who was asked is in no register.
    """
    check_version(alert.version, if_match)
    ACTS["recordParentContact"].require(principal, alert.model_dump(), tx.today)
    by: dict[str, Any] = {"kind": "spoken", "taken_by": principal.subject, "taken_at": tx.now}
    by["spoken_on"], by["stated_on"] = _counted(tx, alert, new.spoken_on)
    await _keep(tx, alert, models.AlertStep, new, "note", **by)
    spoken = events.ParentsSpokenTo(**events.about(alert.model_dump()), spoken_on=by["spoken_on"])
    await _changed(tx, alert, spoken)


async def enter_in_register(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.RegisterEntry,
    *,
    if_match: int,
) -> None:
    """Enter in the register why the child stays away and where it is, as known now (EDU-02)."""
    check_version(alert.version, if_match)
    ACTS["enterInRegister"].require(principal, alert.model_dump(), tx.today)
    by = {"kind": "entered", "taken_by": principal.subject, "taken_at": tx.now}
    await _keep(tx, alert, models.AlertStep, new, "note", **by)
    announced = [*_register(tx, alert), *_enter(alert, new)]
    if alert.state == "absent":
        alert.state = "registered"
    await _changed(tx, alert, *announced)


def _register(tx: Tx, alert: models.DropoutAlert) -> list[spine.Event]:
    """Enter the child in the register, if it was not yet (EDU-02)."""
    if alert.registered_on is not None:
        return []
    alert.registered_on = tx.today
    return [events.ChildRegistered(**events.about(alert.model_dump()))]


def _enter(
    alert: models.DropoutAlert, said: schemas.RegisterEntry | schemas.WrittenReportCreate
) -> list[spine.Event]:
    alert.cause, alert.whereabouts = said.cause, said.whereabouts
    return [events.RegisterEntered(**events.about(alert.model_dump()))]


async def send_written_report(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.WrittenReportCreate,
    *,
    if_match: int,
) -> None:
    """Write to the county's education authority and the township the child lives in now (EDU-04,
    EDU-05), or to whichever of them is registered. Raises AddresseeMissing if neither is.
    """
    check_version(alert.version, if_match)
    found = await queries.whole(tx, principal, alert)
    ACTS["sendWrittenReport"].require(principal, found, tx.today)
    addressees = {kind: UUID(agency_id) for kind, agency_id in found["addressees"].items()}
    alert.addressed = list(addressees.values())
    await spread(tx, alert.model_dump())
    by = {"sent_by": principal.subject, "sent_at": tx.now}
    await _keep(tx, alert, models.WrittenReport, new, "summary", **by)
    for kind, agency_id in addressees.items():
        receipt = models.ReportReceipt(**_about(alert), agency_id=agency_id, kind=kind)
        tx.session.add(receipt)
    alert.state = "written_report_sent"
    announced = [*_register(tx, alert), *_enter(alert, new)]
    told = tuple(addressees.values())
    sent = events.WrittenReportSent(
        **events.about(alert.model_dump()),
        addressees=told,
        told_to=_parties(alert, told),
    )
    await _changed(tx, alert, *announced, sent)


async def acknowledge_written_report(
    tx: Tx, principal: Principal, alert: models.DropoutAlert, *, if_match: int
) -> None:
    """Confirm, as one of the addressees, to have the report. Again: the first time stands."""
    check_version(alert.version, if_match)
    ACTS["acknowledgeWrittenReport"].require(principal, alert.model_dump(), tx.today)
    found = await tx.session.exec(
        select(models.ReportReceipt).where(col(models.ReportReceipt.alert_id) == alert.id)
    )
    receipts = found.all()
    own = next(one for one in receipts if one.agency_id == principal.agency_id)
    announced = []
    if own.received_at is None:
        own.received_at, own.received_by = tx.now, principal.subject
        announced.append(
            events.WrittenReportReceived(
                **events.about(alert.model_dump()),
                agency_id=own.agency_id,
                all_received=all(receipt.received_at for receipt in receipts),
                told_to=_parties(alert, (receipt.agency_id for receipt in receipts)),
            )
        )
    await _changed(tx, alert, *announced)


async def order_measure(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.DropoutMeasureCreate,
    *,
    if_match: int,
) -> None:
    """Record what an addressee does to bring the child back (EDU-07)."""
    check_version(alert.version, if_match)
    ACTS["orderMeasure"].require(principal, alert.model_dump(), tx.today)
    by: dict[str, Any] = {"agency_id": principal.agency_id, "ordered_by": principal.subject}
    by["ordered_on"], by["stated_on"] = _counted(tx, alert, new.ordered_on)
    await _keep(tx, alert, models.Measure, new, "note", **by, recorded_at=tx.now)
    alert.state = "measures"
    ordered = events.MeasureOrdered(
        **events.about(alert.model_dump()), agency_id=principal.agency_id
    )
    await _changed(tx, alert, ordered)


async def record_return(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.SchoolReturnCreate,
    *,
    if_match: int,
) -> None:
    """Record that the child is back (销号): a named person says so."""
    check_version(alert.version, if_match)
    ACTS["recordReturn"].require(principal, alert.model_dump(), tx.today)
    alert.state, alert.end_reason, alert.ended_on = "returned", "recorded", tx.today
    alert.returned_on, alert.stated_on = _counted(tx, alert, new.returned_on)
    alert.return_kind = new.kind
    alert.back_since = None
    if new.kind == "same_school":  # somebody may have seen it elsewhere that day (EDU-01)
        day = alert.returned_on
        word = presence.Sighting(alert.child_id, alert.id, alert.school_id, day, day)
        async with tx.as_system():
            await presence.sighted(tx, word)
    await _changed(tx, alert, events.ChildReturned(**events.about(alert.model_dump())))


_NOT_BACK: Final = f"""
UPDATE dropout_alerts AS a SET returned_on = NULL, stated_on = NULL, return_kind = NULL,
    version = a.version + 1, updated_at = $4,
    end_reason = CASE WHEN other.id IS NULL THEN NULL ELSE 'continued' END,
    ended_on = CASE WHEN other.id IS NULL THEN NULL ELSE a.ended_on END,
    state = CASE WHEN other.id IS NOT NULL THEN 'closed'
        WHEN EXISTS (SELECT FROM dropout_measures m WHERE m.alert_id = a.id) THEN 'measures'
        WHEN cardinality(a.addressed) > 0 THEN 'written_report_sent'
        WHEN EXISTS (SELECT FROM dropout_persuasions p WHERE p.alert_id = a.id AND p.final)
        THEN 'persuasion_failed'
        WHEN EXISTS (SELECT FROM dropout_persuasions p WHERE p.alert_id = a.id) THEN 'persuading'
        WHEN a.registered_on IS NOT NULL THEN 'registered' ELSE 'absent' END
FROM (SELECT $1::uuid AS child_id) AS one
LEFT JOIN dropout_alerts other ON other.child_id = one.child_id AND other.state NOT IN {models.DONE}
WHERE a.id = (
    SELECT id FROM dropout_alerts
    WHERE child_id = $1 AND end_reason = 'recorded' AND returned_on = $2
        AND $3 = ANY (known_to) ORDER BY id DESC LIMIT 1)
RETURNING a.*
"""


async def not_back(tx: Tx, event: PresenceVerified) -> bool:
    """Let an alert go on of which a school recorded that the child was back, on a day on which it
    was found elsewhere: where it stood, by what was done about it; or in the one that is open.
    Returns whether there was one. For the worker.
    """
    about = (event.child_id, event.school_day, event.school_id)
    row = await tx.connection.fetchrow(_NOT_BACK, *about, tx.now)
    if row is None:
        return False
    await presence.mistaken(tx, event.child_id, [row["id"]])
    going_on = row["end_reason"] is None
    await note(tx, row, {"kind": "reopened" if going_on else "continued"})
    if going_on:
        await spine.publish(tx, events.AlertReopened(**events.about(row)))
    return True


async def settle_doubt(
    tx: Tx,
    principal: Principal,
    alert: models.DropoutAlert,
    new: schemas.DoubtDecision,
    *,
    if_match: int,
) -> None:
    """Decide, as a named person, whether a doubted alert stands or was none."""
    check_version(alert.version, if_match)
    ACTS["settleDoubt"].require(principal, alert.model_dump(), tx.today)
    by = {"kind": "doubt_settled", "taken_by": principal.subject, "taken_at": tx.now}
    await _keep(tx, alert, models.AlertStep, new, "note", **by, unexcused_days=alert.unexcused_days)
    alert.doubt = None
    about = events.about(alert.model_dump())
    announced: list[spine.Event] = [events.DoubtSettled(**about, decision=new.decision)]
    if new.decision == "struck_off":
        alert.state, alert.end_reason, alert.ended_on = "closed", "struck_off", tx.today
        announced.append(events.AlertClosed(**about, reason="struck_off"))
    await _changed(tx, alert, *announced)


_HAND_OVER: Final = """
UPDATE dropout_alerts SET school_id = $3, handed_over_by = $4, known_to = $5,
    version = version + 1, updated_at = $6
WHERE home_county = $1 AND id = $2
"""


async def hand_over(tx: Tx, alert: Mapping[str, Any], step: Mapping[str, Any]) -> None:
    """Let another school keep a locked alert and all below it, as `alert` says; note the step."""
    await tx.connection.execute(
        _HAND_OVER,
        alert["home_county"],
        alert["id"],
        *(alert[name] for name in ("school_id", "handed_over_by", "known_to")),
        tx.now,
    )
    await spread(tx, alert)
    await note(tx, alert, step)


async def note(tx: Tx, alert: Mapping[str, Any], step: Mapping[str, Any]) -> None:
    """Write down what happened to a locked alert by itself."""
    place = ("home_county", "child_id", "region_code", "pupil_of", "school_id")
    row = {
        **{name: alert[name] for name in (*place, "addressed", "known_to")},
        "id": new_id(),
        "alert_id": alert["id"],
        "taken_by": "system",
        "taken_at": tx.now,
        **step,
    }
    await sql.insert(tx.connection, "dropout_alert_steps", row)


_KEPT: Final = ("dropout_persuasions", "dropout_written_reports", "dropout_measures")
_SPREAD: Final = f"""
WITH {
    ", ".join(
        f'''
    {table}_told AS (
        UPDATE {table} SET school_id = $3, known_to = $4, addressed = $5
        WHERE home_county = $1 AND alert_id = $2)'''
        for table in (*_KEPT, "dropout_alert_steps")
    )
}
UPDATE dropout_report_receipts SET school_id = $3, known_to = $4
WHERE home_county = $1 AND alert_id = $2
"""


async def spread(tx: Tx, alert: Mapping[str, Any]) -> None:
    """Let what lies below an alert say who sees it."""
    names = ("home_county", "id", "school_id", "known_to", "addressed")
    await tx.connection.execute(_SPREAD, *(alert[name] for name in names))


def _parties(alert: models.DropoutAlert, addressees: Iterable[UUID]) -> tuple[UUID, ...]:
    return tuple({*addressees, alert.school_id, *alert.known_to})


def _about(alert: models.DropoutAlert) -> dict[str, Any]:
    # The alert is held for a change, so its place is the child's now (`children.below`).
    return {
        "home_county": alert.home_county,
        "child_id": alert.child_id,
        "region_code": alert.region_code,
        "pupil_of": alert.pupil_of,
        "alert_id": alert.id,
        "school_id": alert.school_id,
        "known_to": alert.known_to,
    }


async def _keep(
    tx: Tx, alert: models.DropoutAlert, table: type[SQLModel], new: Input, words: str, **by: Any
) -> None:
    """Add a row below an alert: what was said, its `words` sealed, and by whom."""
    row_id, said = new_id(), new.model_dump()
    text, column = said.pop(words), f"{words}_sealed"
    if text is not None:
        of = of_child(alert.child_id)
        await keys.load(tx, [of], alert.home_county)
        said[column] = tx.keyring.seal(f"{table.__tablename__}.{column}", row_id, text, of)
    tx.session.add(table(**_about(alert), addressed=alert.addressed, id=row_id, **{**said, **by}))


def _counted(tx: Tx, alert: models.DropoutAlert, day: date) -> tuple[date, date | None]:
    """Return the day that counts, and the one that was sent if it cannot be: it lies ahead or
    before the first day missed, and that of receipt counts.
    """
    if alert.first_absent_day <= day <= tx.today:
        return day, None
    return max(alert.first_absent_day, tx.today), day


async def _changed(tx: Tx, alert: models.DropoutAlert, *announced: spine.Event) -> None:
    alert.version += 1
    alert.updated_at = tx.now
    await tx.flush()
    await spine.publish(tx, *announced)
