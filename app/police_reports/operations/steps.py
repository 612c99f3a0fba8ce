"""Steps on a report after it was filed, by the police and by the township (REP-07…17).

Each is appended to the journal and never refused for coming early (R24). A client-made id makes a
repeated request the same step, so none needs If-Match.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
import orjson
from pydantic import BaseModel

from app.access.principal import Principal
from app.core.data import keys
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import of_report
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.police_reports import events, fetching, jurisdiction, models, rules, schemas
from app.police_reports.acts import ACTS, IN_PLACE, TOLD
from app.police_reports.fetching import Report
from app.police_reports.models import State, Step
from app.police_reports.operations import filing, home
from app.police_reports.operations.charge import takes_charge
from app.police_reports.operations.locks import hold_step
from app.police_reports.operations.own_ids import own_id
from app.police_reports.operations.situations import said_to_be
from app.police_reports.operations.standing import NOT_PROPOSED, change
from app.police_reports.operations.telling import announce
from app.police_reports.schemas import steps as stated
from app.referrals.operations import opening

_CONTENT: Final = "police_report_steps.content"
_FILED: Final = """
SELECT data FROM events WHERE subject_id = $1 AND wire_name = $2 ORDER BY id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Deed:
    """One step to be taken: what was stated, who is told and what it changes.

    `facts`: what the event says besides the report. `codes`: what may be counted; all else that was
    stated, but the moment and the reference, is sealed. `beside`: another report it tells of; who
    has no part in that one is told nothing. `also_told`: agencies that hear it, too, `only_told`:
    no others do. `counts`: if it does not, the report stands where it stood, and is `ToldLate`: no
    duty hears of it.
    """

    step: Step
    body: BaseModel
    announces: type[spine.Event]
    facts: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    codes: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] | None = None
    also_told: Sequence[UUID] = ()
    only_told: Sequence[UUID] | None = None
    counts: bool = True


Taken = tuple[schemas.StepTaken, bool]
"""What was recorded, and whether it is new."""

Body = TypeVar("Body", bound=BaseModel)
Taking = Callable[[Tx, Principal, Report, Body], Awaitable[Taken]]


def _content(ring: Keyring, step: Step, body: BaseModel) -> bytes:
    # A field that came later is no part of what was sent before it was there.
    later: dict[str, Any] = {
        name: True for name in ("situations",) if getattr(body, name, None) is None
    }
    services = enumerate(getattr(body, "services", ()))
    unnamed = {place for place, each in services if each.provider_agency_id is None}
    later |= {"services": {place: {"provider_agency_id"} for place in unnamed}} if unnamed else {}
    return ring.blind_index(_CONTENT, f"{step}\0{body.model_dump_json(exclude=later)}")


async def repeated(
    tx: Tx, report: Mapping[str, Any], body: Body, *steps: Step
) -> tuple[Taken | None, Body]:
    """Return the step recorded as what was stated, as one of `steps`, if it was before, and what
    was stated: under an id of its own, if it came under that of another step.
    """
    if getattr(body, "id", None) is None:
        return None, body
    free = []
    for ring in tx.keyring.each():
        before, under = await _along(tx, ring, report, body, steps)
        if before is not None:
            return (_taken(before, report["state"], report["version"]), False), under
        free.append(under)
    return None, free[0]


async def _along(
    tx: Tx, ring: Keyring, report: Mapping[str, Any], body: Body, steps: Sequence[Step]
) -> tuple[asyncpg.Record | None, Body]:
    """Follow the ids under which a step may have been recorded, as one index key makes them, to
    where it was, or nobody's is.
    """
    while True:
        step_id: UUID = body.id  # type: ignore[attr-defined]
        await hold_step(tx, step_id)
        async with tx.as_system():  # whoever took it may have lost sight of it by that
            before = await tx.connection.fetchrow(
                "SELECT * FROM police_report_steps WHERE id = $1", step_id
            )
        if before is None and step_id.int:  # systems write the id of zeros for none
            return None, body
        same = before is not None and before["report_id"] == report["id"]
        if same and before["content_index"] in {
            _content(key, step, body) for key in tx.keyring.each() for step in steps
        }:
            return before, body
        said = (report["id"], steps[0], body.model_dump_json())
        body = body.model_copy(update={"id": own_id(ring, *said)})


def repeatable(act: str, *steps: Step) -> Callable[[Taking[Body]], Taking[Body]]:
    """Declare a step, recorded as one of `steps`: sent again it gets the same answer, also from
    whom it is not for any more; else the caller must be one who may take it. Raises what the act
    raises.
    """

    def declare(taking: Taking[Body]) -> Taking[Body]:
        @wraps(taking)
        async def run(tx: Tx, principal: Principal, report: Report, new: Body) -> Taken:
            before, new = await repeated(tx, report, new, *steps)
            if before:
                return before
            ACTS[act].require(principal, report, tx.today)
            return await taking(tx, principal, report, new)

        return run

    return declare


async def acknowledge_report(
    tx: Tx, principal: Principal, report: Report, new: stated.Acknowledgement
) -> Taken:
    """Accept a report under the police's own number; the same number again is the same answer.
    Forwarded since, it is to be accepted anew, also by police who had accepted it before; late word
    of those who had it changes nothing. Whoever says later which situations are meant takes a step
    more. Raises ReportInvalid.
    """
    counts = TOLD.holds(principal, report, tx.today)
    before = await tx.connection.fetchrow(
        "SELECT * FROM police_report_steps WHERE report_id = $1 AND agency_id = $2"
        " AND step = 'acknowledged' AND reference = $3 ORDER BY recorded_at DESC, id DESC",
        report["id"],
        principal.agency_id,
        new.police_reference,
    )
    first = report["acknowledged_at"] is None and counts
    says = {*(new.situations or ())} - {*report["situations"]}
    if before is not None and not first and not (says and counts):
        return _taken(before, report["state"], report["version"]), False
    changes = {"acknowledged_at": new.accepted_at, "police_reference": new.police_reference}
    unnumbered = counts and not first and report["police_reference"] is None
    if unnumbered:  # a case of their own
        changes = {"police_reference": new.police_reference}
    deed = Deed(
        Step.ACKNOWLEDGED,
        new,
        events.ReportAcknowledged,
        facts={"police_agency_id": principal.agency_id} if counts else {},
        reference=new.police_reference,
        codes={"understood": True} if new.situations else {},
        changes={
            **(changes if first or unnumbered else {}),
            **(await said_to_be(tx, report, new.situations) if counts else {}),
        },
        counts=counts,
    )
    taken = await take(tx, principal, report, deed)
    if counts:
        await filing.relieve(tx, report)
    return taken


@repeatable("dispatchReport", Step.DISPATCHED)
async def dispatch_report(
    tx: Tx, principal: Principal, report: Report, new: stated.Dispatch
) -> Taken:
    """Record that officers went out; late word of police who had it before changes nothing. What
    help they want, who reported is asked for, and nobody else learns of that.
    """
    counts = TOLD.holds(principal, report, tx.today)
    deed = Deed(Step.DISPATCHED, new, events.ReportDispatched, counts=counts)
    taken = await take(tx, principal, report, deed)
    reporter = report["reporter_agency_id"]
    themselves = reporter == principal.agency_id
    if new.help_wanted and counts and not themselves and reporter not in report["hidden_from"]:
        fields = {"only": (reporter,), "reporter_agency_id": reporter}
        await announce(tx, events.HelpAsked, report, **fields)
    return taken


@repeatable("assistPolice", Step.ASSISTED)
async def assist_police(
    tx: Tx, principal: Principal, report: Report, new: stated.Assistance
) -> Taken:
    """Record how who reported helps the police, asked or not (REP-07)."""
    told = [each for each in (report["police_agency_id"], *report["also_told"]) if each]
    deed = Deed(Step.ASSISTED, new, events.HelpGiven, only_told=told)
    return await take(tx, principal, report, deed)


@repeatable("notifyTownship", Step.TOWNSHIP_NOTIFIED)
async def notify_township(
    tx: Tx, principal: Principal, report: Report, new: stated.TownshipNotice
) -> Taken:
    """Tell the township of acceptance and handling (REP-14): that of the child's home, else of the
    place. One that is reported itself, or not registered, is replaced by civil affairs.
    """
    offices = await jurisdiction.offices(tx, report)
    deed = Deed(
        Step.TOWNSHIP_NOTIFIED,
        new,
        events.TownshipNotified,
        facts={"township_agency_id": offices.township},
        changes={"township_agency_id": offices.township},
    )
    return await take(tx, principal, report, deed)


@repeatable("confirmTownshipNotice", Step.TOWNSHIP_RECEIVED)
async def confirm_township_notice(
    tx: Tx, principal: Principal, report: Report, new: stated.NoticeReceipt
) -> Taken:
    """Confirm the police's notice, as the agency it was sent to (REP-14)."""
    deed = Deed(Step.TOWNSHIP_RECEIVED, new, events.TownshipNoticeReceived)
    return await take(tx, principal, report, deed)


@repeatable("recordAssessment", Step.ASSESSED)
async def record_assessment(
    tx: Tx, principal: Principal, report: Report, new: stated.Assessment
) -> Taken:
    """Record an assessment. It counts by the offices of the place and of the child's home of now;
    that of a former home is kept beside.
    """
    counts = IN_PLACE.holds(principal, report, tx.today)
    changes = {"assessed_at": new.assessed_at} if counts else {}
    codes = {"participants": sorted({*new.participants})}
    what = (Step.ASSESSED, new, events.AssessmentRecorded)
    deed = Deed(*what, changes=changes, codes=codes, counts=counts)
    return await take(tx, principal, report, deed)


@repeatable("arrangeServices", Step.SERVICES_ARRANGED)
async def arrange_services(
    tx: Tx, principal: Principal, report: Report, new: stated.ServiceOrder
) -> Taken:
    """Arrange services; an agency is asked (`owing.refer_services`). Raises ReceiverUnknown."""
    for service in new.services:
        if service.provider_agency_id is not None:
            await opening.kind_of(tx, service.provider_agency_id)
    codes = {"service_kinds": sorted({service.kind for service in new.services})}
    deed = Deed(Step.SERVICES_ARRANGED, new, events.ServicesArranged, codes=codes)
    return await take(tx, principal, report, deed)


async def redeliver(tx: Tx, report: Report, agency_id: UUID, acknowledge_due_at: datetime) -> bool:
    """Queue a report once more, to police who may have had it before; False: no endpoint."""
    offices = await jurisdiction.offices(tx, report)
    said = await tx.connection.fetchval(_FILED, report["id"], events.ReportFiled.wire_name)
    kept = said and events.ReportFiled.model_validate(said)
    filed = kept or filing.as_filed(tx, report, offices)
    told_to = offices.told(report["reporter_agency_id"], agency_id, hidden=report["hidden_from"])
    now = {"police_agency_id": agency_id, "acknowledge_due_at": acknowledge_due_at}
    filed = filed.model_copy(update={"told_to": told_to, **now})
    announced = filed.model_copy(update={"told_to": (agency_id,)})
    return await filing.deliver(tx, filed, agency_id=agency_id, announced=announced)


async def take(tx: Tx, principal: Principal | None, report: Mapping[str, Any], deed: Deed) -> Taken:
    """Append a step and change what follows from it. One on a closed case opens it again. Without
    a principal it is what follows by itself from what was said before.
    """
    moment, at = next((name, said) for name, said in deed.body if isinstance(said, datetime))
    state, early = rules.advance(State(report["state"]), deed.step)
    state = state if deed.counts else State(report["state"])
    step_id = getattr(deed.body, "id", None) or new_id()
    known = {"id", moment, "police_reference", *deed.codes}
    told = deed.body.model_dump(mode="json", exclude=known, exclude_none=True)
    uncounted = {} if deed.counts else {"counted": False}
    of = of_report(report["id"])
    await keys.load(tx, [of], report["home_county"])
    codes = await fetching.step_columns(tx, step_id, of, {**deed.codes, **uncounted})
    row = models.PoliceReportStep(
        id=step_id,
        home_county=report["home_county"],
        report_id=report["id"],
        step=deed.step,
        at=at,
        recorded_at=tx.now,
        agency_id=principal.agency_id if principal else None,
        reference=deed.reference,
        **codes,
        details_sealed=tx.keyring.seal(models.DETAILS, step_id, orjson.dumps(told), of)
        if told
        else None,
        content_index=_content(tx.keyring, deed.step, deed.body),
        out_of_order=early,
    )
    charge: dict[str, Any] = {}
    if principal and deed.counts:
        charge = await takes_charge(tx, principal, report, deed.step)
    again = await _reopened(tx, principal, {**report, **charge}, row)
    await tx.add(row)
    changes = {"state": state, **again, **charge, **deed.changes}
    homes = {name: changes.get(name, report[name]) for name in ("home_region", "former_homes")}
    told = {"beside": deed.beside, "also": deed.also_told, "only": deed.only_told}
    about = {**report, **homes, **charge}
    said = (deed.announces, deed.facts) if deed.counts else (events.ToldLate, {"step": deed.step})
    await announce(tx, said[0], about, **told, **said[1])
    if deed.step in rules.BETWEEN_REPORTS:
        return _taken(row.model_dump(), state, report["version"]), True
    await change(tx, report["id"], **changes)
    await _tell_result(tx, report, changes)
    return _taken(row.model_dump(), changes["state"], report["version"] + 1), True


async def _reopened(
    tx: Tx, principal: Principal | None, report: Mapping[str, Any], row: models.PoliceReportStep
) -> Mapping[str, Any]:
    """Return what a new fact changes of a case that is closed, or that somebody would close."""
    step = Step(row.step)
    if step not in rules.REOPENING:
        return {}
    if report["state"] != State.CLOSED:
        return NOT_PROPOSED if report["closure_step_id"] else {}
    state = rules.reopened(report, step, counts=row.codes.get("counted", True))
    reopening = models.PoliceReportStep(
        home_county=report["home_county"],
        report_id=report["id"],
        step=Step.REOPENED,
        at=tx.now,  # that it was opened again is of now, whenever the fact was
        recorded_at=tx.now,
        agency_id=principal.agency_id if principal else None,
        codes={"by": str(row.id)},
        content_index=b"",  # nobody states it, so nobody can state the same again
    )
    await tx.add(reopening)
    in_charge = report["police_agency_id"]
    await announce(tx, events.ReportReopened, report, state=state, police_agency_id=in_charge)
    known = report["assessed_at"] if step is Step.SERVICES_ARRANGED else None
    return {
        **await home.now(tx, report),
        **NOT_PROPOSED,
        "state": state,
        "assessed_at": known,
        "closed_at": None,
        "outcome": None,
        "acknowledgement_alarmed_at": None,
        "delivery_alarmed_at": None,
    }


async def _tell_result(tx: Tx, report: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Tell who reported what became of it (未成年人保护法 Art. 11), each thing once."""
    new = [
        result
        for result, column in _RESULTS.items()
        if changes.get(column) is not None and report[column] is None
    ]
    if new and report["reporter_agency_id"] not in report["hidden_from"]:
        outcome = changes.get("outcome")
        told = [
            events.ResultTold(
                subject_id=report["id"],
                region_code=report["region_code"],
                home_county=report["home_county"],
                told_to=(report["reporter_agency_id"],),
                result=result,
                outcome=outcome if result == "ended" else None,
            )
            for result in new
        ]
        await spine.publish(tx, *told)


_RESULTS: Final = {"accepted": "acknowledged_at", "handled": "handled_at", "ended": "closed_at"}


def _taken(step: Mapping[str, Any], state: str, version: int) -> schemas.StepTaken:
    said = {**step, "at_ahead": rules.is_ahead(step)}
    return schemas.StepTaken.model_validate({**said, "state": state, "version": version})
