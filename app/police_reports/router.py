"""Reports to the police and back: filed, handled, told on, proven."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query, Request

from app.access import acts
from app.core.clock import local_date
from app.core.http import paging, routing
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.problems import documented
from app.police_reports import printing, queries, schemas, showing
from app.police_reports.acts import (
    ACTS,
    ChildKnownAlready,
    ClosureNotProposed,
    NoSuspectNamed,
    NotAssessed,
    NothingToTakeBack,
    NotJoined,
    NotYourPart,
    SecondPersonNeeded,
    SupersededAlready,
    SuspectKnownAlready,
)
from app.police_reports.area import AREA
from app.police_reports.deps import (
    AsksForHelp,
    FilesReports,
    HandlesReports,
    MatchesReports,
    ReadsReports,
    ReceivesReports,
    ReportInPath,
    ReportNotFound,
    ReportToChange,
    ReportToCorrect,
    ReportToJoin,
    ReportToRead,
    ReportToTakeBack,
)
from app.police_reports.fetching import Report
from app.police_reports.models import State, Step
from app.police_reports.operations import (
    closing,
    filing,
    forwarding,
    incidents,
    spooling,
    steps,
    superseding,
    suspects,
    taking_back,
)
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.schemas import steps as stated
from app.police_reports.schemas.chain import Chain
from app.police_reports.schemas.document import AssessmentDocument
from app.police_reports.schemas.filing import ReportCreate
from app.police_reports.schemas.spooled import Spooled
from app.referrals.operations.opening import ReceiverUnknown

router = routing.v1(AREA.tag, prefix="/police-reports")
Value = TypeVar("Value")
_REPORT = ("police_report",)
_STEP = {**REPEATED, **documented(NotYourPart)}
_CHECKED = {**REPEATED, **documented(ReportInvalid)}
_NAMING = {**_STEP, **documented(ReportInvalid)}
"""Of steps that name something of ours."""
_SPOOLED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Spooled,
        "description": "Taken in and kept, sealed, while the service can record nothing: it will be"
        " filed as of this moment, and told to the police, as soon as it can. Where a child is in"
        " danger, call them.",
    }
}


async def _spool_report(
    principal: FilesReports, new: ReportCreate, tx: Transaction, request: Request
) -> Shown[Spooled]:
    spooled = await spooling.spool_report(tx, principal, new, await request.body())
    return Shown(spooled, subject=spooled.report_id, receipt=True)


@router.post("", status_code=201, responses={**_CHECKED, **_SPOOLED})
@routing.meanwhile(_spool_report)
async def file_report(
    principal: FilesReports, new: ReportCreate, tx: Transaction
) -> Shown[schemas.Filed]:
    """File a mandatory report to the police (REP-01, REP-02).

    It is stored, audited and queued to the police in charge of the place before the answer leaves.
    A police system that is slow, away or not registered never delays or refuses a report.
    """
    return filing.shown(await spooling.file_report(tx, principal, new))


@router.get("")
async def list_reports(
    principal: ReadsReports,
    tx: ReadTransaction,
    window: paging.Paged,
    state: Annotated[State | None, Query(description="Only reports that came this far.")] = None,
    overdue: Annotated[bool | None, Query(description="Only reports late, or not late.")] = None,
    incident_id: Annotated[UUID | None, Query(description="Only reports of this event.")] = None,
    act: Annotated[acts.Act | None, acts.asked(ACTS)] = None,
) -> Shown[paging.Page[schemas.ReportSummary]]:
    """List the reports your agency filed, handles or follows up, newest first."""
    page = await queries.page(
        tx, principal, window, state=state, overdue=overdue, incident=incident_id, act=act
    )
    return Shown(
        page.shown(lambda row: showing.summary(tx, principal, row)),
        children=[row["child_id"] for row in page.rows],
        beside=[row["id"] for row in page.rows],
        groups=_REPORT,
        since=min((local_date(row["filed_at"]) for row in page.rows), default=None),
    )


@router.get("/{report_id}", responses=documented(spooling.ReportWaits))
async def read_report(
    principal: ReadsReports, report: ReportToRead, tx: Transaction
) -> Shown[schemas.Report]:
    """Read a report: what it shows depends on your agency's part in the case."""
    return _shown(await showing.whole(tx, principal, report), report)


@router.get("/{report_id}/chain")
async def read_report_chain(
    principal: ReadsReports, report: ReportInPath, tx: Transaction
) -> Shown[Chain]:
    """Read the proof of a report: filed, each attempt to deliver, accepted, handled, told on."""
    chain = Chain.model_validate(
        {
            **report,
            **showing.references(principal, report),
            "report_id": report["id"],
            "deliveries": await queries.deliveries(tx, report["id"]),
            "steps": await queries.steps(tx, principal, report),
        }
    )
    return _shown(chain, report)


@router.post("/{report_id}/acknowledgement", status_code=201, responses=_CHECKED)
async def acknowledge_report(
    principal: HandlesReports,
    report: ReportToChange,
    new: stated.Acknowledgement,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Accept a report, as the police (REP-07). The same reference again gets the same answer. Where
    its words are in no list, say which situation they mean.
    """
    return _step(report, await steps.acknowledge_report(tx, principal, report, new))


@router.post("/{report_id}/dispatch", status_code=201, responses=REPEATED)
async def dispatch_report(
    principal: HandlesReports, report: ReportToChange, new: stated.Dispatch, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Record that officers went out (REP-07)."""
    return _step(report, await steps.dispatch_report(tx, principal, report, new))


@router.post("/{report_id}/assistance", status_code=201, responses=_STEP)
async def assist_police(
    principal: AsksForHelp, report: ReportToChange, new: stated.Assistance, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Say how you help the police, as who reported (REP-07)."""
    return _step(report, await steps.assist_police(tx, principal, report, new))


@router.post("/{report_id}/township-notice", status_code=201, responses=_STEP)
async def notify_township(
    principal: HandlesReports,
    report: ReportToChange,
    new: stated.TownshipNotice,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Tell the township of acceptance and handling (REP-14)."""
    return _step(report, await steps.notify_township(tx, principal, report, new))


@router.post("/{report_id}/forwarding", status_code=201, responses=_NAMING)
async def forward_report(
    principal: HandlesReports, report: ReportToChange, new: stated.Forwarding, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Pass a report to the police agency in charge; it is delivered there at once."""
    return _step(report, await forwarding.forward_report(tx, principal, report, new))


@router.post("/{report_id}/township-notice/receipt", status_code=201, responses=_STEP)
async def confirm_township_notice(
    principal: ReceivesReports,
    report: ReportToChange,
    new: stated.NoticeReceipt,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Confirm the police's notice, as the township (REP-14)."""
    return _step(report, await steps.confirm_township_notice(tx, principal, report, new))


@router.post("/{report_id}/assessment", status_code=201, responses=_STEP)
async def record_assessment(
    principal: ReceivesReports,
    report: ReportToChange,
    new: stated.Assessment,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Record the assessment of the child, as the township (REP-15)."""
    return _step(report, await steps.record_assessment(tx, principal, report, new))


@router.get("/{report_id}/assessment/document", responses=documented(NotYourPart, NotAssessed))
async def read_assessment_document(
    principal: ReadsReports, report: ReportInPath, tx: Transaction
) -> Shown[AssessmentDocument]:
    """Read the file of the assessment as a paper in Chinese, to be printed (REP-16)."""
    ACTS["readAssessmentDocument"].require(principal, report, tx.today)
    return _shown(await printing.document(tx, principal, report), report)


@router.post(
    "/{report_id}/services", status_code=201, responses={**_STEP, **documented(ReceiverUnknown)}
)
async def arrange_services(
    principal: ReceivesReports, report: ReportToChange, new: stated.ServiceOrder, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Arrange services for the child, as the township or civil affairs (REP-16, REP-17)."""
    return _step(report, await steps.arrange_services(tx, principal, report, new))


@router.post(
    "/{report_id}/closure",
    status_code=201,
    responses={**_NAMING, **documented(NotYourPart, acts.PersonRequired)},
)
async def close_report(
    principal: ReceivesReports, report: ReportToChange, new: stated.Closure, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """End the case, as a person of the township or civil affairs. Unless the child was assessed,
    and found safe if it ends so, and all was answered, this proposes it: a second person confirms.
    """
    return _step(report, await closing.close_report(tx, principal, report, new))


@router.post(
    "/{report_id}/closure/confirmation",
    status_code=201,
    responses={**_STEP, **documented(NotYourPart, SecondPersonNeeded, ClosureNotProposed)},
)
async def confirm_closure(
    principal: ReceivesReports,
    report: ReportToChange,
    new: stated.ClosureConfirmation,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Agree that a case ends: another person of the agency that proposed it, or of the county."""
    return _step(report, await closing.confirm_closure(tx, principal, report, new))


@router.post(
    "/{report_id}/child",
    status_code=201,
    responses={**_NAMING, **documented(NotYourPart, ChildKnownAlready)},
)
async def identify_child(
    principal: MatchesReports, report: ReportToChange, new: stated.Identification, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Hang a report about an unknown child on its file, as the police or the township: by the id of
    the file, or by what is known of the child. The answer says `identified` or `described` alone.
    """
    taken, child_id = await incidents.identify_child(tx, principal, report, new)
    return _step(report, taken, child_id)


@router.post(
    "/{report_id}/child/withdrawal",
    status_code=201,
    responses={**_STEP, **documented(NotYourPart, acts.PersonRequired, NothingToTakeBack)},
)
async def withdraw_identification(
    principal: MatchesReports,
    report: ReportToTakeBack,
    new: stated.IdentificationWithdrawal,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Say that a report is not about the child on whose file it hangs: it is asked anew."""
    if report["out_of_sight"]:
        before, _ = await steps.repeated(tx, report, new, Step.IDENTIFICATION_WITHDRAWN)
        if before is None:
            raise ReportNotFound
    return _step(report, await taking_back.withdraw_identification(tx, principal, report, new))


@router.post(
    "/{report_id}/suspect",
    status_code=201,
    responses={**_NAMING, **documented(NotYourPart, acts.PersonRequired, SuspectKnownAlready)},
)
async def name_suspect(
    principal: MatchesReports, report: ReportToChange, new: stated.SuspectNaming, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Say whom the reporter's words mean, as a person of the police or the county, of no kind of
    agency that they may mean. All others may see it.
    """
    return _step(report, await suspects.name_suspect(tx, principal, report, new))


@router.post(
    "/{report_id}/suspect/withdrawal",
    status_code=201,
    responses={**_STEP, **documented(NotYourPart, acts.PersonRequired, NoSuspectNamed)},
)
async def withdraw_suspect(
    principal: MatchesReports,
    report: ReportToChange,
    new: stated.SuspectWithdrawal,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Say that a report speaks against others than was said: whom it means is open as before."""
    return _step(report, await suspects.withdraw_suspect(tx, principal, report, new))


@router.post("/{report_id}/incident", status_code=201, responses=_NAMING)
async def join_reports(
    principal: MatchesReports, report: ReportToJoin, new: stated.Joining, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Say that another report is about the same event. Each keeps its deadlines and its proof, and
    a party to one sees the others only if it is party there.
    """
    taken = await incidents.join_reports(tx, principal, report, new)
    return replace(_step(report, taken), beside=[new.report_id])


@router.post(
    "/{report_id}/incident/separation",
    status_code=201,
    responses={**_STEP, **documented(NotYourPart, acts.PersonRequired, NotJoined)},
)
async def separate_report(
    principal: MatchesReports, report: ReportToJoin, new: stated.Separation, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Say that a report is not about the event it was joined with. The others stay together."""
    taken = await taking_back.separate_report(tx, principal, report, new)
    others = await queries.told_of(tx, taken[0].id)
    return replace(_step(report, taken), beside=others)


@router.post(
    "/{report_id}/supersession",
    status_code=201,
    responses={**REPEATED, **documented(ReportInvalid, NotYourPart, SupersededAlready)},
)
async def supersede_report(
    principal: FilesReports, report: ReportToCorrect, new: ReportCreate, tx: Transaction
) -> Shown[schemas.Filed]:
    """File a corrected report in place of one your agency filed, be it hidden from that by now;
    nothing is ever deleted.
    """
    filed = await superseding.supersede_report(tx, principal, report, new)
    return filing.shown(filed, report["child_id"])


def _step(
    report: Mapping[str, Any], taken: steps.Taken, *others: UUID | None
) -> Shown[schemas.StepTaken]:
    step, is_new = taken
    about = [report["child_id"], *others]
    return Shown(step, children=about, groups=_REPORT, is_new=is_new, receipt=True)


def _shown(value: Value, report: Report, *groups: str) -> Shown[Value]:
    return Shown(
        value,
        children=[report["child_id"]],
        groups=groups or _REPORT,
        since=local_date(report["filed_at"]),
    )
