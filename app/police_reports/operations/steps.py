"""Steps on a report after it was filed, by the police and by the township (REP-07…17).

Each is appended to the journal and never refused for coming early (R24). A client-made id makes a
repeated request the same step, so none needs If-Match.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from pydantic import BaseModel

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.core.problems import Problem
from app.police_reports import events, models, queries, rules, schemas
from app.police_reports.acts import ACTS
from app.police_reports.models import State, Step
from app.police_reports.operations import filing
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.schemas import steps as stated

_CONTENT: Final = "police_report_steps.content"
_FILED: Final = """
SELECT data FROM events WHERE subject_id = $1 AND wire_name = $2 ORDER BY id LIMIT 1
"""


class StepIdTaken(Problem, status=409):
    """A step was recorded under this id, with other content."""

    title = "Another step was recorded under this id"
    title_zh = "该编号已用于另一个步骤"


@dataclass(frozen=True, slots=True)
class Deed:
    """One step to be taken: what was stated, who is told and what it changes.

    `facts`: what the event says besides the report. `codes`: what may be counted; all else that was
    stated, but the moment and the reference, is sealed.
    """

    step: Step
    body: BaseModel
    announces: type[spine.Event]
    facts: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    codes: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


Taken = tuple[schemas.StepTaken, bool]
"""What was recorded, and whether it is new."""


async def acknowledge_report(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Acknowledgement
) -> Taken:
    """Accept a report under the police's own number; the same number again is the same answer.
    Forwarded since, it is to be accepted anew, also by police who had accepted it before.
    """
    ACTS["acknowledgeReport"].require(principal, report, tx.today)
    before = await tx.connection.fetchrow(
        "SELECT * FROM police_report_steps WHERE report_id = $1 AND agency_id = $2"
        " AND step = 'acknowledged' AND reference = $3 ORDER BY recorded_at DESC, id DESC",
        report["id"],
        principal.agency_id,
        new.police_reference,
    )
    first = report["acknowledged_at"] is None
    if before is not None and not first:
        return _taken(before, report["state"], report["version"]), False
    changes = {"acknowledged_at": new.accepted_at, "police_reference": new.police_reference}
    deed = Deed(
        Step.ACKNOWLEDGED,
        new,
        events.ReportAcknowledged,
        reference=new.police_reference,
        changes=changes if first else {},
    )
    return await _take(tx, principal, report, deed)


async def dispatch_report(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Dispatch
) -> Taken:
    ACTS["dispatchReport"].require(principal, report, tx.today)
    return await _take(tx, principal, report, Deed(Step.DISPATCHED, new, events.ReportDispatched))


async def dispose_report(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Disposition
) -> Taken:
    """Record what the police did in one kind of situation (REP-08…13)."""
    ACTS["disposeReport"].require(principal, report, tx.today)
    for at, measure in enumerate(new.measures):
        if measure not in rules.MEASURES[new.kind]:
            raise ReportInvalid.at(
                f"#/measures/{at}", "measure_unknown", "Not a measure of this kind of situation."
            )
    placed = new.placed_with_agency_id
    if placed is not None and await queries.agency_kind(tx, placed) is None:
        raise ReportInvalid.at(
            "#/placed_with_agency_id", "agency_unknown", "There is no such agency."
        )
    deed = Deed(
        Step.DISPOSED,
        new,
        events.ReportDisposed,
        facts={"police_agency_id": principal.agency_id},
        codes={
            "kind": new.kind,
            "measures": sorted(set(new.measures)),
            "placed_with_agency_id": placed,
        },
    )
    return await _take(tx, principal, report, deed)


async def notify_township(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.TownshipNotice
) -> Taken:
    """Tell the township of acceptance and handling (REP-14). A township that is reported itself, or
    not registered, is replaced by civil affairs.
    """
    ACTS["notifyTownship"].require(principal, report, tx.today)
    offices = await queries.offices(tx, report["region_code"], report["suspect_agency_id"])
    deed = Deed(
        Step.TOWNSHIP_NOTIFIED,
        new,
        events.TownshipNotified,
        facts={"township_agency_id": offices.township},
        changes={"township_agency_id": offices.township},
    )
    return await _take(tx, principal, report, deed)


async def forward_report(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Forwarding
) -> Taken:
    """Pass a report to the police agency in charge, which gets it as if just filed. The deadline to
    accept it starts again; the journal keeps what was done before.
    """
    if repeated := await _repeated(tx, report, Step.FORWARDED, new):
        return repeated
    ACTS["forwardReport"].require(principal, report, tx.today)
    target = new.police_agency_id
    if (
        target in {principal.agency_id, report["suspect_agency_id"]}
        or await queries.agency_kind(tx, target) != "police"
    ):
        raise ReportInvalid.at(
            "#/police_agency_id", "agency_unknown", "Name another police agency."
        )
    terms = filing.deadlines(tx, report["region_code"])
    routed = await redeliver(tx, report, target, terms["acknowledge_due_at"])
    deed = Deed(
        Step.FORWARDED,
        new,
        events.ReportForwarded,
        facts={"police_agency_id": target, "acknowledge_due_at": terms["acknowledge_due_at"]},
        codes={"police_agency_id": target},
        changes={
            "police_agency_id": target,
            "also_told": [],
            "forwarded_by_id": principal.agency_id,
            "routing": "routed" if routed else "no_endpoint",
            "state": State.FILED,
            "delivered_at": None,
            "acknowledged_at": None,
            "police_reference": None,
            "acknowledgement_alarmed_at": None,
            "delivery_alarmed_at": None,
            **terms,
        },
    )
    return await _take(tx, principal, report, deed)


async def confirm_township_notice(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.NoticeReceipt
) -> Taken:
    """Confirm the police's notice, as the agency it was sent to (REP-14)."""
    ACTS["confirmTownshipNotice"].require(principal, report, tx.today)
    deed = Deed(Step.TOWNSHIP_RECEIVED, new, events.TownshipNoticeReceived)
    return await _take(tx, principal, report, deed)


async def record_assessment(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Assessment
) -> Taken:
    ACTS["recordAssessment"].require(principal, report, tx.today)
    return await _take(tx, principal, report, Deed(Step.ASSESSED, new, events.AssessmentRecorded))


async def arrange_services(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.ServiceOrder
) -> Taken:
    ACTS["arrangeServices"].require(principal, report, tx.today)
    codes = {"service_kinds": sorted({service.kind for service in new.services})}
    deed = Deed(Step.SERVICES_ARRANGED, new, events.ServicesArranged, codes=codes)
    return await _take(tx, principal, report, deed)


async def close_report(
    tx: Tx, principal: Principal, report: asyncpg.Record, new: stated.Closure
) -> Taken:
    """End the case: nothing more is to be done."""
    ACTS["closeReport"].require(principal, report, tx.today)
    deed = Deed(Step.CLOSED, new, events.ReportClosed, codes={"reason": new.reason})
    return await _take(tx, principal, report, deed)


async def redeliver(
    tx: Tx, report: asyncpg.Record, agency_id: UUID, acknowledge_due_at: datetime
) -> bool:
    """Queue a report once more, to police who may have had it before; False: no endpoint."""
    suspect = report["suspect_agency_id"]
    offices = await queries.offices(tx, report["region_code"], suspect)
    said = await tx.connection.fetchval(_FILED, report["id"], events.ReportFiled.wire_name)
    filed = events.ReportFiled.model_validate(
        {
            **said,
            "told_to": offices.told(report["reporter_agency_id"], agency_id, suspect=suspect),
            "police_agency_id": agency_id,
            "acknowledge_due_at": acknowledge_due_at,
        }
    )
    routed = await filing.deliver(tx, filed, agency_id=agency_id)
    if routed:
        await spine.publish(tx, filed.model_copy(update={"told_to": (agency_id,)}))
    return routed


def _content(tx: Tx, step: Step, body: BaseModel) -> bytes:
    return tx.keyring.blind_index(_CONTENT, f"{step}\0{body.model_dump_json()}")


async def _repeated(tx: Tx, report: asyncpg.Record, step: Step, body: BaseModel) -> Taken | None:
    """Return the step recorded under the client's id, if it is this one; raises StepIdTaken."""
    step_id = getattr(body, "id", None)
    if step_id is None:
        return None
    before = await tx.connection.fetchrow(
        "SELECT * FROM police_report_steps WHERE id = $1", step_id
    )
    if before is None:
        return None
    if before["report_id"] != report["id"] or before["content_index"] != _content(tx, step, body):
        raise StepIdTaken
    return _taken(before, report["state"], report["version"]), False


async def _take(tx: Tx, principal: Principal, report: asyncpg.Record, deed: Deed) -> Taken:
    moment, at = next((name, said) for name, said in deed.body if isinstance(said, datetime))
    if repeated := await _repeated(tx, report, deed.step, deed.body):
        return repeated
    state, early = rules.advance(State(report["state"]), deed.step)
    step_id = getattr(deed.body, "id", None) or new_id()
    known = {"id", moment, "police_reference", *deed.codes}
    told = deed.body.model_dump(mode="json", exclude=known, exclude_none=True)
    row = models.PoliceReportStep(
        id=step_id,
        home_county=report["home_county"],
        report_id=report["id"],
        step=deed.step,
        at=at,
        recorded_at=tx.now,
        agency_id=principal.agency_id,
        reference=deed.reference,
        codes=orjson.loads(orjson.dumps(deed.codes)),
        details_sealed=tx.keyring.seal(models.DETAILS, step_id, orjson.dumps(told))
        if told
        else None,
        content_index=_content(tx, deed.step, deed.body),
        out_of_order=early,
    )
    await filing.add(tx, row, StepIdTaken)
    await filing.announce(tx, deed.announces, report, **deed.facts)
    changes = {"state": state, **_takes_charge(principal, report), **deed.changes}
    await filing.change(tx, report["id"], **changes)
    return _taken(row.model_dump(), changes["state"], report["version"] + 1), True


def _takes_charge(principal: Principal, report: asyncpg.Record) -> dict[str, Any]:
    """Of several police who were told, the first to do something is in charge."""
    if principal.agency_id not in report["also_told"]:
        return {}
    return {"police_agency_id": principal.agency_id, "also_told": []}


def _taken(step: Mapping[str, Any], state: str, version: int) -> schemas.StepTaken:
    said = {**step, "at_ahead": rules.is_ahead(step)}
    return schemas.StepTaken.model_validate({**said, "state": state, "version": version})
