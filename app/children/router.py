"""Files of children over HTTP."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Response

from app.access.deps import PurposeNotAllowed, ScopeMissing, Unauthenticated
from app.access.principal import Principal
from app.audit import operations as audit
from app.children import duplicates, operations, queries, schemas, search
from app.children.area import AREA
from app.children.deps import (
    ChildId,
    ChildInPath,
    ChildNotFound,
    ReadsChildren,
    WritesChildren,
)
from app.core.data.db import Tx
from app.core.http import paging, preconditions, routing
from app.core.http.routing import Transaction
from app.core.http.wire import Code, Moment, RegionCode
from app.core.problems import documented

router = routing.router(AREA.tag, "/children")

_SUMMARY_GROUPS = ("identity", "residence", "derived")
_CALLER = (Unauthenticated, ScopeMissing, PurposeNotAllowed)
_WRITE_PROBLEMS = (
    *_CALLER,
    operations.FieldGroupForbidden,
    operations.OutsideRemit,
    duplicates.DuplicateChild,
    operations.ChildInvalid,
)
_REFERRED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": schemas.Referral,
        "description": "Nothing was stored: it is looked into whether the child has a file.",
    }
}


@router.post(
    "",
    status_code=201,
    response_model=schemas.Child,
    responses={
        **_REFERRED,
        200: {"model": schemas.Child, "description": "This id opened the file before."},
        **documented(*_WRITE_PROBLEMS),
    },
)
async def create_child(
    principal: WritesChildren, new: schemas.ChildCreate, tx: Transaction
) -> Response:
    """Open a child's file."""
    outcome = await operations.create_child(tx, principal, new)
    if isinstance(outcome, duplicates.Referred):
        return _referral(outcome)
    child_id, opened = outcome
    return await _file(tx, principal, child_id, 201 if opened else 200)


@router.get(
    "",
    response_model=paging.Page[schemas.ChildSummary],
    responses=documented(*_CALLER, search.FilterForbidden, paging.CursorInvalid),
)
async def list_children(
    principal: ReadsChildren,
    tx: Transaction,
    region_code: Annotated[
        RegionCode | None, Query(description="Only children living in this region.")
    ] = None,
    category: Annotated[Code | None, Query(description="Only children in this category.")] = None,
    priority_flag: Annotated[Code | None, Query(description="Only children so flagged.")] = None,
    school_id: Annotated[UUID | None, Query(description="Only pupils of this school.")] = None,
    updated_since: Annotated[
        Moment | None, Query(description="Only files changed at or after this instant.")
    ] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """List the children in the caller's remit, by region and id."""
    search.refuse_unreadable(
        principal,
        region_code=region_code,
        category=category,
        priority_flag=priority_flag,
        school_id=school_id,
    )
    lo, hi = search.span_of(region_code)
    found = await queries.list_page(
        tx,
        principal,
        queries.Filters(lo, hi, category, priority_flag, school_id, updated_since),
        after=paging.decode(cursor, int, UUID),
        limit=limit,
    )
    return await _page(tx, principal, found, "listChildren")


@router.post(
    "/search",
    response_model=paging.Page[schemas.ChildSummary],
    responses=documented(
        *_CALLER, search.FilterForbidden, search.SearchTooBroad, paging.CursorInvalid
    ),
)
async def search_children(
    principal: ReadsChildren, wanted: schemas.ChildSearch, tx: Transaction
) -> Response:
    """Search children in the caller's remit by number, name or its Latin spelling."""
    search.refuse_unreadable(principal, region_code=wanted.region_code)
    found = await queries.search_page(
        tx,
        principal,
        search.conditions(tx, principal, wanted),
        after=paging.decode(wanted.cursor, int, UUID),
        limit=wanted.limit,
    )
    return await _page(tx, principal, found, "searchChildren")


@router.get(
    "/{child_id}",
    response_model=schemas.Child,
    responses=documented(*_CALLER, ChildNotFound),
)
async def read_child(principal: ReadsChildren, child_id: ChildId, tx: Transaction) -> Response:
    """Read a child's file, limited to the sections the caller's role reads."""
    response = await _file(tx, principal, child_id, 200)
    await audit.record(
        tx,
        principal.actor,
        "readChild",
        children=[child_id],
        subject=child_id,
        field_groups=queries.readable(principal),
    )
    return response


@router.patch(
    "/{child_id}",
    response_model=schemas.Child,
    responses={
        **_REFERRED,
        **documented(
            *_WRITE_PROBLEMS,
            ChildNotFound,
            preconditions.PreconditionRequired,
            preconditions.PreconditionFailed,
        ),
    },
)
async def change_child(
    principal: WritesChildren,
    child: ChildInPath,
    change: schemas.ChildChange,
    if_match: preconditions.IfMatch,
    tx: Transaction,
) -> Response:
    """Change sections of a child's file (JSON merge patch)."""
    referred = await operations.change_child(tx, principal, child, change, if_match=if_match)
    if referred is not None:
        return _referral(referred)
    return await _file(tx, principal, child.id, 200)


@router.get(
    "/{child_id}/history",
    response_model=paging.Page[schemas.HistoryEntry],
    responses=documented(*_CALLER, ChildNotFound, paging.CursorInvalid),
)
async def read_child_history(
    principal: ReadsChildren,
    child: ChildInPath,
    tx: Transaction,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """Read who changed what of a child's file, newest first."""
    before = paging.decode(cursor, int)
    entries, last = await queries.history_page(
        tx, principal, child, before=before[0] if before else None, limit=limit
    )
    await audit.record(
        tx,
        principal.actor,
        "readChildHistory",
        children=[child.id],
        subject=child.id,
        field_groups=queries.readable(principal),
    )
    return _json({"items": entries, "next_cursor": paging.encode(last) if last else None})


async def _file(tx: Tx, principal: Principal, child_id: UUID, status: int) -> Response:
    file = await queries.read(tx, principal, child_id)
    if file is None:
        raise ChildNotFound
    headers = {"etag": preconditions.etag(file["version"])}
    if status == 201:  # noqa: PLR2004  Created
        headers["location"] = f"/v1/children/{child_id}"
    return _json(file, status, headers)


async def _page(tx: Tx, principal: Principal, found: queries.Found, operation: str) -> Response:
    await audit.record(
        tx,
        principal.actor,
        operation,
        children=found.ids,
        field_groups=[group for group in _SUMMARY_GROUPS if group in principal.role.reads],
    )
    region_code, child_id = found.last or (None, None)
    cursor = None if region_code is None else paging.encode(region_code, str(child_id))
    return _json({"items": found.items, "next_cursor": cursor})


def _referral(referred: duplicates.Referred) -> Response:
    return _json({"referral_id": referred.referral_id, "status": "referred"}, 202)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z),
        status,
        headers,
        media_type="application/json",
    )
