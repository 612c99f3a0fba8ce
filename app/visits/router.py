"""Home visits: record, correct, read."""

from datetime import date
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from app.access.deps import PurposeNotAllowed, ScopeMissing, Unauthenticated, needs
from app.access.principal import Principal
from app.audit import operations as audit
from app.children.deps import ChildInPath, ChildNotFound
from app.core.data.db import Tx
from app.core.http import paging, routing
from app.core.http.idempotency import IdempotencyKeyInvalid, IdempotencyKeyReused
from app.core.http.paging import CursorInvalid, Page
from app.core.http.preconditions import IfMatch, PreconditionFailed, PreconditionRequired, etag
from app.core.http.routing import Transaction
from app.core.http.wire import Day
from app.core.problems import documented
from app.regions.deps import RegionCodeInvalid, RegionSpan
from app.visits import operations, queries, schemas
from app.visits.area import AREA, READ, WRITE

router = routing.router(AREA.tag)

ReadsVisits = Annotated[Principal, needs(READ)]
WritesVisits = Annotated[Principal, needs(WRITE)]
VisitId = Annotated[UUID, Path(description="The visit's id.")]

_REFUSED = (Unauthenticated, ScopeMissing, PurposeNotAllowed)
_KEYS = (IdempotencyKeyInvalid, IdempotencyKeyReused)
_DAYS = (
    operations.VisitInFuture,
    operations.VisitBeforeBirth,
    operations.VisitStartOnOtherDay,
)


@router.post(
    "/visits",
    status_code=201,
    response_model=schemas.Visit,
    responses={
        200: {"model": schemas.Visit, "description": "It was stored before; nothing changed"},
        **documented(*_REFUSED, ChildNotFound, operations.VisitDiffers, *_DAYS, *_KEYS),
    },
)
async def record_visit(
    principal: WritesVisits, new: schemas.VisitCreate, tx: Transaction
) -> Response:
    """Record a home visit. Sent again with the same id and content, it is stored once."""
    visit, is_new = await operations.record_visit(tx, principal, new)
    return _answer(visit, status_code=201 if is_new else 200)


@router.get(
    "/visits",
    response_model=Page[schemas.Visit],
    responses=documented(*_REFUSED, CursorInvalid, RegionCodeInvalid),
)
async def list_visits(
    principal: ReadsVisits,
    tx: Transaction,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
    child_id: Annotated[UUID | None, Query(description="Only to this child.")] = None,
    visited_from: Annotated[Day | None, Query(description="On this day or later.")] = None,
    visited_until: Annotated[Day | None, Query(description="On this day or earlier.")] = None,
    abnormal: Annotated[bool | None, Query(description="Only with or without findings.")] = None,
    region: RegionSpan = None,
) -> Response:
    """List visits to the children of your remit, latest first."""
    filters = queries.Filters(
        child_id=child_id,
        visited_from=visited_from,
        visited_until=visited_until,
        abnormal=abnormal,
        region=region,
    )
    return await _page(tx, principal, "listVisits", filters, cursor, limit)


@router.get(
    "/children/{child_id}/visits",
    response_model=Page[schemas.Visit],
    responses=documented(*_REFUSED, ChildNotFound, CursorInvalid),
)
async def list_child_visits(
    principal: ReadsVisits,
    child: ChildInPath,
    tx: Transaction,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """List the visits to a child, latest first."""
    filters = queries.Filters(child_id=child.id)
    return await _page(tx, principal, "listChildVisits", filters, cursor, limit)


@router.get(
    "/visits/{visit_id}",
    response_model=schemas.Visit,
    responses=documented(*_REFUSED, operations.VisitNotFound),
)
async def read_visit(principal: ReadsVisits, visit_id: VisitId, tx: Transaction) -> Response:
    """Read a visit as it stands."""
    row = await queries.find(tx, principal, visit_id)
    if row is None:
        raise operations.VisitNotFound
    visit = queries.visit_of(tx.keyring, row)
    await _audit(tx, principal, "readVisit", [visit.child_id], visit_id)
    return _answer(visit)


@router.patch(
    "/visits/{visit_id}",
    response_model=schemas.Visit,
    responses=documented(
        *_REFUSED,
        operations.VisitNotFound,
        PreconditionFailed,
        PreconditionRequired,
        *_DAYS,
        *_KEYS,
    ),
)
async def correct_visit(
    principal: WritesVisits,
    visit_id: VisitId,
    correction: schemas.VisitCorrection,
    if_match: IfMatch,
    tx: Transaction,
) -> Response:
    """Correct a visit. What it said before is kept and can be read."""
    visit = await operations.correct_visit(tx, principal, visit_id, correction, if_match=if_match)
    return _answer(visit)


@router.get(
    "/visits/{visit_id}/versions",
    response_model=Page[schemas.VisitVersion],
    responses=documented(*_REFUSED, operations.VisitNotFound, CursorInvalid),
)
async def list_visit_versions(
    principal: ReadsVisits,
    visit_id: VisitId,
    tx: Transaction,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Page[schemas.VisitVersion]:
    """List what a visit said before each correction, latest first."""
    row = await queries.find(tx, principal, visit_id)
    if row is None:
        raise operations.VisitNotFound
    keys = paging.decode(cursor, int)
    found = await queries.list_versions(
        tx, visit_id, before=keys[0] if keys else None, limit=limit + 1
    )
    await _audit(tx, principal, "listVisitVersions", [row["child_id"]], visit_id)
    shown = found[:limit]
    more = len(found) > limit
    return Page(items=shown, next_cursor=paging.encode(shown[-1].version) if more else None)


async def _page(
    tx: Tx,
    principal: Principal,
    operation: str,
    filters: queries.Filters,
    cursor: str | None,
    limit: int,
) -> Response:
    after = paging.decode(cursor, date, UUID)
    visits = await queries.list_visits(tx, principal, filters, after=after, limit=limit + 1)
    shown = visits[:limit]
    await _audit(
        tx, principal, operation, sorted({visit.child_id for visit in shown}), filters.child_id
    )
    last = shown[-1] if len(visits) > limit else None
    page = Page[schemas.Visit](
        items=shown,
        next_cursor=paging.encode(last.visited_on.isoformat(), str(last.id)) if last else None,
    )
    return Response(page.model_dump_json(), media_type="application/json")


async def _audit(
    tx: Tx, principal: Principal, operation: str, children: list[UUID], subject: UUID | None
) -> None:
    await audit.record(
        tx,
        principal.actor,
        operation,
        children=children,
        subject=subject,
        field_groups=["visits"],
    )


def _answer(visit: schemas.Visit, *, status_code: int = 200) -> Response:
    headers = {"etag": etag(visit.version)}
    if status_code == HTTPStatus.CREATED:
        headers["location"] = f"/v1/visits/{visit.id}"
    return Response(
        visit.model_dump_json(),
        status_code=status_code,
        media_type="application/json",
        headers=headers,
    )
