"""Push attendance, read what became of it."""

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Body, Query, Request, Response
from pydantic import SkipValidation

from app.access.deps import PurposeNotAllowed, ScopeMissing, Unauthenticated
from app.attendance import operations, queries, schemas
from app.attendance.area import AREA
from app.attendance.deps import (
    BatchInPath,
    BatchNotFound,
    ReadsAttendance,
    StrictHandling,
    WritesAttendance,
)
from app.audit import operations as audit
from app.children import queries as children
from app.children.deps import ChildNotFound
from app.core.http import paging, routing
from app.core.http.routing import Transaction
from app.core.http.wire import Day
from app.core.problems import documented

router = routing.router(AREA.tag)

_DATA: dict[str, Any] = schemas.AttendanceEvent.model_json_schema(
    ref_template="#/components/schemas/{model}"
)
del _DATA["$defs"]
_CLOUDEVENT: dict[str, Any] = {
    **{key: value for key, value in schemas.cloudevent_schema().items() if key != "$schema"},
    "properties": {
        **schemas.cloudevent_schema()["properties"],
        "data": {
            **_DATA,
            "required": sorted({*_DATA["required"]} - {"source", "id", "time"}),
            "description": "The event; `source`, `id` and `time` may be left to the envelope.",
        },
    },
}
_CLOUDEVENT_BODIES = {
    schemas.CLOUDEVENTS_BATCH: {
        "schema": {"type": "array", "maxItems": schemas.MAX_EVENTS, "items": _CLOUDEVENT}
    },
    schemas.CLOUDEVENT: {"schema": _CLOUDEVENT},
}


@router.post(
    "/attendance-events",
    status_code=202,
    response_model=schemas.BatchReceipt,
    responses={
        200: {"description": "The batch was empty.", "model": schemas.BatchReceipt},
        **documented(
            Unauthenticated,
            ScopeMissing,
            PurposeNotAllowed,
            routing.MalformedRequest,
            routing.UnsupportedMediaType,
            schemas.EnvelopeUnusable,
            operations.BatchRefused,
        ),
    },
    openapi_extra={"requestBody": {"content": _CLOUDEVENT_BODIES}},
)
async def push_attendance_events(
    request: Request,
    principal: WritesAttendance,
    strict: StrictHandling,
    body: Annotated[SkipValidation[schemas.AttendanceBatch], Body()],
    tx: Transaction,
) -> Response:
    """Push up to 1,000 attendance events of your school's pupils.

    Each is judged by itself and answered in order; a repetition changes nothing, so push again
    whenever in doubt. Native JSON, a CloudEvents batch or a single CloudEvent (EDU-01).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    incoming = schemas.read_batch(media_type, body)
    if not incoming:
        return _json(orjson.dumps({"batch_id": None, "results": []}), 200)
    answer = await operations.push_attendance_events(tx, principal, incoming, strict=strict)
    response = _json(answer, 202)
    if strict:
        response.headers["preference-applied"] = "handling=strict"
    return response


@router.get(
    "/attendance-batches/{batch_id}",
    response_model=schemas.BatchReceipt,
    responses=documented(Unauthenticated, ScopeMissing, PurposeNotAllowed, BatchNotFound),
)
async def read_attendance_batch(principal: ReadsAttendance, answer: BatchInPath) -> Response:
    """Read again what was answered to a batch of your own agency."""
    return _json(answer, 200)


@router.get(
    "/attendance-events",
    response_model=paging.Page[schemas.StoredEvent],
    responses=documented(
        Unauthenticated, ScopeMissing, PurposeNotAllowed, ChildNotFound, paging.CursorInvalid
    ),
)
async def list_attendance_events(
    principal: ReadsAttendance,
    tx: Transaction,
    child_id: Annotated[UUID, Query(description="The child.")],
    since: Annotated[Day | None, Query(description="First school day; else 90 days back.")] = None,
    until: Annotated[Day | None, Query(description="Last school day; else no end.")] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """List the attendance events on one child, latest school day first."""
    child = await children.find(tx, principal, child_id)
    if child is None:
        raise ChildNotFound
    items, next_cursor = await queries.events_of_child(
        tx,
        child.id,
        since=since or tx.today - timedelta(days=90),
        until=until or date.max,
        limit=limit,
        cursor=cursor,
    )
    await audit.record(
        tx,
        principal.actor,
        "listAttendanceEvents",
        children=[child.id],
        field_groups=["education"],
    )
    return _json(orjson.dumps({"items": items, "next_cursor": next_cursor}, default=str), 200)


def _json(body: bytes, status: int) -> Response:
    return Response(body, status_code=status, media_type="application/json")
