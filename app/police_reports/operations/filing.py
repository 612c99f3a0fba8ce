"""Take a report in, find who is in charge and put it on its way: one transaction (REP-01, REP-07).

Taking in never waits for the police's systems and never fails because of them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.access.principal import Principal
from app.children.queries import ChildRef
from app.core.data import former, keys, sql
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import of_report, of_reporter
from app.core.http.shown import Shown
from app.core.jobs import events as spine
from app.police_reports import events, fetching, jurisdiction, models, queries, rules, schemas
from app.police_reports.operations import claims, hidden, own_cases, shields
from app.police_reports.operations.called import called_after, event_called
from app.police_reports.operations.locks import hold_names
from app.police_reports.operations.own_ids import Known, filed_as, own_id
from app.police_reports.operations.standing import deadlines, dispatch_due, had_by
from app.police_reports.operations.telling import about, announce
from app.police_reports.schemas.filing import ReportCreate, Subject
from app.regions.rules import SPANS
from app.webhooks.operations import deliveries

_CONTENT: Final = "police_reports.content"
_CAME_LATER: Final = ("incident_id", "came_by", "accepted", "police_reference")
_RELIEVE: Final = """
WITH RECURSIVE replaced AS (
    SELECT id, supersedes_id FROM police_reports WHERE id = $1
    UNION
    SELECT r.id, r.supersedes_id
    FROM replaced JOIN police_reports r ON r.id = replaced.supersedes_id
)
UPDATE police_reports SET relieved_at = $2
WHERE id IN (SELECT id FROM replaced) AND relieved_at IS NULL
  AND (((police_agency_id IS NULL OR police_agency_id = ANY (hidden_from))
        AND region_code / $5 = $4::bigint / $5)
       OR $3 = police_agency_id OR $3 = ANY (also_told) OR $3 = ANY (former_police))
RETURNING *
"""
"""A corrected report stays in the alarms until one that took its place reached the police who had
it, or others of the county ($5 codes), if nobody had it or those must not: police elsewhere answer
for nothing that was told here.
"""


class Filed(NamedTuple):
    """A report taken in, its child's file, who learns nothing of it, and whether it is new."""

    answer: schemas.Filed
    child_id: UUID | None
    hidden_from: list[UUID]
    hidden_below: int
    police_below: int
    is_new: bool


def shown(filed: Filed, *others: UUID | None) -> Shown[schemas.Filed]:
    """Say that a report was taken in, and of which children that tells."""
    answer, child_id, *_, is_new = filed
    return Shown(
        answer,
        children=[child_id, *others],
        groups=("police_report",),
        subject=answer.id,
        is_new=is_new,
        receipt=True,
    )


async def file_report(
    tx: Tx,
    principal: Principal,
    new: ReportCreate,
    *,
    corrects: Mapping[str, Any] | None = None,
    told: UUID | None = None,
) -> Filed:
    """File a report, in one transaction; `told`: under the id its sender heard. Raises
    ReportInvalid. Whoever sends it again, in whatever post by now, is recognised before anything
    is asked of the child, the place or of who may see the report: somebody who reported their own
    agency does not (AZ-8).
    """
    known = known_by(tx.keyring.each_at_intake(), new, told)
    content, contents = known[0].content, {each.content for each in known}
    called = (*(each.stated for each in known), new.incident_id)
    names = [*dict.fromkeys(name for name in called if name)]
    if names and corrects is None:  # the same sent twice at once: the second finds the first
        await hold_names(tx, names)

    def is_it(before: Mapping[str, Any]) -> bool:
        theirs = before["reporter_agency_id"] in principal.agencies
        instead = corrects is None or before["supersedes_id"] == corrects["id"]
        return theirs and instead and before["content_index"] in contents

    report_id, before = await filed_as(tx, known, is_it, held=corrects is None)
    if before is not None:
        return _filed(before, is_new=False)
    said = await claims.understood(tx, principal, new, report_id)
    if corrects is not None:
        said = await claims.carried_over(tx, said, corrects, new.child_id)
    made = await _keys(tx, report_id)
    report = await _report(tx, principal, new, report_id, said, content)
    report.incident_id = await event_called(tx, report.id, called_after(new.incident_id, corrects))
    seen = said.child if said.seen else None
    report.subject_sealed = await _sealed_subject(tx, new, report.id, seen)
    if corrects is not None:
        _take_over(report, corrects)
    await shields.bound(tx, report, said.accused.beside, corrects)
    await _put_on_its_way(tx, report, corrects)
    own = own_cases.is_own(report)
    if own:
        own_cases.take_on(tx, report, new)
    _keep_as_sent(tx, report, said, None if own else new.police_reference)
    await _store(tx, report, made, _person(new))
    if own:
        await own_cases.tell(tx, report)
        await relieve(tx, report.model_dump())
    if corrects is None and (report.hidden_from or report.hidden_below):
        await hidden.note(tx, report.id)
    return _filed(report.model_dump(), is_new=True)


async def relieve(tx: Tx, report: Mapping[str, Any]) -> None:
    """Note, of the reports that one took the place of, that it has reached the police who had them,
    or who are there for those that must not.
    """
    if report["supersedes_id"] is None:
        return
    async with tx.as_system():
        relieved = await tx.connection.fetch(
            _RELIEVE,
            report["supersedes_id"],
            tx.now,
            report["police_agency_id"],
            report["region_code"],
            SPANS[2],
        )
        for each in relieved:
            await announce(tx, events.ReportRelieved, each)


async def deliver(
    tx: Tx,
    event: events.ReportFiled,
    *,
    agency_id: UUID,
    announced: events.ReportFiled | None = None,
) -> bool:
    """Announce a report, to others as `announced`, and queue the mandatory delivery to a police
    agency; False, and nothing is said, if it has no endpoint (R4). The payload is the event's,
    thin: who is concerned is fetched with the police's own token.
    """
    made = await deliveries.tell(
        tx, event, agency_id=agency_id, announced=announced, urgent=event.urgency == "immediate"
    )
    return bool(made)


def known_by(rings: Iterable[Keyring], new: ReportCreate, told: UUID | None = None) -> list[Known]:
    """Return by what a report is known again, whichever key was the first when it came."""
    contents = [(ring, content_of(ring, new)) for ring in rings]
    return [Known(ring, said, told or stated_id(ring, new, said)) for ring, said in contents]


def content_of(ring: Keyring, new: ReportCreate) -> bytes:
    """Digest what a report says, to know it again."""
    # A field that came later is no part of what was sent before it was there.
    later = {name for name in _CAME_LATER if getattr(new, name) is None}
    unread = orjson.dumps(new.unread).decode() if new.unread else ""
    return ring.blind_index(_CONTENT, new.model_dump_json(exclude=later) + unread)


def stated_id(ring: Keyring, new: ReportCreate, content: bytes) -> UUID | None:
    """Return the id it came under; of one that is none, an id made of what was sent."""
    return own_id(ring, content.hex()) if "id" in new.unread and new.id is None else new.id


async def _report(
    tx: Tx,
    principal: Principal,
    new: ReportCreate,
    report_id: UUID,
    said: claims.Understood,
    content: bytes,
) -> models.PoliceReport:
    codes = await fetching.sealed(tx, report_id, {"situations": said.situations})
    return models.PoliceReport(
        id=report_id,
        home_county=said.home_county,
        child_county=said.child.home_county if said.child else None,
        child_id=said.child.id if said.child else None,
        stated_child_id=None if said.child and said.child.id == new.child_id else new.child_id,
        region_code=said.region_code,
        home_region=said.child.region_code if said.child else None,
        **codes,
        found_at=said.found_at,
        suspect_agency_id=said.accused.agency_id,
        hidden_from=sorted(said.accused.hidden_from),
        hidden_below=said.accused.hidden_below,
        police_below=said.accused.police_below,
        meant=sorted(said.accused.meant),
        bound_as=said.bound_as,
        doubts=said.doubts,
        stated_incident_id=new.incident_id,
        **new.model_dump(include=_AS_STATED),
        filed_at=tx.now,
        reporter_agency_id=principal.agency_id,
        narrative_sealed=tx.keyring.seal(
            models.NARRATIVE, report_id, new.narrative, of_report(report_id)
        ),
        subject_sealed=b"",
        content_index=content,
        routing="no_agency",
        updated_at=tx.now,
        **deadlines(tx, said.region_code),
    )


_AS_STATED: Final = {"urgency", "channel", "came_by", "visit_id"}


def _keep_as_sent(
    tx: Tx, report: models.PoliceReport, said: claims.Understood, number: str | None
) -> None:
    """Seal what could not be followed, and the number of police who are not in charge."""
    sent = dict(said.as_sent)
    if number is not None:
        sent["unread"] = {**(sent.get("unread") or {}), "police_reference": number}
        report.doubts = [*dict.fromkeys([*report.doubts, "field_unread"])]
    if sent:
        of, aside = of_report(report.id), orjson.dumps(sent)
        report.as_sent_sealed = tx.keyring.seal(models.AS_SENT, report.id, aside, of)


async def _sealed_subject(
    tx: Tx, new: ReportCreate, report_id: UUID, child: ChildRef | None
) -> bytes:
    """Seal who the child is: what the reporter says, completed from the file."""
    nothing = {**dict.fromkeys(Subject.model_fields), "sex": "unknown"}
    stated = new.subject.model_dump(mode="json") if new.subject else nothing
    if child is not None:
        file = await queries.identity(tx, child.home_county, child.id)
        stated["name"] = stated["name"] or file["name"]
        stated["birth_date"] = stated["birth_date"] or file["birth_date"].isoformat()
        stated["sex"] = file["sex"] if stated["sex"] == "unknown" else stated["sex"]
    of = of_report(report_id)
    return tx.keyring.seal(models.SUBJECT, report_id, orjson.dumps(stated), of)


async def _put_on_its_way(
    tx: Tx, report: models.PoliceReport, corrects: Mapping[str, Any] | None
) -> None:
    """Announce the report and queue it to the nearest police with a working endpoint; what police
    of its place file themselves is with them. While there is none, the police of every level above
    are told, and whoever accepts first is in charge. A correction goes to who handles what it
    corrects, before all; all others who had that keep a part.
    """
    offices = await jurisdiction.offices(tx, report.model_dump())
    handling, told = await jurisdiction.had(tx, report.model_dump(), corrects)
    own = [police for police in offices.police if police == report.reporter_agency_id]
    nearest = [*dict.fromkeys([*handling, *own, *offices.police])] or told
    for police in nearest:
        _hand_to(report, police, told, corrects)
        filed = as_filed(tx, report.model_dump(), offices)
        if own_cases.is_own(report):
            await spine.publish(tx, filed)
        elif not await deliver(tx, filed, agency_id=police):
            continue
        report.routing = "routed"
        return
    _hand_to(report, next(iter(nearest), None), [*nearest, *told], corrects)
    report.routing = "no_endpoint" if nearest else "no_agency"
    filed = as_filed(tx, report.model_dump(), offices)
    unrouted = events.ReportUnrouted(**about(report.model_dump(), offices), reason=report.routing)
    await spine.publish(tx, filed, unrouted)


def _hand_to(
    report: models.PoliceReport,
    police: UUID | None,
    told: Iterable[UUID],
    corrects: Mapping[str, Any] | None,
) -> None:
    report.police_agency_id = police
    report.also_told = [each for each in dict.fromkeys(told) if each != police]
    if corrects is not None:
        report.former_police = had_by(corrects, police, *report.also_told)


def as_filed(tx: Tx, report: Mapping[str, Any], offices: rules.Offices) -> events.ReportFiled:
    """Say of a report what those are told who hear of it first."""
    return events.ReportFiled(
        **about(report, offices, report["reporter_agency_id"]),
        report_id=report["id"],
        fetch=f"/v1/police-reports/{report['id']}",
        supersedes=report["supersedes_id"],
        police_agency_id=report["police_agency_id"],
        urgency=report["urgency"],
        acknowledge_due_at=report["acknowledge_due_at"],
        dispatch_due_at=dispatch_due(tx, report["region_code"]),
    )


def _person(new: ReportCreate) -> dict[str, Any] | None:
    """Return what was said of who reports, with what of it could not be read; None: nothing."""
    unread = new.of_who_reports
    if new.reporter is None and not unread:
        return None
    return {**(new.reporter.model_dump() if new.reporter else {}), "as_sent": unread or None}


async def _keys(tx: Tx, report_id: UUID) -> dict[str, bytes]:
    """Make the keys of a report and of who made it, as they are stored; none while they wait."""
    owners = {"wrapped": of_report(report_id), "reporter_wrapped": of_reporter(report_id)}
    if await former.may_run(tx):
        keys.wait(tx.keyring, *owners.values())
        return {}
    return {name: keys.make(tx.keyring, owner) for name, owner in owners.items()}


async def _store(
    tx: Tx,
    report: models.PoliceReport,
    made: Mapping[str, bytes],
    said: Mapping[str, Any] | None,
) -> None:
    await tx.add(report)
    if made:
        key = {"report_id": report.id, "home_county": report.home_county, **made}
        await sql.insert(tx.connection, "report_keys", key)
    if said is not None:
        of = of_reporter(report.id)
        person = tx.keyring.seal(models.PERSON, report.id, orjson.dumps(said), of)
        await tx.add(
            models.PoliceReporter(
                report_id=report.id, home_county=report.home_county, person_sealed=person
            )
        )


def _take_over(report: models.PoliceReport, corrects: Mapping[str, Any]) -> None:
    """Let a correction stand where the report before it stood: what was found out of the child and
    of the event meanwhile is not lost, nor a party's part; what an agency must not learn of the
    one it must not learn of the other.
    """
    report.hidden_from = sorted({*report.hidden_from, *corrects["hidden_from"]})
    report.hidden_below = max(report.hidden_below, corrects["hidden_below"])
    report.police_below = max(report.police_below, corrects["police_below"])
    report.supersedes_id = corrects["id"]
    if report.child_id is None:
        for column in ("child_id", "child_county", "home_region", "identified_at"):
            setattr(report, column, corrects[column])
        report.stated_child_id = report.stated_child_id or corrects["stated_child_id"]
    if report.child_id == corrects["child_id"]:
        report.former_homes = list(corrects["former_homes"])


def _filed(report: Mapping[str, Any], *, is_new: bool) -> Filed:
    return Filed(
        schemas.Filed.model_validate({**report}),
        report["child_id"],
        report["hidden_from"],
        report["hidden_below"],
        report["police_below"],
        is_new,
    )
