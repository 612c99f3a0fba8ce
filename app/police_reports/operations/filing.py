"""Take a report in, find who is in charge and put it on its way: one transaction (REP-01, REP-07).

Taking in never waits for the police's systems and never fails because of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from app.access.principal import Principal
from app.children import queries as children
from app.children.deps import ChildNotFound
from app.children.queries import ChildRef
from app.core.data.db import Tx
from app.core.http.wire import region_text
from app.core.ids import new_id
from app.core.jobs import events as spine
from app.core.problems import Problem
from app.police_reports import events, models, queries, rules, schemas
from app.police_reports.acts import ACTS
from app.policy import queries as policy
from app.regions.rules import BadRegionCode, county_of
from app.webhooks.operations.deliveries import queue_mandatory

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a client's clock may run ahead of ours."""

_CONTENT: Final = "police_reports.content"
_UNIQUE_VIOLATION: Final = "23505"
_acknowledge_within: Final = policy.lookup("report.acknowledge_within_minutes")
_deliver_alarm: Final = policy.lookup("report.deliver_alarm_minutes")
_situations: Final = policy.lookup("report.situations")


class ReportInvalid(Problem, status=422):
    """The report or the step contradicts itself or names something that does not exist."""

    title = "What was sent contradicts itself or names something unknown"
    title_zh = "提交的内容自相矛盾或引用了不存在的对象"


class ReportIdTaken(Problem, status=409):
    """A report was filed under this id, with other content or by somebody else."""

    title = "Another report was filed under this id"
    title_zh = "该编号已用于另一份报告"


class Filed(NamedTuple):
    """A report taken in, its child's file, and whether the same was not filed before."""

    answer: schemas.Filed
    child_id: UUID | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report belongs: the child's file if there is one, the region, the county's file."""

    child: ChildRef | None
    region_code: int
    home_county: int


async def file_report(
    tx: Tx,
    principal: Principal,
    new: schemas.ReportCreate,
    *,
    corrects: asyncpg.Record | None = None,
) -> Filed:
    """File a report, in one transaction. Raises ReportInvalid, ChildNotFound, ReportIdTaken."""
    content = tx.keyring.blind_index(_CONTENT, new.model_dump_json())
    if new.id is not None and (before := await queries.find(tx, principal, new.id)) is not None:
        same = (before["content_index"], before["reporter_agency_id"]) == (
            content,
            principal.agency_id,
        )
        if not same or (corrects and before["supersedes_id"] != corrects["id"]):
            raise ReportIdTaken
        return _filed(before, is_new=False)
    place = await _place(tx, principal, new)
    _check(tx, new, place.region_code)
    if new.suspect_agency_id and not await queries.agency_kind(tx, new.suspect_agency_id):
        raise ReportInvalid.at("#/suspect_agency_id", "agency_unknown", "There is no such agency.")
    report = _report(tx, principal, new, place, content)
    report.subject_sealed = await _sealed_subject(tx, new, report.id, place.child)
    report.supersedes_id = corrects["id"] if corrects else None
    await _put_on_its_way(tx, report)
    await _store(tx, report, new.reporter)
    return _filed(report.model_dump(), is_new=True)


async def supersede_report(
    tx: Tx, principal: Principal, old: asyncpg.Record, new: schemas.ReportCreate
) -> Filed:
    """File a corrected report that takes the place of an earlier one of the same agency.

    Nothing is deleted: the earlier one stays and names its successor. Raises NotYourPart,
    SupersededAlready and what `file_report` raises.
    """
    repeated = new.id is not None and old["superseded_by_id"] == new.id
    stands = {**old, "superseded_by_id": None} if repeated else old
    ACTS["supersedeReport"].require(principal, stands, tx.today)
    filed = await file_report(tx, principal, new, corrects=old)
    if filed.is_new:
        await change(tx, old["id"], superseded_by_id=filed.answer.id)
        await announce(tx, events.ReportSuperseded, old, superseded_by=filed.answer.id)
    return filed


async def change(tx: Tx, report_id: UUID, **columns: Any) -> None:
    """Write columns of a report and count its version up."""
    names = ", ".join(f"{name} = ${at}" for at, name in enumerate(columns, start=3))
    await tx.connection.execute(
        f"UPDATE police_reports SET version = version + 1, updated_at = $2, {names} WHERE id = $1",
        report_id,
        tx.now,
        *columns.values(),
    )


async def announce(tx: Tx, kind: type[spine.Event], report: asyncpg.Record, **fields: Any) -> None:
    """Publish an event to the parties of a report, and to nobody else (AZ-8)."""
    offices = await queries.offices(tx, report["region_code"], report["suspect_agency_id"])
    about = _about(report, offices, fields.get("police_agency_id"))
    await spine.publish(tx, kind(**about, **fields))


def _about(
    report: Mapping[str, Any], offices: rules.Offices, *others: UUID | None
) -> dict[str, Any]:
    parties = (report["reporter_agency_id"], report["police_agency_id"], *others)
    return {
        "subject_id": report["id"],
        "region_code": report["region_code"],
        "home_county": report["home_county"],
        "told_to": offices.told(*parties, suspect=report["suspect_agency_id"]),
    }


async def deliver(tx: Tx, event: events.ReportFiled, *, agency_id: UUID) -> bool:
    """Queue the mandatory delivery to a police agency; False if it has no endpoint (R4). The
    payload is the event's, thin: who is concerned is fetched with the police's own token.
    """
    data = {
        **event.model_dump(mode="json"),
        "region_code": region_text(event.region_code),
        "home_county": region_text(event.home_county),
    }
    return bool(await queue_mandatory(tx, event, agency_id=agency_id, data=data))


def deadlines(tx: Tx, region_code: int) -> dict[str, Any]:
    """Return by when the police must have accepted a report and by when it must have arrived."""
    accepted = timedelta(minutes=_acknowledge_within(region_code, tx.today))
    return {
        "acknowledge_due_at": tx.now + accepted,
        "deliver_alarm_at": tx.now + timedelta(minutes=_deliver_alarm(region_code, tx.today)),
    }


async def _place(tx: Tx, principal: Principal, new: schemas.ReportCreate) -> Place:
    child = None
    if new.child_id is not None:
        child = await children.find(tx, principal, new.child_id)
        if child is None:
            raise ChildNotFound
    elif new.subject is None:
        raise ReportInvalid.at(
            "#/subject", "subject_missing", "Say who the child is, or name a file."
        )
    if new.region_code is not None:
        region_code = int(new.region_code)
    elif child is not None:
        region_code = child.region_code
    else:
        raise ReportInvalid.at("#/region_code", "region_missing", "Say where it happened.")
    try:
        county = county_of(region_code)
    except BadRegionCode:
        raise ReportInvalid.at(
            "#/region_code", "region_invalid", "Name a county or a place below one."
        ) from None
    return Place(child, region_code, child.home_county if child else county)


def _check(tx: Tx, new: schemas.ReportCreate, region_code: int) -> None:
    if new.found_at > tx.now + CLOCK_SKEW:
        raise ReportInvalid.at("#/found_at", "moment_in_future", "It cannot have been found yet.")
    known = {situation["code"] for situation in _situations(region_code, tx.today)}
    for at, code in enumerate(new.situations):
        if code not in known:
            raise ReportInvalid.at(
                f"#/situations/{at}", "situation_unknown", "Not in the code list."
            )


def _report(
    tx: Tx, principal: Principal, new: schemas.ReportCreate, place: Place, content: bytes
) -> models.PoliceReport:
    report_id = new.id or new_id()
    return models.PoliceReport(
        id=report_id,
        home_county=place.home_county,
        child_id=place.child.id if place.child else None,
        region_code=place.region_code,
        situations=sorted(set(new.situations)),
        **new.model_dump(include=_AS_STATED),
        filed_at=tx.now,
        reporter_agency_id=principal.agency_id,
        narrative_sealed=tx.keyring.seal(models.NARRATIVE, report_id, new.narrative),
        subject_sealed=b"",
        content_index=content,
        routing="no_agency",
        updated_at=tx.now,
        **deadlines(tx, place.region_code),
    )


_AS_STATED: Final = {"urgency", "channel", "found_at", "suspect_agency_id", "visit_id"}


async def _sealed_subject(
    tx: Tx, new: schemas.ReportCreate, report_id: UUID, child: ChildRef | None
) -> bytes:
    """Seal who the child is: what the reporter says, completed from the file."""
    nothing = {**dict.fromkeys(schemas.Subject.model_fields), "sex": "unknown"}
    stated = new.subject.model_dump(mode="json") if new.subject else nothing
    if child is not None:
        file = await queries.identity(tx, child)
        stated["name"] = stated["name"] or file["name"]
        stated["birth_date"] = stated["birth_date"] or file["birth_date"].isoformat()
        stated["sex"] = file["sex"] if stated["sex"] == "unknown" else stated["sex"]
    return tx.keyring.seal(models.SUBJECT, report_id, orjson.dumps(stated))


async def _put_on_its_way(tx: Tx, report: models.PoliceReport) -> None:
    """Find the police in charge, announce the report and queue it to them."""
    offices = await queries.offices(tx, report.region_code, report.suspect_agency_id)
    report.police_agency_id = offices.police
    about = _about(report.model_dump(), offices)
    filed = events.ReportFiled(
        **about,
        report_id=report.id,
        fetch=f"/v1/police-reports/{report.id}",
        supersedes=report.supersedes_id,
        police_agency_id=offices.police,
        urgency=report.urgency,
        acknowledge_due_at=report.acknowledge_due_at,
    )
    announced: list[spine.Event] = [filed]
    if offices.police is not None:
        queued = await deliver(tx, filed, agency_id=offices.police)
        report.routing = "routed" if queued else "no_endpoint"
    if report.routing != "routed":
        announced.append(events.ReportUnrouted(**about, reason=report.routing))
    await spine.publish(tx, *announced)


async def _store(tx: Tx, report: models.PoliceReport, reporter: schemas.Reporter | None) -> None:
    await add(tx, report, ReportIdTaken)
    if reporter is not None:
        person = tx.keyring.seal(models.PERSON, report.id, reporter.model_dump_json())
        await tx.add(
            models.PoliceReporter(
                report_id=report.id, home_county=report.home_county, person_sealed=person
            )
        )


async def add(tx: Tx, row: SQLModel, taken: type[Problem]) -> None:
    """Store a row; raises `taken` if its id is."""
    try:
        await tx.add(row)
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION:
            raise taken from None
        raise


def _filed(report: Mapping[str, Any], *, is_new: bool) -> Filed:
    return Filed(schemas.Filed.model_validate({**report}), report["child_id"], is_new)
