"""Read dropout alerts and take the steps from absence to return."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import asyncpg
from fastapi import Depends, Query

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.children.deps import ChildFilter
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.keys import text_of
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.preconditions import IfMatch
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.http.wire import region_text
from app.core.problems import Problem, documented
from app.dropout_alerts import models, operations, queries, rules, schemas
from app.dropout_alerts.acts import (
    ACTS,
    AddresseeMissing,
    NotAddressed,
    NothingDoubted,
    NotOfYourSchool,
    TransitionNotAllowed,
    report_at_once,
)
from app.dropout_alerts.area import AREA, DECIDE, READ, WRITE
from app.dropout_alerts.models import State

router = routing.v1(AREA.tag, prefix="/dropout-alerts")


class DropoutAlertNotFound(Problem, status=404, denies=True):
    """No such alert, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such dropout alert"
    title_zh = "没有这条辍学预警"


ReadsDropoutAlerts = Annotated[Principal, needs(READ)]
WritesDropoutAlerts = Annotated[Principal, needs(WRITE)]
DecidesDropoutAlerts = Annotated[Principal, needs(DECIDE)]
AlertInPath = Annotated[
    asyncpg.Record, named_in_path("alert_id", "The alert's id.", queries.find, DropoutAlertNotFound)
]


async def _alert_to_change(found: AlertInPath, tx: Transaction) -> models.DropoutAlert:
    key = (found["id"], found["home_county"])
    alert = await tx.session.get(models.DropoutAlert, key, with_for_update=True)
    if alert is None:
        raise DropoutAlertNotFound
    return alert


AlertToChange = Annotated[models.DropoutAlert, Depends(_alert_to_change)]
"""The alert named in the path, held for a change."""

_EDUCATION = ("education",)
_BY_SCHOOL = documented(TransitionNotAllowed, NotOfYourSchool)
_RETURNED = documented(TransitionNotAllowed, NotOfYourSchool, PersonRequired)
_DECIDED = documented(TransitionNotAllowed, NotOfYourSchool, PersonRequired, NothingDoubted)


@router.get("")
async def list_dropout_alerts(
    principal: ReadsDropoutAlerts,
    tx: ReadTransaction,
    window: Paged,
    state: Annotated[State | None, Query(description="Only alerts that stand there.")] = None,
    child_id: ChildFilter = None,
    registered: Annotated[
        bool | None, Query(description="Only alerts in the dropout register, or outside.")
    ] = None,
    cause: Annotated[
        models.Cause | None, Query(description="Only those of whom the register says that cause.")
    ] = None,
    whereabouts: Annotated[
        models.Whereabouts | None, Query(description="Only those who are there by the register.")
    ] = None,
    act: Annotated[acts.Act | None, acts.asked(ACTS)] = None,
) -> Shown[Page[schemas.DropoutAlert]]:
    """List the dropout alerts on children in your remit, newest first; the register (EDU-02), by
    cause and whereabouts.
    """
    filters = queries.Filters(state, child_id, registered, cause, whereabouts)
    page = await queries.find_page(tx, principal, window, filters=filters, act=act)
    return Shown(
        page.shown(lambda row: _wire(tx, principal, row)),
        children=[row["child_id"] for row in page.rows],
        groups=_EDUCATION,
        since=min((row["first_absent_day"] for row in page.rows), default=None),
    )


@router.get("/{alert_id}")
async def read_dropout_alert(
    principal: ReadsDropoutAlerts, found: AlertInPath, tx: Transaction
) -> Shown[schemas.DropoutAlertDetail]:
    """Read an alert and everything done about it."""
    return await _detail(tx, principal, found)


@router.post("/{alert_id}/persuasions", status_code=201, responses=_BY_SCHOOL)
async def record_persuasion(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.PersuasionCreate,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Record, as the school, an attempt to bring the child back (EDU-03).

    With `final` the school gives up, and a written report to education and township is due.
    """
    await operations.record_persuasion(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post("/{alert_id}/parent-contacts", status_code=201, responses=_BY_SCHOOL)
async def record_parent_contact(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.ParentContactCreate,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Record, as the school, that you spoke to the parents of why the child is away (EDU-01).

    It is no attempt to bring the child back, and enters nobody in the register.
    """
    await operations.record_parent_contact(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post("/{alert_id}/register-entries", status_code=201, responses=_BY_SCHOOL)
async def enter_in_register(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.RegisterEntry,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Enter, as the school, why the child stays away and where it is (EDU-02).

    Entered again, the last word counts; the journal keeps each.
    """
    await operations.enter_in_register(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post(
    "/{alert_id}/written-report",
    status_code=201,
    responses=documented(TransitionNotAllowed, NotOfYourSchool, AddresseeMissing),
)
async def send_written_report(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.WrittenReportCreate,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Send, as the school, the written report to education and township (EDU-04, EDU-05)."""
    await operations.send_written_report(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post(
    "/{alert_id}/written-report/receipt", responses=documented(TransitionNotAllowed, NotAddressed)
)
async def acknowledge_written_report(
    principal: DecidesDropoutAlerts, alert: AlertToChange, if_match: IfMatch, tx: Transaction
) -> Shown[schemas.DropoutAlertDetail]:
    """Confirm, as an addressee, that your agency has the written report."""
    await operations.acknowledge_written_report(tx, principal, alert, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post(
    "/{alert_id}/measures",
    status_code=201,
    responses=documented(TransitionNotAllowed, NotAddressed),
)
async def order_measure(
    principal: DecidesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.DropoutMeasureCreate,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Record, as an addressee, what is done to bring the child back (EDU-07)."""
    await operations.order_measure(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post("/{alert_id}/return", responses=_RETURNED)
async def record_return(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.SchoolReturnCreate,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Record, as the school, that the child is back at a school."""
    await operations.record_return(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


@router.post("/{alert_id}/doubt/decision", responses=_DECIDED)
async def settle_doubt(
    principal: WritesDropoutAlerts,
    alert: AlertToChange,
    if_match: IfMatch,
    new: schemas.DoubtDecision,
    tx: Transaction,
) -> Shown[schemas.DropoutAlertDetail]:
    """Decide, as a named person of the school, whether a doubted alert stands."""
    await operations.settle_doubt(tx, principal, alert, new, if_match=if_match)
    return await _detail(tx, principal, await queries.whole(tx, principal, alert))


def _wire(tx: Tx, principal: Principal, alert: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: alert[name] for name in _PLAIN},
        "region_code": region_text(alert["opened_in"]),
        "permitted": acts.permitted(ACTS, principal, alert, tx.today),
    }


_PLAIN = tuple(schemas.DropoutAlert.model_fields.keys() - {"region_code", "permitted"})


_SEALED_STEPS: Final = ("reports", "persuasions", "measures", "journal")


async def _detail(
    tx: Tx, principal: Principal, alert: Mapping[str, Any]
) -> Shown[schemas.DropoutAlertDetail]:
    steps = await queries.steps(tx, alert["id"])
    await keys.of_rows(tx, [row for kind in _SEALED_STEPS for row in steps[kind]])
    at_once = report_at_once(principal.region_code, tx.today)
    report = None
    if steps["reports"]:
        found = steps["reports"][0]
        report = _unsealed(tx, "dropout_written_reports.summary_sealed", found)
        report["receipts"] = steps["receipts"]
    body = {
        **_wire(tx, principal, alert),
        "allowed_actions": rules.allowed_actions(alert["state"], report_at_once=at_once),
        "persuasions": [
            _unsealed(tx, "dropout_persuasions.note_sealed", row) for row in steps["persuasions"]
        ],
        "written_report": report,
        "measures": [
            _unsealed(tx, "dropout_measures.note_sealed", row) for row in steps["measures"]
        ],
        "journal": [
            _unsealed(tx, "dropout_alert_steps.note_sealed", row) for row in steps["journal"]
        ],
    }
    return Shown(
        body, children=[alert["child_id"]], groups=_EDUCATION, since=alert["first_absent_day"]
    )


def _unsealed(tx: Tx, place: str, row: dict[str, Any]) -> dict[str, Any]:
    column = place.partition(".")[2]
    sealed = row.pop(column)
    text = None if sealed is None else text_of(tx.keyring, place, row["id"], sealed)
    return {**row, column.removesuffix("_sealed"): text}
