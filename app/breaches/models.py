"""What was leaked, altered or lost, and who was told of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.core.data import distribution, rls, sealed
from app.core.data.columns import Instant, one_of

WHAT: Final = "breaches.what"
MEASURES: Final = "breaches.measures"
CLOSURE: Final = "breaches.closure"


class BreachKind(StrEnum):
    """What happened, or may have (个人信息保护法 57)."""

    leaked = "leaked"
    altered = "altered"
    lost = "lost"


class ToldOfBreach(StrEnum):
    """Who is told (未成年人网络保护条例 35)."""

    cyberspace_authority = "cyberspace_authority"
    """网信部门."""
    police = "police"
    superior = "superior"
    """The office above."""
    families = "families"
    """The children and their guardians, one by one."""
    public = "public"
    """By a public warning, where they cannot be reached one by one."""


class BreachState(StrEnum):
    """Where it stands."""

    open = "open"
    closed = "closed"


class Breach(SQLModel, table=True):
    """One breach. `region_code`: the place of whoever recorded it. `began_at`, `ended_at`: between
    which it went on, as far as that is known; `children`: of how many. `told`: who was told when,
    in the order in which it was recorded (codes and times). Sealed: what happened, what was done,
    and why it was closed.
    """

    __tablename__ = "breaches"
    __table_args__: Any = (
        one_of("kind", BreachKind),
        one_of("state", BreachState),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
        Index("ix_breaches_agency_id_found_at", "agency_id", "found_at", "id"),
        Index("ix_breaches_region_code_found_at", "region_code", "found_at", "id"),
        Index("ix_breaches_found_at_id", "found_at", "id"),
        Index("ix_breaches_state", "state", "found_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    agency_id: UUID = Field(foreign_key="agencies.id")
    region_code: int = Field(sa_type=BigInteger)
    kind: str
    found_at: datetime = Field(sa_type=Instant)
    began_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    children: int | None = None
    what_sealed: bytes
    measures_sealed: bytes
    report_due_at: datetime = Field(sa_type=Instant)
    tell_due_at: datetime = Field(sa_type=Instant)
    told: list[dict[str, Any]] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    state: str
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_by: str | None = None
    closure_sealed: bytes | None = None
    recorded_by: str
    recorded_at: datetime = Field(sa_type=Instant)
    version: int


distribution.in_one_place("few, and about no one child", "breaches")
rls.protect(
    "breaches",
    using=rls.case((rls.SYSTEM, "true"), (rls.own("agency_id"), "true"), (rls.IN_RANGE, "true")),
    privileges="SELECT, INSERT, UPDATE",
)
sealed.under_service(
    "breaches", {"what_sealed": WHAT, "measures_sealed": MEASURES, "closure_sealed": CLOSURE}
)
