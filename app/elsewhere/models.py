"""Who asked from elsewhere whether a child is known."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field

from app.core.data import distribution, hiding, retention, rls
from app.core.data.columns import Instant, one_of

_FOUND: Final = text("child_id IS NOT NULL")


class DeskService(StrEnum):
    """At what desk a child stands. Which of these may ask, the parameter `elsewhere.desks` says."""

    emergency = "emergency"
    inpatient = "inpatient"
    outpatient = "outpatient"
    shelter = "shelter"
    police_desk = "police_desk"
    sexual_health = "sexual_health"
    """This and all below a child must be able to seek in confidence."""
    mental_health = "mental_health"
    counselling = "counselling"
    addiction = "addiction"


class LookReason(StrEnum):
    """Why a desk asks."""

    injured = "injured"
    ill = "ill"
    found_alone = "found_alone"
    taken_in = "taken_in"
    suspected_harm = "suspected_harm"
    missing = "missing"
    other = "other"


class Sought(StrEnum):
    """By what a child was sought; the number or name itself is kept nowhere."""

    number = "number"
    name = "name"


class LookElsewhere(hiding.HiddenRow, table=True):
    """One look, or one child that it found: a look that found nobody is one row without a child,
    one that found two is two rows of one `look_id`.

    `agency_id`, `role`, `looked_from`: for whom they acted, as what, of what remit. `region_code`:
    where the child lived then; the desk's own place if nobody was found.
    """

    __tablename__ = "looks_elsewhere"
    __table_args__: Any = (
        one_of("service", DeskService),
        one_of("why", LookReason),
        one_of("sought_by", Sought),
        Index("ix_looks_elsewhere_look_id", "look_id"),
        Index(
            "ix_looks_elsewhere_child_id_looked_at",
            "child_id",
            "looked_at",
            "id",
            postgresql_where=_FOUND,
        ),
        Index("ix_looks_elsewhere_agency_id_looked_at", "agency_id", "looked_at", "id"),
        Index(
            "ix_looks_elsewhere_region_code_looked_at",
            "region_code",
            "looked_at",
            "id",
            postgresql_where=_FOUND,
        ),
        # For who sees many of them.
        Index("ix_looks_elsewhere_looked_at_id", "looked_at", "id", postgresql_where=_FOUND),
    )

    id: UUID = Field(primary_key=True)
    look_id: UUID
    looked_at: datetime = Field(sa_type=Instant)
    looked_by: str
    agency_id: UUID = Field(foreign_key="agencies.id")
    agency_kind: str
    role: str
    looked_from: int = Field(sa_type=BigInteger)
    purpose: str
    service: str
    why: str
    sought_by: str
    child_id: UUID | None
    home_county: int = Field(sa_type=BigInteger)
    region_code: int = Field(sa_type=BigInteger)


distribution.in_one_place(
    "what desks of the whole nation ask, found by who asks", "looks_elsewhere"
)
rls.protect(
    "looks_elsewhere",
    using=rls.case(
        (rls.SYSTEM, "true"),
        (hiding.hidden_row("looks_elsewhere", "id"), "false"),
        (rls.own("agency_id"), "true"),
        (rls.IN_RANGE, "child_id IS NOT NULL"),
    ),
    check=rls.SYSTEM,
    privileges="SELECT, INSERT, UPDATE",
)
retention.for_ever("looks_elsewhere", "who asked for a child is proof (AUD-6)")
