"""How a case ends: assessed and answered, and as was found; or by two people who say why."""

from datetime import datetime
from typing import Any, Final

from app.access.principal import Principal
from app.core.data.db import Tx
from app.core.ids import new_id
from app.police_reports import events, findings
from app.police_reports.fetching import Report
from app.police_reports.models import State, Step
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.operations.standing import NOT_PROPOSED
from app.police_reports.operations.steps import Deed, Taken, repeatable, take
from app.police_reports.schemas import steps as stated

_PROPOSED: Final = "SELECT codes FROM police_report_steps WHERE report_id = $1 AND id = $2"


@repeatable("closeReport", Step.CLOSED, Step.CLOSURE_PROPOSED)
async def close_report(tx: Tx, principal: Principal, report: Report, new: stated.Closure) -> Taken:
    """End the case, or propose it if the child was not assessed with all who are to take part
    (REP-15), something reported was not answered or left out for a reason that nobody judged, or it
    is to end as safe and was not found so: then it says why, and stays open until a second person
    confirms. Raises NotYourPart, PersonRequired; ReportInvalid without a reason.
    """
    codes = {"reason": new.reason}
    complete = report["assessed_at"] is not None and report["handled_at"] is not None
    found = findings.assessment(report, await findings.steps(tx, report))
    complete = complete and report["omission_step_id"] is None
    complete = complete and found is not None and findings.is_together(found)
    if new.reason == "child_safe":
        complete = complete and found is not None and found["said"]["safety"] == "safe"
    if complete or report["state"] == State.CLOSED:
        ended = {} if report["closed_at"] else _ended(new.closed_at, new.reason)
        deed = Deed(Step.CLOSED, new, events.ReportClosed, codes=codes, changes=ended)
        return await take(tx, principal, report, deed)
    if new.explanation is None:
        raise ReportInvalid.at(
            "#/explanation",
            "explanation_missing",
            "Not assessed with all who take part, not found safe, or something reported has no"
            " answer, or none that a second person confirmed: say why it ends all the same."
            " 未会同有关部门评估、评估结果并非安全、有情形未处置或未采取措施的理由未经确认,"
            "须说明结案理由。",
        )
    said = new if new.id else new.model_copy(update={"id": new_id()})
    deed = Deed(
        Step.CLOSURE_PROPOSED,
        said,
        events.ClosureProposed,
        codes=codes,
        changes={
            "closure_step_id": said.id,
            "closure_agency_id": principal.agency_id,
            "closure_staff_id": principal.staff_id,
        },
    )
    return await take(tx, principal, report, deed)


def _ended(at: datetime, reason: str) -> dict[str, Any]:
    return {"closed_at": at, "outcome": reason, **NOT_PROPOSED}


@repeatable("confirmClosure", Step.CLOSED)
async def confirm_closure(
    tx: Tx, principal: Principal, report: Report, new: stated.ClosureConfirmation
) -> Taken:
    """Close a case on somebody else's proposal, as another person of that agency or of the county.
    Raises NotYourPart, ClosureNotProposed, SecondPersonNeeded.
    """
    proposed = await tx.connection.fetchrow(_PROPOSED, report["id"], report["closure_step_id"])
    reason = proposed["codes"]["reason"]
    deed = Deed(
        Step.CLOSED,
        new,
        events.ReportClosed,
        codes={"reason": reason},
        changes=_ended(new.confirmed_at, reason),
    )
    return await take(tx, principal, report, deed)
