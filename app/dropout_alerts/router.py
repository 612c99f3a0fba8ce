"""Read dropout alerts and take the steps from absence to return."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Response

from app.access.deps import PurposeNotAllowed, ScopeMissing, Unauthenticated
from app.access.principal import Principal
from app.audit import operations as audit
from app.core.data.db import Tx
from app.core.http import paging, routing
from app.core.http.preconditions import IfMatch, PreconditionFailed, PreconditionRequired, etag
from app.core.http.routing import Transaction
from app.core.http.wire import region_text
from app.core.problems import documented
from app.dropout_alerts import operations, queries, rules, schemas
from app.dropout_alerts.area import AREA
from app.dropout_alerts.deps import (
    AlertInPath,
    AlertToChange,
    DecidesDropoutAlerts,
    DropoutAlertNotFound,
    ReadsDropoutAlerts,
    WritesDropoutAlerts,
)
from app.dropout_alerts.models import State

router = routing.router(AREA.tag, prefix="/dropout-alerts")

_CALLER = (Unauthenticated, ScopeMissing, PurposeNotAllowed)
_CHANGE = (
    *_CALLER,
    DropoutAlertNotFound,
    operations.TransitionNotAllowed,
    PreconditionFailed,
    PreconditionRequired,
)
_BY_SCHOOL = (*_CHANGE, operations.NotOfYourSchool, operations.DayImpossible)


@router.get(
    "",
    response_model=paging.Page[schemas.DropoutAlert],
    responses=documented(*_CALLER, paging.CursorInvalid),
)
async def list_dropout_alerts(
    principal: ReadsDropoutAlerts,
    tx: Transaction,
    state: Annotated[State | None, Query(description="Only alerts that stand there.")] = None,
    child_id: Annotated[UUID | None, Query(description="Only alerts on this child.")] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """List the dropout alerts on children in your remit, newest first."""
    items, next_cursor = await queries.find_page(
        tx, principal, state=state, child_id=child_id, limit=limit, cursor=cursor
    )
    shown = sorted({item["child_id"] for item in items})
    await audit.record(
        tx, principal.actor, "listDropoutAlerts", children=shown, field_groups=["education"]
    )
    return _json({"items": [_wire(item) for item in items], "next_cursor": next_cursor})


@router.get(
    "/{alert_id}",
    response_model=schemas.DropoutAlertDetail,
    responses=documented(*_CALLER, DropoutAlertNotFound),
)
async def read_dropout_alert(
    principal: ReadsDropoutAlerts, found: AlertInPath, tx: Transaction
) -> Response:
    """Read an alert and everything done about it."""
    await audit.record(
        tx,
        principal.actor,
        "readDropoutAlert",
        children=[found["child_id"]],
        subject=found["id"],
        field_groups=["education"],
    )
    return await _detail(tx, principal, found)


@router.post(
    "/{alert_id}/persuasions",
    status_code=201,
    response_model=schemas.DropoutAlertDetail,
    responses=documented(*_BY_SCHOOL),
)
async def record_persuasion(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.PersuasionCreate,
    tx: Transaction,
) -> Response:
    """Record, as the school, an attempt to bring the child back (EDU-03).

    With `final` the school gives up, and a written report to education and township is due.
    """
    await operations.record_persuasion(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, alert.model_dump(), status=201)


@router.post(
    "/{alert_id}/written-report",
    status_code=201,
    response_model=schemas.DropoutAlertDetail,
    responses=documented(*_CHANGE, operations.NotOfYourSchool, operations.AddresseeMissing),
)
async def send_written_report(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.WrittenReportCreate,
    tx: Transaction,
) -> Response:
    """Send, as the school, the written report to education and township (EDU-04, EDU-05)."""
    await operations.send_written_report(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, alert.model_dump(), status=201)


@router.post(
    "/{alert_id}/written-report/receipt",
    status_code=200,
    response_model=schemas.DropoutAlertDetail,
    responses=documented(*_CHANGE, operations.NotAddressed),
)
async def acknowledge_written_report(
    principal: DecidesDropoutAlerts, alert: AlertToChange, if_match: IfMatch, tx: Transaction
) -> Response:
    """Confirm, as an addressee, that your agency has the written report."""
    await operations.acknowledge_written_report(tx, principal, alert, if_match=if_match)
    return await _detail(tx, principal, alert.model_dump())


@router.post(
    "/{alert_id}/measures",
    status_code=201,
    response_model=schemas.DropoutAlertDetail,
    responses=documented(*_CHANGE, operations.NotAddressed, operations.DayImpossible),
)
async def order_measure(
    principal: DecidesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.DropoutMeasureCreate,
    tx: Transaction,
) -> Response:
    """Record, as an addressee, what is done to bring the child back (EDU-07)."""
    await operations.order_measure(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, alert.model_dump(), status=201)


@router.post(
    "/{alert_id}/return",
    status_code=200,
    response_model=schemas.DropoutAlertDetail,
    responses=documented(*_BY_SCHOOL),
)
async def record_return(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.SchoolReturnCreate,
    tx: Transaction,
) -> Response:
    """Record, as the school, that the child is back at a school."""
    await operations.record_return(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, alert.model_dump())


def _wire(alert: dict[str, Any]) -> dict[str, Any]:
    shown = {name: alert[name] for name in schemas.DropoutAlert.model_fields}
    return {**shown, "region_code": region_text(alert["region_code"])}


async def _detail(
    tx: Tx, principal: Principal, alert: dict[str, Any], *, status: int = 200
) -> Response:
    steps = await queries.steps(tx, alert["id"])
    at_once = queries.report_at_once(principal.region_code, tx.today)
    report = None
    if steps["reports"]:
        found = steps["reports"][0]
        report = _unsealed(tx, "dropout_written_reports.summary_sealed", found)
        report["receipts"] = steps["receipts"]
    body = {
        **_wire(alert),
        "allowed_actions": rules.allowed_actions(alert["state"], report_at_once=at_once),
        "persuasions": [
            _unsealed(tx, "dropout_persuasions.note_sealed", row) for row in steps["persuasions"]
        ],
        "written_report": report,
        "measures": [
            _unsealed(tx, "dropout_measures.note_sealed", row) for row in steps["measures"]
        ],
    }
    response = _json(body, status)
    response.headers["etag"] = etag(alert["version"])
    return response


def _unsealed(tx: Tx, place: str, row: dict[str, Any]) -> dict[str, Any]:
    column = place.partition(".")[2]
    sealed = row.pop(column)
    text = None if sealed is None else tx.keyring.unseal(place, row["id"], sealed)
    return {**row, column.removesuffix("_sealed"): text}


def _json(body: dict[str, Any], status: int = 200) -> Response:
    content = orjson.dumps(body, default=str)
    return Response(content, status_code=status, media_type="application/json")
