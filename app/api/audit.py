"""Who saw or changed what, for supervisors (AUD-1, AUD-6). `audit` itself lies below `access`."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from app.access.deps import needs
from app.access.principal import Principal
from app.agencies import queries as agencies
from app.audit import queries
from app.audit.area import AREA, READ
from app.core.clock import local_date
from app.core.http import routing
from app.core.http.paging import Page, Paged
from app.core.http.routing import ReadTransaction
from app.core.http.shown import Shown
from app.core.http.wire import region_text

router = routing.v1(AREA.tag)
ReadsAudit = Annotated[Principal, needs(READ)]
Decision = Literal["allowed", "partly", "denied"]
Mark = Annotated[str, Field(max_length=32, pattern=r"^[0-9a-f]{32}$")]
PersonName = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_.:-]*$")]


class AuditEntry(BaseModel):
    """One read, write or denial of personal data. Ids and codes only."""

    id: UUID = Field(description="The entry's id.")
    at: datetime = Field(description="When the transaction began.")
    actor: Name = Field(description="Who acted: `staff:…`, `client:…` or `system`.")
    actor_name: PersonName | None = Field(
        description="What that person is called by now; null for a system, and of somebody who is"
        " neither of your agency nor of one in your region. No name stands in the record."
    )
    agency_id: UUID | None = Field(description="The agency acted for.")
    role: Name = Field(description="The role held.")
    region_code: str | None = Field(max_length=12, pattern=r"^[0-9]{12}$", description="The remit.")
    purpose: Name | None = Field(description="Why, from the closed list.")
    operation: Name = Field(description="The operationId.")
    child_ids: list[UUID] = Field(max_length=10_000, description="Children shown or changed.")
    subject_id: UUID | None = Field(description="The resource named in the path.")
    field_groups: list[Name] = Field(
        max_length=20, description="Sections of the file shown or changed."
    )
    sought: list[Mark] = Field(
        max_length=10,
        description="What was searched for, each part as a mark: the same for the same text,"
        " whoever sought it, and nothing can be read from it.",
    )
    since: date | None = Field(
        description="The earliest day the look reached back to, for what is dated."
    )
    decision: Decision = Field(
        description="What was decided; `partly`: some of what was asked for was refused."
    )
    rule: Name | None = Field(description="The rule that denied.")
    request_id: Name = Field(description="The request, as in the operator's log.")


@router.get("/audit-entries")
async def list_audit_entries(
    principal: ReadsAudit,
    tx: ReadTransaction,
    window: Paged,
    child_id: Annotated[UUID | None, Query(description="Only what touched this child.")] = None,
    decision: Annotated[Decision | None, Query(description="Only this decision.")] = None,
) -> Shown[Page[AuditEntry]]:
    """List who saw or changed what, newest first.

    Every caller with the scope sees its own agency's entries; supervision also those of every
    agency in its region.
    """
    supervises = principal.agency_kind == "supervision"
    page = await queries.entries(
        tx,
        window,
        agency_id=principal.agency_id,
        served=principal.agencies,
        codes=principal.region_hi - principal.region_lo,
        region=(principal.region_lo, principal.region_hi) if supervises else None,
        child_id=child_id,
        decision=decision,
    )
    people = [person for row in page.rows if (person := _person(row["actor"]))]
    names = await agencies.names(tx, people)
    return Shown(
        page.shown(lambda row: _entry(row, names)),
        children=[child_id],  # an entry shows ids, no child's data
        groups=["audit"],
        since=min((local_date(row["at"]) for row in page.rows), default=None),
    )


def _person(actor: str) -> UUID | None:
    kind, _, identity = actor.partition(":")
    return UUID(identity) if kind == "staff" else None


def _entry(row: Any, names: Mapping[UUID, str]) -> AuditEntry:
    code, person = row["region_code"], _person(row["actor"])
    return AuditEntry(
        **{**row, "region_code": None if code is None else region_text(code)},
        actor_name=None if person is None else names.get(person),
    )
