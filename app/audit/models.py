"""The record of who read or changed what (AUD-1, AUD-2). The app may only insert."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core.data import distribution, hiding, months, retention, rls
from app.core.data.columns import OF_TRANSACTION, Instant


class AuditEntry(SQLModel, table=True):
    """One read, write or denial of personal data. Ids and codes only, no names."""

    __tablename__ = "audit_entries"
    __table_args__: Any = (
        Index("ix_audit_entries_agency_id_at", "agency_id", "at"),
        # For who supervises a region, or all of it.
        Index("ix_audit_entries_region_code_at", "region_code", "at"),
        Index("ix_audit_entries_at_id", "at", "id"),
        # For the sealer, which takes them in the order in which they were committed.
        Index("ix_audit_entries_committed_in_id", "committed_in", "id"),
    )

    id: UUID = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    actor: str
    client_id: UUID | None
    agency_id: UUID | None
    role: str
    region_code: int | None = Field(sa_type=BigInteger)
    purpose: str | None
    operation: str
    child_ids: list[UUID] = Field(sa_type=ARRAY(Uuid), sa_column_kwargs={"server_default": "{}"})
    subject_id: UUID | None
    beside_ids: list[UUID] = Field(sa_type=ARRAY(Uuid), sa_column_kwargs={"server_default": "{}"})
    """What else it told of: whoever must learn nothing of one of these learns nothing of it."""
    field_groups: list[str] = Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": "{}"})
    sought: list[str] = Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": "{}"})
    """What was searched for, as keyed hashes: who sought the same is seen, what it was is not."""
    since: date | None = None
    """The earliest day the look reached back to, for what is dated."""
    decision: str
    """`allowed`, `denied`, or `partly`: some of what was asked for was refused."""
    rule: str | None
    request_id: str
    ip: str | None
    committed_in: int = Field(sa_type=BigInteger, sa_column_kwargs=OF_TRANSACTION)


class AuditChildren(SQLModel, table=True):
    """Whose data an entry was about, for who looks for what was read of one child.

    It stands apart since no policy may stand before an index of an array. It holds ids alone; the
    entry that it leads to is read under the policy of the entries.
    """

    __tablename__ = "audit_children"
    __table_args__: Any = (
        # What is not yet sorted in is read by every search: little of it.
        Index(
            "ix_audit_children_child_ids",
            "child_ids",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": "256"},
        ),
    )

    entry_id: UUID = Field(primary_key=True)
    child_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))


distribution.in_one_place(
    "one record of who looked, kept out of reach of who keeps the rest",
    *("audit_entries", "audit_children"),
)
_SAID = [each for each in AuditEntry.model_fields if each != "committed_in"]
months.partitioned("audit_entries", by="id")
months.partitioned("audit_children", by="entry_id")
rls.allow("audit_children", "SELECT, INSERT")
rls.protect(
    "audit_entries",
    using=rls.case(
        (rls.SYSTEM, "true"),
        # A refusal stands whatever was asked for: that one is missing would tell.
        (f"{rls.own('agency_id')} AND decision = 'denied'", "true"),
        (hiding.hidden("ANY (audit_entries.subject_id || audit_entries.beside_ids)"), "false"),
        (rls.own("agency_id"), "true"),
        (rls.IN_RANGE, "true"),
    ),
    check="true",
    # In which transaction it was committed the server says, and nobody else.
    privileges=f"SELECT, INSERT ({', '.join(_SAID)})",
)
for _table in ("audit_children", "audit_entries"):
    retention.for_ever(_table, "who saw or changed what is proof (AUD-6)")
