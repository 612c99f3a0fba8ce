"""Reports to the police and back: filed, handled, told on, proven."""

from typing import Annotated, Any

import asyncpg
from fastapi import Query, Response

from app.access.deps import PurposeNotAllowed, ScopeMissing, Unauthenticated, needs
from app.access.principal import Principal
from app.audit import operations as audit
from app.children.deps import ChildNotFound
from app.core.data.db import Tx
from app.core.http import paging, routing
from app.core.http.preconditions import etag
from app.core.http.routing import Transaction
from app.core.problems import Problem, documented
from app.police_reports import answers, handling, operations, queries, schemas
from app.police_reports.area import AREA, FILE, HANDLE, READ, READ_REPORTERS, RECEIVE
from app.police_reports.deps import ReportInPath, ReportNotFound, ReportToChange
from app.police_reports.models import Party, State

router = routing.router(AREA.tag, prefix="/police-reports")

FilesReports = Annotated[Principal, needs(FILE)]
ReadsReports = Annotated[Principal, needs(READ)]
HandlesReports = Annotated[Principal, needs(HANDLE)]
ReceivesReports = Annotated[Principal, needs(RECEIVE)]
ReadsReporters = Annotated[Principal, needs(READ_REPORTERS)]

_CALLER: tuple[type[Problem], ...] = (Unauthenticated, ScopeMissing, PurposeNotAllowed)
_STEP = documented(
    *_CALLER,
    ReportNotFound,
    operations.NotYourPart,
    operations.ReportInvalid,
    handling.StepIdTaken,
)


def _once(response: Response, taken: handling.Taken) -> answers.StepTaken:
    step, is_new = taken
    response.status_code = 201 if is_new else 200
    response.headers["etag"] = etag(step.version)
    return step


async def _note(
    tx: Tx, principal: Principal, operation: str, report: asyncpg.Record, group: str
) -> None:
    await audit.record(
        tx,
        principal.actor,
        operation,
        children=[report["child_id"]] if report["child_id"] else [],
        subject=report["id"],
        field_groups=[group],
    )


_REPEATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was recorded before, with the same content."}
}


@router.post(
    "",
    status_code=201,
    response_model=answers.Filed,
    responses={
        **documented(*_CALLER, ChildNotFound, operations.ReportInvalid, operations.ReportIdTaken),
        **_REPEATED,
    },
)
async def file_report(
    principal: FilesReports, new: schemas.ReportCreate, tx: Transaction, response: Response
) -> answers.Filed:
    """File a mandatory report to the police (REP-01, REP-02).

    It is stored, audited and queued to the police in charge of the place before the answer leaves.
    A police system that is slow, away or not registered never delays or refuses a report.
    """
    filed, is_new = await operations.file_report(tx, principal, new)
    response.status_code = 201 if is_new else 200
    response.headers["location"] = f"/v1/police-reports/{filed.id}"
    return filed


@router.get(
    "",
    response_model=paging.Page[answers.ReportSummary],
    responses=documented(*_CALLER, paging.CursorInvalid),
)
async def list_reports(
    principal: ReadsReports,
    tx: Transaction,
    state: Annotated[State | None, Query(description="Only reports that came this far.")] = None,
    overdue: Annotated[
        bool | None, Query(description="Only reports that are, or are not, late.")
    ] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> paging.Page[answers.ReportSummary]:
    """List the reports your agency filed, handles or follows up, newest first."""
    rows, next_cursor = await queries.page(
        tx, principal, state=state, overdue=overdue, limit=limit, cursor=cursor
    )
    await audit.record(
        tx,
        principal.actor,
        "listReports",
        children=[row["child_id"] for row in rows if row["child_id"]],
        field_groups=["police_report"],
    )
    return paging.Page(
        items=[queries.summary(row, queries.party_of(principal, row), tx.now) for row in rows],
        next_cursor=next_cursor,
    )


@router.get(
    "/{report_id}",
    response_model=answers.Report,
    responses=documented(*_CALLER, ReportNotFound),
)
async def read_report(
    principal: ReadsReports, report: ReportInPath, tx: Transaction, response: Response
) -> answers.Report:
    """Read a report: what it shows depends on your agency's part in the case."""
    party = queries.party_of(principal, report)
    whole = queries.whole(tx, report, await queries.steps(tx, report["id"]), party)
    await _note(tx, principal, "readReport", report, "police_report")
    response.headers["etag"] = etag(report["version"])
    return whole


@router.get(
    "/{report_id}/reporter",
    response_model=answers.ReporterShown,
    responses=documented(*_CALLER, ReportNotFound, operations.NotYourPart),
)
async def read_reporter(
    principal: ReadsReporters, report: ReportInPath, tx: Transaction
) -> answers.ReporterShown:
    """Read who reported, as the police agency in charge. Each reading is audited."""
    if queries.party_of(principal, report) is not Party.POLICE:
        raise operations.NotYourPart
    shown = await queries.reporter(tx, report)
    await _note(tx, principal, "readReporter", report, "reporter")
    return shown


@router.get(
    "/{report_id}/chain",
    response_model=answers.Chain,
    responses=documented(*_CALLER, ReportNotFound),
)
async def read_report_chain(
    principal: ReadsReports, report: ReportInPath, tx: Transaction
) -> answers.Chain:
    """Read the proof of a report: filed, each attempt to deliver, accepted, handled, told on."""
    chain = answers.Chain.model_validate(
        {
            **{name: report[name] for name in answers.Chain.model_fields if name in report},
            "report_id": report["id"],
            "deliveries": await queries.deliveries(tx, principal, report["id"]),
            "steps": [dict(step) for step in await queries.steps(tx, report["id"])],
        }
    )
    await _note(tx, principal, "readReportChain", report, "police_report")
    return chain


@router.post(
    "/{report_id}/acknowledgement",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def acknowledge_report(
    principal: HandlesReports,
    report: ReportToChange,
    new: schemas.Acknowledgement,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Accept a report, as the police (REP-07). The same reference again gets the same answer."""
    return _once(response, await handling.acknowledge_report(tx, principal, report, new))


@router.post(
    "/{report_id}/dispatch",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def dispatch_report(
    principal: HandlesReports,
    report: ReportToChange,
    new: schemas.Dispatch,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Record that officers went out (REP-07)."""
    return _once(response, await handling.dispatch_report(tx, principal, report, new))


@router.post(
    "/{report_id}/dispositions",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def dispose_report(
    principal: HandlesReports,
    report: ReportToChange,
    new: schemas.Disposition,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Record what the police did, by kind of situation (REP-08…13). May be said several times."""
    return _once(response, await handling.dispose_report(tx, principal, report, new))


@router.post(
    "/{report_id}/township-notice",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def notify_township(
    principal: HandlesReports,
    report: ReportToChange,
    new: schemas.TownshipNotice,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Tell the township of acceptance and handling (REP-14)."""
    return _once(response, await handling.notify_township(tx, principal, report, new))


@router.post(
    "/{report_id}/forwarding",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def forward_report(
    principal: HandlesReports,
    report: ReportToChange,
    new: schemas.Forwarding,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Pass a report to the police agency in charge; it is delivered there at once."""
    return _once(response, await handling.forward_report(tx, principal, report, new))


@router.post(
    "/{report_id}/township-notice/receipt",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def confirm_township_notice(
    principal: ReceivesReports,
    report: ReportToChange,
    new: schemas.NoticeReceipt,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Confirm the police's notice, as the township (REP-14)."""
    return _once(response, await handling.confirm_township_notice(tx, principal, report, new))


@router.post(
    "/{report_id}/assessment",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def record_assessment(
    principal: ReceivesReports,
    report: ReportToChange,
    new: schemas.Assessment,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Record the assessment of the child, as the township (REP-15)."""
    return _once(response, await handling.record_assessment(tx, principal, report, new))


@router.post(
    "/{report_id}/services",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def arrange_services(
    principal: ReceivesReports,
    report: ReportToChange,
    new: schemas.ServiceOrder,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """Arrange services for the child, as the township or civil affairs (REP-16, REP-17)."""
    return _once(response, await handling.arrange_services(tx, principal, report, new))


@router.post(
    "/{report_id}/closure",
    status_code=201,
    response_model=answers.StepTaken,
    responses={**_STEP, **_REPEATED},
)
async def close_report(
    principal: ReceivesReports,
    report: ReportToChange,
    new: schemas.Closure,
    tx: Transaction,
    response: Response,
) -> answers.StepTaken:
    """End the case, as the township or civil affairs."""
    return _once(response, await handling.close_report(tx, principal, report, new))


@router.post(
    "/{report_id}/supersession",
    status_code=201,
    response_model=answers.Filed,
    responses={
        **documented(
            *_CALLER,
            ReportNotFound,
            ChildNotFound,
            operations.NotYourPart,
            operations.ReportInvalid,
            operations.ReportIdTaken,
            operations.SupersededAlready,
        ),
        **_REPEATED,
    },
)
async def supersede_report(
    principal: FilesReports,
    report: ReportToChange,
    new: schemas.ReportCreate,
    tx: Transaction,
    response: Response,
) -> answers.Filed:
    """File a corrected report in place of one your agency filed; nothing is ever deleted."""
    filed, is_new = await operations.supersede_report(tx, principal, report, new)
    response.status_code = 201 if is_new else 200
    response.headers["location"] = f"/v1/police-reports/{filed.id}"
    return filed
