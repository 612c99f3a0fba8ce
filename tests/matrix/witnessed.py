"""What the audit must say of an answer, worked out from the answer alone (AUD-1)."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import orjson

from app.access.roles import FIELD_GROUPS
from app.core.data.db import SET_REACH, SYSTEM, Database
from tests.matrix.described import Operation
from tests.matrix.facts import Target
from tests.matrix.found import PARTS
from tests.matrix.parts import Ask

REQUEST_ID = "the-same-every-time"

_OF_A_CHILD = {"child_id", "alert_id", "report_id", *(part.id for part in PARTS)}
_FILES = {"createChild", "listChildren", "searchChildren", "readChild", "changeChild"}
_DATED = {
    **{each.operation: each.dated or part.dated for part in PARTS for each in part.asks},
    **dict.fromkeys(
        (
            *("listDropoutAlerts", "readDropoutAlert", "recordPersuasion", "sendWrittenReport"),
            *("acknowledgeWrittenReport", "orderMeasure", "recordReturn"),
            *("settleDoubt", "enterInRegister", "recordParentContact"),
        ),
        "first_absent_day",
    ),
    "listReports": "filed_at",
    "readReport": "filed_at",
    "readReportChain": "filed_at",
    "listDuties": "opened_at",
    "readDuty": "opened_at",
    **dict.fromkeys(("proposeWaiver", "approveWaiver", "withdrawWaiver"), "opened_at"),
    "readChildHistory": "at",
    "listChildEnrolments": "since",
    "listAuditEntries": "at",
    "listHolders": "since",
    "listChildReaders": "at",
    "listReadingAlarms": "day",
}
"""Looks into the past, and the field that says how far back each item lies. Others do not look."""

_DATED_UNSAID = {
    *("readReporter", "readReporterAlone", "readAssessmentDocument"),
    *("listAttendanceEvents", "pushAttendanceEvents", "copyChildData"),
}
"""Looks into the past whose answer does not say how far: tests of their own do."""

_KINDS = {
    "attendance": {"education"},
    "dropout_alerts": {"education"},
    "police_reports": {"police_report"},
    "readReporter": {"reporter"},
    "readReporterAlone": {"reporter"},
    "listChildEnrolments": {"education"},
    "webhooks": set(),
    "listEvents": {"events"},
    "readWebhookDelivery": {"webhook_delivery"},
    "agencies": set(),
    "approvals": set(),
    "readApproval": {"approval"},
    "readReview": {"approval"},
    "child_readers": {"audit"},
    "hiring_checks": set(),
}
"""What kinds of data an operation shows of a child, where that is not called like its chapter."""

_MORE = {
    *("createChild", "changeChild", "listChildren", "searchChildren", "readChildHistory"),
    "partitionChildren",
}
"""Recorded, too: sections written but not read, and what a page would show if it had an item."""

_RECORDED = {"readApproval", "readReview"}
"""Recorded without a purpose: what is proposed or was done may be said of people."""

_MADE = ("id", "referral_id", "batch_id", "trial_id", "unresolved_id")
"""What an answer calls what was made."""

_ROWS = """
SELECT operation, decision, child_ids, since, rule, field_groups, subject_id FROM audit_entries
WHERE request_id = $1 ORDER BY id
"""


async def rows(database: Database) -> list[Any]:
    """Every audit row of the requests asked, oldest first; asked after each of thousands."""
    raw = database._pinned.raw  # type: ignore[attr-defined]
    await raw.execute(SET_REACH, *SYSTEM.settings.values())
    found: list[Any] = await raw.fetch(_ROWS, REQUEST_ID)
    return found


def faults(
    operation: Operation, asked: Ask, target: Target, answer: httpx.Response, found: list[Any]
) -> Iterator[str]:
    """Say what is wrong with the audit of one answer; nothing if it is as it must be."""
    told = f"{operation.id}, {target.label}, {answer.status_code}: {[dict(row) for row in found]}"
    children = _children(operation, asked, target, answer)
    if len(found) != _how_many(operation, answer, children):
        yield f"{len(found)} audit rows: {told}"
    for row in found:
        right = "denied" if answer.status_code >= 400 or _took_nothing(answer) else "allowed"
        if (row["operation"], row["decision"]) != (operation.id, right):
            yield f"{right} expected: {told}"
        if set(row["child_ids"]) != children:
            yield f"other children: {told}"
        kinds, said = _kinds(operation, answer), {*row["field_groups"]}
        if not (kinds <= said if operation.id in _MORE else kinds == said):
            yield f"shows {kinds}: {told}"
        if row["subject_id"] != (subject := _subject(operation, target, answer)):
            yield f"is about {subject}: {told}"
        reached = operation.id not in _DATED_UNSAID and answer.is_success
        if reached and row["since"] != (since := _since(operation, answer)):
            yield f"reaches back to {since} (`dated` of its Ask tells the field): {told}"


def _took_nothing(answer: httpx.Response) -> bool:
    """Tell whether a batch was taken in, but nothing of it."""
    results = answer.json().get("results", []) if answer.is_success else []
    return bool(results) and all(
        result["status"] in {"rejected", "unresolved"} for result in results
    )


def _how_many(operation: Operation, answer: httpx.Response, children: set[UUID]) -> int:
    if answer.is_success:
        open_to_all = operation.method == "GET" and not operation.personal
        return int(not open_to_all or bool(children) or operation.id in _RECORDED)
    if answer.status_code == 409:
        return int(bool(children))
    return int(answer.status_code in {403, 404})


def _children(
    operation: Operation, asked: Ask, target: Target, answer: httpx.Response
) -> set[UUID]:
    if not answer.is_success:
        if "transition-not-allowed" in answer.text:  # its detail tells where the alert stands
            return {target.ids["child_id"]}
        named = answer.headers.get("location", "").rpartition("/")[2]
        return {UUID(named)} if named else set()
    if _took_nothing(answer):
        return set()
    shown = {UUID(child) for child in _named(answer.json(), "child_id")}
    shown |= {UUID(subject) for subject in _subjects(answer.json())}
    if operation.id in _FILES:
        page = answer.json()
        shown |= {UUID(item["id"]) for item in page.get("items", [page])}
    if _OF_A_CHILD & {*operation.names, *asked.names, *asked.claims}:
        shown.add(target.ids["child_id"])
    return shown


def _named(value: Any, field: str) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get(field):
            yield value[field]
        for name, inner in value.items():
            yield from _named(_inner(name, inner), field)
    if isinstance(value, list):
        for inner in value:
            yield from _named(inner, field)


def _inner(name: str, value: Any) -> Any:
    """Read what a delivery holds as text."""
    return orjson.loads(value) if name == "body" and isinstance(value, str) else value


def _subjects(value: dict[str, Any]) -> Iterator[str]:
    """Yield the children that deliveries are about."""
    for item in value.get("items", [value]):
        if item.get("event_type", "").startswith("children."):
            yield item["subject_id"]


def _since(operation: Operation, answer: httpx.Response) -> date | None:
    if operation.id not in _DATED:
        return None
    days = _named(answer.json(), _DATED[operation.id])
    return min(map(_day, days), default=None)


def _day(text: str) -> date:
    if len(text) == 10:
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).astimezone(ZoneInfo("Asia/Shanghai")).date()


def _kinds(operation: Operation, answer: httpx.Response) -> set[str]:
    """Return the kinds of data an answer shows: of files the sections."""
    if not answer.is_success:
        return set()
    chapter = operation.scope.partition(":")[0]
    if operation.id == "readBreakGlassFile":
        return {*answer.json()}.intersection(FIELD_GROUPS)
    if operation.id == "copyChildData":
        return {chapter, *(section["code"] for section in answer.json()["sections"])}
    if operation.id == "readChildReasons":
        reasons = answer.json()["reasons"]
        return {"derived", *(fact.split(".")[0] for each in reasons for fact in each["facts"])}
    if chapter == "children" and operation.id not in _KINDS:
        page = answer.json()
        told = {section for item in page.get("items", [page]) for section in item}
        return told.intersection(FIELD_GROUPS)
    personal = {chapter} if operation.personal else set()
    return _KINDS.get(operation.id, _KINDS.get(chapter, personal))


def _subject(operation: Operation, target: Target, answer: httpx.Response) -> UUID | None:
    """Return what an answer is about: what was made, or what the path names first."""
    makes = operation.method == "POST" and not operation.names
    if answer.is_success and (makes or operation.id == "supersedeReport"):
        made = answer.json()
        return next((UUID(made[name]) for name in _MADE if name in made), None)
    if answer.is_success and operation.id == "listAttendanceEvents":
        return target.ids["child_id"]
    return target.ids.get(operation.names[0]) if operation.names else None
