"""Who saw or changed what: the audit trail, for supervisors (AUD-1, AUD-6).

Stands here because `audit` lies below `access`, which says who may call.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from app.access.deps import PurposeNotAllowed, ScopeMissing, Unauthenticated, needs
from app.access.principal import Principal
from app.audit import operations, queries
from app.audit.area import AREA, READ
from app.core.http import paging, routing
from app.core.http.paging import CursorInvalid, Page
from app.core.http.routing import Transaction
from app.core.http.wire import region_text
from app.core.problems import documented

router = routing.router(AREA.tag)

ReadsAudit = Annotated[Principal, needs(READ)]
Name = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_.:-]*$")]


class AuditEntry(BaseModel):
    """One read, write or denial of personal data. Ids and codes only."""

    id: UUID = Field(description="The entry's id.")
    at: datetime = Field(description="When the transaction began.")
    actor: Name = Field(description="Who acted: `staff:…`, `client:…` or `system`.")
    agency_id: UUID | None = Field(description="The agency acted for.")
    role: Name = Field(description="The role held.")
    region_code: Annotated[
        str | None, Field(max_length=12, pattern=r"^[0-9]{12}$", description="The remit.")
    ]
    purpose: Annotated[Name | None, Field(description="Why, from the closed list.")]
    operation: Name = Field(description="The operationId.")
    child_ids: Annotated[
        list[UUID], Field(max_length=10_000, description="Children shown or changed.")
    ]
    subject_id: UUID | None = Field(description="The resource named in the path.")
    field_groups: Annotated[
        list[Name], Field(max_length=20, description="Sections of the file shown or changed.")
    ]
    decision: Literal["allowed", "denied"] = Field(description="What was decided.")
    rule: Annotated[Name | None, Field(description="The rule that denied.")]
    request_id: Name = Field(description="The request, as in the operator's log.")


@router.get(
    "/audit-entries",
    response_model=Page[AuditEntry],
    responses=documented(Unauthenticated, ScopeMissing, PurposeNotAllowed, CursorInvalid),
)
async def list_audit_entries(
    principal: ReadsAudit,
    tx: Transaction,
    child_id: Annotated[UUID | None, Query(description="Only what touched this child.")] = None,
    decision: Annotated[
        Literal["allowed", "denied"] | None, Query(description="Only this decision.")
    ] = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Page[AuditEntry]:
    """List who saw or changed what, newest first.

    Every caller with the scope sees its own agency's entries; supervision also those of every
    agency in its region.
    """
    keys = paging.decode(cursor, datetime, UUID)
    supervises = principal.agency_kind == "supervision"
    rows = await queries.entries(
        tx,
        agency_id=principal.agency_id,
        region=(principal.region_lo, principal.region_hi) if supervises else None,
        child_id=child_id,
        decision=decision,
        before=(keys[0], keys[1]) if keys else None,
        limit=limit,
    )
    await operations.record(
        tx, principal.actor, "listAuditEntries", children=[child_id] if child_id else []
    )
    last = rows[-1] if len(rows) == limit else None
    return Page(
        items=[
            AuditEntry(
                **{
                    **row,
                    "region_code": None
                    if row["region_code"] is None
                    else region_text(row["region_code"]),
                }
            )
            for row in rows
        ],
        next_cursor=paging.encode(last["at"].isoformat(), str(last["id"])) if last else None,
    )
