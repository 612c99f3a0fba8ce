"""What the police did and left out, who reported, and what came of the case behind a report."""

from typing import TypeVar

from app.access.acts import PersonRequired
from app.core.clock import local_date
from app.core.http import routing
from app.core.http.routing import Transaction
from app.core.http.shown import REPEATED, Shown
from app.core.problems import documented
from app.police_reports import answered, queries, schemas
from app.police_reports.acts import (
    ACTS,
    TOLD,
    AnotherOfficerNeeded,
    DisposedAlready,
    NothingLeftOut,
    NotYourPart,
)
from app.police_reports.area import AREA
from app.police_reports.deps import (
    HandlesReports,
    ReadsReporters,
    ReadsReportersAlone,
    ReportInPath,
    ReportToChange,
)
from app.police_reports.fetching import Report
from app.police_reports.operations import dispositions, investigating, omitting
from app.police_reports.operations.claims import ReportInvalid
from app.police_reports.schemas import case as stated
from app.police_reports.schemas import steps as disposed
from app.police_reports.schemas.reporter import ReporterReading, ReporterShown

router = routing.v1(AREA.tag, prefix="/police-reports")
Value = TypeVar("Value")
_STEP = {**REPEATED, **documented(NotYourPart)}


@router.post(
    "/{report_id}/dispositions",
    status_code=201,
    responses={**REPEATED, **documented(ReportInvalid)},
)
async def dispose_report(
    principal: HandlesReports, report: ReportToChange, new: disposed.Disposition, tx: Transaction
) -> Shown[stated.DispositionTaken]:
    """Record what the police did, by kind of situation (REP-08…13). May be said several times; it
    answers something that was reported, or stands beside what was. What the law still asks for is
    in the answer, and stays owed.
    """
    taken, is_new = await dispositions.dispose_report(tx, principal, report, new)
    counts = TOLD.holds(principal, report, tx.today)
    undone = await answered.undone_by_now(tx, report["id"]) if counts else []
    answer = stated.DispositionTaken.model_validate({**taken.model_dump(), "undone": undone})
    return _step(report, (answer, is_new))


@router.post(
    "/{report_id}/omissions/judgement",
    status_code=201,
    responses={
        **REPEATED,
        **documented(ReportInvalid, NotYourPart, AnotherOfficerNeeded, NothingLeftOut),
    },
)
async def judge_omissions(
    principal: HandlesReports,
    report: ReportToChange,
    new: stated.OmissionJudgement,
    tx: Transaction,
) -> Shown[schemas.StepTaken]:
    """Confirm or reject the reasons for which measures were left out, as another person of the
    police than who gave them. Rejected, what was reported is to be answered again (REP-20, REP-22).
    """
    return _step(report, await omitting.judge_omissions(tx, principal, report, new))


@router.post("/{report_id}/investigation", status_code=201, responses=_STEP)
async def investigate_report(
    principal: HandlesReports, report: ReportToChange, new: stated.Investigation, tx: Transaction
) -> Shown[schemas.StepTaken]:
    """Say how far the case is, as the police: whether one was filed, and what came of it (REP-20).
    It may be said at every stage, also of a report that is closed.
    """
    return _step(report, await investigating.investigate_report(tx, principal, report, new))


@router.get("/{report_id}/reporter", responses=documented(NotYourPart))
async def read_reporter(
    principal: ReadsReporters, report: ReportInPath, tx: Transaction
) -> Shown[ReporterShown]:
    """Read who reported, as the police agency in charge, once another of its people approved."""
    ACTS["readReporter"].require(principal, report, tx.today)
    return _reporter(report, await queries.reporter(tx, report))


@router.post(
    "/{report_id}/reporter/reading",
    responses=documented(NotYourPart, PersonRequired, DisposedAlready),
)
async def read_reporter_alone(
    principal: ReadsReportersAlone,
    report: ReportInPath,
    said: ReporterReading,
    tx: Transaction,
) -> Shown[ReporterShown]:
    """Read who reported at once, as an officer of the police agency in charge, while the report is
    not disposed of: a child may be in danger tonight. Say why; another officer reviews it.
    """
    ACTS["readReporterAlone"].require(principal, report, tx.today)
    return _reporter(report, await queries.reporter(tx, report), reason=said.reason)


def _reporter(report: Report, value: ReporterShown, **said: str) -> Shown[ReporterShown]:
    """Show who reported. Who approves or reviews it is of the same agency: nobody else learns of
    the report by it.
    """
    of_police = {"id": report["id"], "agency_id": report["police_agency_id"]}
    return Shown(
        value,
        children=[report["child_id"]],
        groups=("reporter",),
        since=local_date(report["filed_at"]),
        about={**of_police, "agency_region": None, **said},
    )


def _step(report: Report, taken: tuple[Value, bool]) -> Shown[Value]:
    step, is_new = taken
    about = [report["child_id"]]
    return Shown(step, children=about, groups=("police_report",), is_new=is_new, receipt=True)
