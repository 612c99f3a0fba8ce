"""Agencies, the posts they have, the people they employ and who holds which post when."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.core.data import distribution, rls, sealed
from app.core.data.columns import Instant
from app.core.ids import new_id


class AgencyKind(StrEnum):
    """What an organisation is (who must report: 高检发〔2020〕9号 Art. 3)."""

    village_committee = "village_committee"
    township_government = "township_government"
    civil_affairs = "civil_affairs"
    school = "school"
    education = "education"
    police = "police"
    hospital = "hospital"
    welfare_institution = "welfare_institution"
    rescue_institution = "rescue_institution"
    social_work = "social_work"
    disabled_persons_federation = "disabled_persons_federation"
    mass_organisation = "mass_organisation"
    trade_union = "trade_union"
    youth_league = "youth_league"
    womens_federation = "womens_federation"
    next_generation_committee = "next_generation_committee"
    kindergarten = "kindergarten"
    childcare_institution = "childcare_institution"
    training_institution = "training_institution"
    activity_centre = "activity_centre"
    after_school_care = "after_school_care"
    school_bus_provider = "school_bus_provider"
    domestic_service = "domestic_service"
    hotel = "hotel"
    state_organ = "state_organ"
    court = "court"
    procuratorate = "procuratorate"
    supervision = "supervision"
    operator = "operator"


class Agency(SQLModel, table=True):
    """An organisation with duties: a village committee, a school, a police bureau …
    `region_code`: the division it serves. `closed_on`: since when it is no more; one that is
    suspended has none.
    """

    __tablename__ = "agencies"
    __table_args__: Any = (
        CheckConstraint(f"kind IN {tuple(map(str, AgencyKind))}", name="kind"),
        Index("ix_agencies_kind_region_code_id", "kind", "region_code", "id"),
        Index("ix_agencies_region_code_id", "region_code", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    name: str
    name_en: str | None = None
    region_code: int = Field(sa_type=BigInteger)
    uscc: str | None = Field(default=None, unique=True)
    """统一社会信用代码, unified social credit code, if it has one."""
    public_contact: str | None = None
    """How anybody reaches it, as it tells the public: no person's own number."""
    active: bool = True
    closed_on: date | None = None
    version: int = 1
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class Post(SQLModel, table=True):
    """A seat with authority: 儿童主任 of a village, 儿童督导员 of a township.

    `role` is a code of roles.yaml; `local_title` is what people call it (the sources have 儿保专干,
    儿童主任 and more for one) and decides nothing. The remit is the half-open range [`remit_lo`,
    `remit_hi`).
    """

    __tablename__ = "posts"
    __table_args__: Any = (
        Index("ix_posts_region_code_id", "region_code", "id"),
        Index("ix_posts_role_region_code_id", "role", "region_code", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    agency_id: UUID = Field(foreign_key="agencies.id", index=True)
    role: str
    local_title: str
    region_code: int = Field(sa_type=BigInteger)
    remit_lo: int = Field(sa_type=BigInteger)
    remit_hi: int = Field(sa_type=BigInteger)
    active: bool = True
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_at: datetime = Field(sa_type=Instant)


class Staff(SQLModel, table=True):
    """A person an agency employs. The phone number is encrypted; `region_code` is the agency's."""

    __tablename__ = "staff"
    __table_args__: Any = (Index("ix_staff_region_code_id", "region_code", "id"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    agency_id: UUID = Field(foreign_key="agencies.id", index=True)
    region_code: int = Field(sa_type=BigInteger)
    name: str
    phone_sealed: bytes | None = None
    active: bool = True
    created_at: datetime = Field(sa_type=Instant)


class PostHolding(SQLModel, table=True):
    """Who holds a post from when; `until` is the first day they no longer do."""

    __tablename__ = "post_holdings"
    __table_args__: Any = (
        Index(
            "uq_post_holdings_open",
            "post_id",
            "staff_id",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    post_id: UUID = Field(foreign_key="posts.id", index=True)
    staff_id: UUID = Field(foreign_key="staff.id", index=True)
    since: date
    until: date | None = None
    created_at: datetime = Field(sa_type=Instant)


distribution.everywhere("agencies", "posts", "post_holdings", "staff")
rls.allow("agencies", "SELECT, INSERT, UPDATE")
rls.allow("posts", "SELECT, INSERT, UPDATE")
rls.allow("post_holdings", "SELECT, INSERT, UPDATE")
rls.protect(
    "staff",
    using=rls.case(
        (f"{rls.CALLER} IN ('system', 'sign-in')", "true"),
        (rls.own("agency_id"), "true"),
        (rls.IN_RANGE, "true"),
    ),
    privileges="SELECT, INSERT, UPDATE",
)
sealed.under_service("staff", {"phone_sealed": "staff.phone"})
