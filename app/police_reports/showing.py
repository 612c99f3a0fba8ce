"""What a caller's part in a report lets them read of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.access.acts import permitted, permitted_by_two
from app.access.principal import Principal
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import ERASED, Erased
from app.core.http.wire import region_text
from app.police_reports import answered, models, omissions, queries, rules, schemas
from app.police_reports.acts import ACTS
from app.police_reports.models import Party, Step
from app.police_reports.schemas.filing import Subject


def references(principal: Principal, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells of the offices that act on a report, if the caller may read it."""
    shown = rules.shows_offices(queries.party_of(principal, report))
    names = ("police_reference", "township_agency_id", "omission_step_id")
    return {name: report[name] if shown else None for name in names}


def summary(tx: Tx, principal: Principal, report: Mapping[str, Any]) -> schemas.ReportSummary:
    """Show where a report stands, to a caller who has a part in it."""
    return schemas.ReportSummary.model_validate(_summary_fields(tx, principal, report))


def _summary_fields(tx: Tx, principal: Principal, report: Mapping[str, Any]) -> dict[str, Any]:
    open_ = report["relieved_at"] is None and report["acknowledged_at"] is None
    shows_agency = rules.shows_reporter_agency(queries.party_of(principal, report))
    # Of a file its reporter does not see, they learn not even whether there is one; the police, of
    # one that was found by what they know, nothing but that.
    found = report["identified_at"] is not None
    shows_child = {
        Party.PROTECTION: True,
        Party.REPORTER: not found and "child_unconfirmed" not in report["doubts"],
    }.get(queries.party_of(principal, report), not found)
    shows_result = rules.shows_result(queries.party_of(principal, report))
    return {
        **report,
        "situations": report["situations"],
        **references(principal, report),
        "unanswered": queries.reported(report).unanswered(omissions.complete(report)),
        "outcome": report["outcome"] if shows_result else None,
        "incident_id": report["incident_id"] or report["id"],
        "closure_proposed": report["closure_step_id"] is not None,
        "child_id": report["child_id"] if shows_child else None,
        "region_code": region_text(report["region_code"]),
        "acknowledgement_overdue": open_
        and rules.is_overdue(None, report["acknowledge_due_at"], tx.now),
        "delivery_overdue": open_
        and rules.is_overdue(report["delivered_at"], report["deliver_alarm_at"], tx.now),
        "reporter_agency_id": report["reporter_agency_id"] if shows_agency else None,
        "reporter_bound": report["bound_as"] is not None if shows_agency else None,
        "reported_as": report["bound_as"] if shows_agency else None,
        "supersedes": report["supersedes_id"],
        "superseded_by": report["superseded_by_id"],
        "permitted": permitted(ACTS, principal, report, tx.today),
        "permitted_by_two": permitted_by_two(ACTS, principal, report, tx.today),
    }


async def whole(tx: Tx, principal: Principal, report: Mapping[str, Any]) -> schemas.Report:
    """Show a report with what the caller's part in it lets them read."""
    party = queries.party_of(principal, report)
    shown = rules.shows_report(party)
    key = report["id"]
    [report] = await queries.as_seen(tx, principal, [report])
    journal = await queries.steps(tx, principal, report)
    await keys.of_rows(tx, [report, *journal])
    knows = rules.shows_details(party, Step.DISPOSED)
    return schemas.Report.model_validate(
        {
            **_summary_fields(tx, principal, report),
            "party": party.value,
            "came_by": report["came_by"] if rules.shows_reporter_agency(party) else None,
            "subject": _UNKNOWN | queries.said_in(tx, models.SUBJECT, key, report["subject_sealed"])
            if shown
            else None,
            "narrative": _narrative(tx, report) if shown else None,
            "suspect_agency_id": report["suspect_agency_id"] if shown else None,
            "as_sent": queries.said_in(tx, models.AS_SENT, key, report["as_sent_sealed"]) or None
            if shown
            else None,
            "visit_id": report["visit_id"] if shown else None,
            "joined": report["joined"][:50],
            "unsaid": queries.unsaid(report, journal) if knows else [],
            "undone": answered.undone(report, sorted(journal, key=_recorded)) if knows else [],
            "steps": [{**step, "details": _details(tx, party, step)} for step in journal],
        }
    )


_UNKNOWN: Final = {**dict.fromkeys(Subject.model_fields), "sex": "unknown"}


def _narrative(tx: Tx, report: Mapping[str, Any]) -> str:
    try:
        return tx.keyring.unseal(models.NARRATIVE, report["id"], report["narrative_sealed"])
    except Erased:
        return ERASED


def _recorded(step: Mapping[str, Any]) -> tuple[datetime, UUID]:
    return step["recorded_at"], step["id"]


def _details(tx: Tx, party: Party, step: Mapping[str, Any]) -> dict[str, Any] | None:
    asked = party is Party.REPORTER and step["step"] == Step.DISPATCHED
    if not asked and not rules.shows_details(party, Step(step["step"])):
        return None
    sealed = step["details_sealed"]
    told = {
        **step["codes"],
        **queries.said_in(tx, models.DETAILS, step["id"], sealed),
        "police_reference": step["reference"],
    }
    wanted = told.pop("help_wanted", None)
    told = {} if asked else told
    if wanted and party is not Party.PROTECTION:  # it may tell who reported (AZ-9)
        told["help_wanted"] = wanted
    return {name: told.get(name) for name in schemas.StepDetails.model_fields} if told else None
