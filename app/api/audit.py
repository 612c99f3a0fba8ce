"""Who saw or changed what, for supervisors (AUD-1, AUD-6). `audit` itself lies below `access`."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from app.access import queries as access
from app.access.budgets import Kind
from app.access.deps import needs
from app.access.principal import Principal
from app.agencies import queries as agencies
from app.audit import queries
from app.audit.area import AREA, OF_CHILD, READ
from app.children.deps import ChildInPath
from app.core.clock import local_date
from app.core.http import routing
from app.core.http.paging import Page, Paged, Rows
from app.core.http.routing import ReadTransaction
from app.core.http.shown import Shown
from app.core.http.wire import region_text
from app.regions import rules as regions

router = routing.v1(AREA.tag)
ReadsAudit = Annotated[Principal, needs(READ)]
ReadsReaders = Annotated[Principal, needs(OF_CHILD)]
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


class ChildReader(BaseModel):
    """Who saw or changed something of one child, and why."""

    id: UUID = Field(description="The entry's id.")
    at: datetime = Field(description="When.")
    actor: Name = Field(description="Who: `staff:…`, `client:…` or `system`.")
    agency_id: UUID | None = Field(description="For which agency.")
    role: Name = Field(description="In what role.")
    region_code: str | None = Field(max_length=12, pattern=r"^[0-9]{12}$", description="The remit.")
    purpose: Name | None = Field(description="Why, from the closed list.")
    operation: Name = Field(description="By what: the operationId.")
    subject_id: UUID | None = Field(
        description="What it was about, as a look from elsewhere or an emergency opening, which"
        " says more of why."
    )
    field_groups: list[Name] = Field(max_length=20, description="Sections shown or changed.")
    since: date | None = Field(description="The earliest day the look reached back to.")


class ReadingAlarm(BaseModel):
    """Somebody was shown more children for one purpose on one day than is usual, or asked for more
    from elsewhere.
    """

    id: UUID = Field(description="The alarm's id.")
    subject: Name = Field(description="Who: `staff:…` or `client:…`.")
    agency_id: UUID = Field(description="For which agency.")
    role: Name = Field(description="In what role.")
    region_code: str = Field(max_length=12, pattern=r"^[0-9]{12}$", description="The remit.")
    purpose: Name = Field(description="For what purpose.")
    day: date = Field(description="On what day, in China.")
    kind: Kind = Field(description="What was counted.")
    counted: int = Field(
        ge=1, le=10_000_000, description="How many, as far as that is written down."
    )
    alarmed_at: datetime = Field(description="When the first mark was crossed.")
    refused_at: datetime | None = Field(
        description="When the second was, after which no more was shown; null: it was not."
    )


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
    agency in its region, and of the operators over it.
    """
    asked = partial(
        queries.entries,
        tx,
        window,
        agency_id=principal.agency_id,
        served=principal.agencies,
        codes=principal.region_hi - principal.region_lo,
        child_id=child_id,
        decision=decision,
    )
    if principal.agency_kind == "supervision":
        region = (principal.region_lo, principal.region_hi)
        async with tx.as_system():  # operators stand above any supervisor's reach
            page = await asked(region=region, above=regions.lineage(principal.region_code)[1:])
    else:
        page = await asked(region=None)
    people = [person for row in page.rows if (person := _person(row["actor"]))]
    names = await agencies.names(tx, people)
    return Shown(
        page.shown(lambda row: _entry(row, names)),
        children=[child_id],  # an entry shows ids, no child's data
        groups=["audit"],
        since=_reached(page),
    )


@router.get("/children/{child_id}/readers")
async def list_child_readers(
    principal: ReadsReaders, child: ChildInPath, tx: ReadTransaction, window: Paged
) -> Shown[Page[ChildReader]]:
    """List who saw a child you look after, from whatever agency, and for what purpose, newest
    first.
    """
    async with tx.as_system():
        page = await queries.readers(
            tx,
            window,
            child_id=child.id,
            agency_id=principal.agency_id,
            served=principal.agencies,
            codes=principal.region_hi - principal.region_lo,
        )
    return Shown(
        page.shown(lambda row: ChildReader(**_plain(row))),
        children=[child.id],
        groups=["audit"],
        since=_reached(page),
    )


@router.get("/reading-alarms")
async def list_reading_alarms(
    principal: ReadsAudit, tx: ReadTransaction, window: Paged
) -> Shown[Page[ReadingAlarm]]:
    """List who was shown more children than is usual, newest first: of your agency and, for who
    supervises a region, of every agency there.
    """
    page = await access.alarms(tx, principal, window)
    return Shown(
        page.shown(lambda row: ReadingAlarm(**_plain(row))),
        groups=["audit"],
        since=min((row["day"] for row in page.rows), default=None),
    )


def _plain(row: Any) -> dict[str, Any]:
    code = row["region_code"]
    return {**row, "region_code": None if code is None else region_text(code)}


def _reached(page: Rows) -> date | None:
    """Tell how far back a page reaches."""
    return min((local_date(row["at"]) for row in page.rows), default=None)


def _person(actor: str) -> UUID | None:
    kind, _, identity = actor.partition(":")
    return UUID(identity) if kind == "staff" else None


def _entry(row: Any, names: Mapping[UUID, str]) -> AuditEntry:
    person = _person(row["actor"])
    name = None if person is None else names.get(person)
    return AuditEntry(**_plain(row), actor_name=name)
