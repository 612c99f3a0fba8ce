"""Push attendance, read what became of it."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from itertools import compress
from typing import Annotated, Any, NamedTuple

import asyncpg
import orjson
from fastapi import Body, Depends, Header, Query, Request
from pydantic import SkipValidation

from app.access import acts
from app.access.acts import PersonRequired
from app.access.deps import named_in_path, needs
from app.access.principal import Principal
from app.attendance import contradictions, findings, operations, queries, reading, receipts, schemas
from app.attendance.acts import PRESENCE_ACTS, AlreadyFound, NotSaidByYou
from app.attendance.area import AREA, READ, VERIFY, WRITE
from app.children import enrolments
from app.children import queries as children
from app.children.deps import ChildMeant, ChildNotFound
from app.core.data import keys
from app.core.data.db import Tx
from app.core.data.envelopes import Erased
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction, Transaction
from app.core.http.shown import Shown
from app.core.http.wire import Day
from app.core.problems import Problem, documented

router = routing.v1(AREA.tag)
_HANDLING_STRICT = re.compile(r"(?:^|,)\s*handling\s*=\s*\"?strict\b", re.IGNORECASE)
_RETURN_MINIMAL = re.compile(r"(?:^|,)\s*return\s*=\s*\"?minimal\b", re.IGNORECASE)


class BatchNotFound(Problem, status=404, denies=True):
    """No such batch, or another school's: the same answer (AZ-3)."""

    title = "No such attendance batch"
    title_zh = "没有这个考勤批次"


class PresenceDoubtNotFound(Problem, status=404, denies=True):
    """No such doubt, or none the caller may know of: the same answer (AZ-3)."""

    title = "No such doubt about who was there"
    title_zh = "没有这条在校情况核实记录"


class Preferences(NamedTuple):
    """What a sender would like (RFC 7240)."""

    strict: bool
    minimal: bool

    @property
    def applied(self) -> dict[str, str]:
        """The header that says which are heeded."""
        said = [*compress(("handling=strict", receipts.MINIMAL), self)]
        return {receipts.APPLIED: ", ".join(said)} if said else {}


async def _preferences(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(
            # Told, not asked: a wish refuses nothing.
            json_schema_extra={"maxLength": 200, "pattern": "^[\t -~\x80-\xff]*$"},
            description="`handling=strict`: all events or none. `return=minimal`: no results of"
            " what was taken with nothing more to say (RFC 7240).",
            examples=["handling=strict", "return=minimal"],
        ),
    ] = None,
) -> Preferences:
    del prefer  # the first of its lines, which are one list (RFC 9110, 5.3)
    said = ",".join(request.headers.getlist("prefer"))
    strict, minimal = _HANDLING_STRICT.search(said), _RETURN_MINIMAL.search(said)
    return Preferences(strict is not None, minimal is not None)


ReadsAttendance = Annotated[Principal, needs(READ)]
WritesAttendance = Annotated[Principal, needs(WRITE, evidence=True)]
VerifiesPresence = Annotated[Principal, needs(VERIFY)]
Preferred = Annotated[Preferences, Depends(_preferences)]
_BATCH = ("batch_id", "The batch's id, from the answer to the push.")
BatchInPath = Annotated[bytes, named_in_path(*_BATCH, queries.batch_kept, BatchNotFound)]
"""What is kept of the batch."""

_DOUBT = ("doubt_id", "The doubt's id.", findings.find)
DoubtToSettle = Annotated[asyncpg.Record, named_in_path(*_DOUBT, PresenceDoubtNotFound, lock=True)]
"""The doubt named in the path, held for a change."""

_EDUCATION = ("education",)

_DATA: dict[str, Any] = schemas.AttendanceEvent.model_json_schema(
    ref_template="#/components/schemas/{model}"
)
del _DATA["$defs"]
_CLOUDEVENT: dict[str, Any] = {
    "title": "CloudEvent",
    **{key: value for key, value in reading.cloudevent_schema().items() if key != "$schema"},
    "properties": {
        **reading.cloudevent_schema()["properties"],
        "data": {
            **_DATA,
            "title": "CloudEventData",
            "required": sorted({*_DATA["required"]} - {"source", "id", "time"}),
            "description": "The event; `source`, `id` and `time` may be left to the envelope.",
        },
    },
}
_CLOUDEVENT_BODIES = {
    schemas.CLOUDEVENTS_BATCH: {
        "schema": {
            "title": "CloudEventBatch",
            "type": "array",
            "maxItems": schemas.MAX_EVENTS,
            "items": _CLOUDEVENT,
        }
    },
    schemas.CLOUDEVENT: {"schema": _CLOUDEVENT},
}


@router.post(
    "/attendance-events",
    status_code=202,
    responses={
        200: {"description": "The batch was empty."},
        **documented(reading.EnvelopeUnusable, operations.BatchRefused),
    },
    openapi_extra={"requestBody": {"content": _CLOUDEVENT_BODIES}},
)
@routing.kept_by(receipts.again)
async def push_attendance_events(
    request: Request,
    principal: WritesAttendance,
    preferred: Preferred,
    body: Annotated[SkipValidation[schemas.AttendanceBatch], Body(title="AttendanceBatch")],
    tx: Transaction,
) -> Shown[schemas.BatchReceipt]:
    """Push up to 1,000 attendance events of your school's pupils, and rolls of its classes.

    Each is judged by itself and answered in order; a repetition changes nothing, so push again
    whenever in doubt. Native JSON, a CloudEvents batch or a single CloudEvent (EDU-01).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    plain = request.scope.get("plain_json", False)
    incoming = reading.read_batch(media_type, body, checked=plain)
    if not incoming:
        return Shown(receipts.receipt(receipts.to_keep(None, ())), status=200)
    pushed = await operations.push_attendance_events(
        tx, principal, incoming, strict=preferred.strict
    )
    return Shown(
        receipts.receipt(pushed.kept, minimal=preferred.minimal),
        children=pushed.children,
        groups=_EDUCATION,
        subject=pushed.batch_id,
        since=pushed.since,
        refused_by="child-not-found" if pushed.strangers else None,
        receipt=True,
        headers={
            "location": f"/v1/attendance-batches/{pushed.batch_id}",
            **preferred.applied,
        },
    )


@router.get("/attendance-batches/{batch_id}")
async def read_attendance_batch(
    principal: ReadsAttendance, kept: BatchInPath
) -> Shown[schemas.BatchReceipt]:
    """Read again what was answered to a batch of your own agency."""
    return Shown(receipts.receipt(receipts.unpacked(kept)), groups=_EDUCATION)


@router.get("/attendance-events", responses=documented(ChildNotFound))
async def list_attendance_events(
    principal: ReadsAttendance,
    tx: ReadTransaction,
    window: Paged,
    child_id: ChildMeant,
    since: Annotated[Day | None, Query(description="First school day; else 90 days back.")] = None,
    until: Annotated[Day | None, Query(description="Last school day; else no end.")] = None,
) -> Shown[Page[schemas.StoredEvent]]:
    """List the attendance events on one child, latest school day first. A school that the child
    has left reads its own again.
    """
    own = None
    if await children.find(tx, principal, child_id) is None:
        own = principal.school_id
        if own is None or not await enrolments.was_pupil(tx, own, child_id):
            raise ChildNotFound
    first = since or tx.today - timedelta(days=90)
    page = await queries.events_of_child(
        tx, child_id, window, since=first, until=until or date.max, school_id=own
    )
    names = {row["event_ref"]: (row["school_id"], row["source"], row["id"]) for row in page.rows}
    beside = await contradictions.beside(tx, [*names.values()])
    await keys.of_rows(tx, page.rows)
    return Shown(
        page.shown(lambda row: _stored(tx, row, beside[names[row["event_ref"]]])),
        children=[child_id],
        groups=_EDUCATION,
        subject=child_id,
        since=first,
    )


@router.get("/presence-doubts")
async def list_presence_doubts(
    principal: ReadsAttendance,
    tx: ReadTransaction,
    window: Paged,
    act: Annotated[acts.Act | None, acts.asked(PRESENCE_ACTS)] = None,
) -> Shown[Page[schemas.PresenceDoubt]]:
    """List children said to be at a school and seen elsewhere the same day, newest first."""
    page = await findings.page(tx, principal, window, act=act)
    return Shown(
        page.shown(lambda row: _doubt(tx, principal, row)),
        children=[row["child_id"] for row in page.rows],
        groups=_EDUCATION,
        since=min((row["school_day"] for row in page.rows), default=None),
    )


@router.post(
    "/presence-doubts/{doubt_id}/finding",
    responses=documented(NotSaidByYou, PersonRequired, AlreadyFound),
)
async def record_presence_finding(
    principal: VerifiesPresence,
    doubt: DoubtToSettle,
    new: schemas.PresenceFindingCreate,
    tx: Transaction,
) -> Shown[schemas.PresenceDoubt]:
    """Record, as a named person of the school, where the child was that day; of the education
    authority, if what tells of it must be kept from the school.
    """
    row = await findings.record_finding(tx, principal, doubt, new)
    return Shown(
        _doubt(tx, principal, row),
        children=[row["child_id"]],
        groups=_EDUCATION,
        since=row["school_day"],
    )


def _stored(tx: Tx, row: Mapping[str, Any], beside: list[Any]) -> dict[str, Any]:
    event, place = dict(row), "attendance_events.as_sent_sealed"
    sealed = event.pop("as_sent_sealed")
    text = "null"
    with suppress(Erased):
        text = text if sealed is None else tx.keyring.unseal(place, row["event_ref"], sealed)
    return {**event, "as_sent": orjson.loads(text), "also_said": beside}


def _doubt(tx: Tx, principal: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    names = schemas.PresenceDoubt.model_fields.keys() - {"permitted"}
    told = acts.permitted(PRESENCE_ACTS, principal, row, tx.today)
    return {**{name: row[name] for name in names}, "permitted": told}
