"""Agencies, posts and holdings on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.agencies.models import AgencyKind
from app.core.http.wire import (
    Day,
    GivenRegion,
    Input,
    Line,
    Moment,
    Permitted,
    PermittedByTwo,
    ShownRegion,
    Version,
)

RoleCode = Annotated[
    str,
    Field(
        min_length=1,
        max_length=40,
        pattern=r"^[a-z_]+$",
        description="Code of a role.",
        examples=["village_director"],
    ),
]

Uscc = Annotated[
    str,
    Field(
        min_length=18,
        max_length=18,
        pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$",
        description="统一社会信用代码, unified social credit code (GB 32100).",
        examples=["91110000600037341L"],
    ),
]

Contact = Annotated[
    str, Field(min_length=3, max_length=100, pattern=r"^[^\x00-\x1f]+$", examples=["022-00000000"])
]

RuleCode = Annotated[str, Field(max_length=40, pattern=r"^[A-Z]{2,4}-[0-9]{2}(\.[a-z_]{1,32})?$")]
BusinessKind = Annotated[
    Literal["duties", "referrals", "unresolved"], Field(description="What is open.")
]
BasedOn = Annotated[
    int,
    Field(
        ge=1,
        le=999_999_999,
        description="The version this is based on: part of what a second person approves.",
        examples=[1],
    ),
]
Reason = Annotated[str, Field(min_length=10, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")]
Shown = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class AgencyCreate(Input):
    """An organisation to be registered."""

    kind: AgencyKind = Field(description="What it is; decides which roles its people may hold.")
    name: Line = Field(description="Full Chinese name.", examples=["蓟州区上仓镇人民政府"])
    name_en: Line | None = Field(default=None, description="English name.")
    region_code: GivenRegion = Field(description="The division it serves.")
    uscc: Uscc | None = Field(default=None, description="统一社会信用代码, if it has one.")
    public_contact: Contact | None = Field(
        default=None,
        description="How anybody reaches it, as it tells the public; no person's own number.",
    )


class PublicContact(Input):
    """How anybody reaches an agency."""

    public_contact: Contact | None = Field(
        description="As it tells the public, no person's own number; null: it tells none."
    )


class AgencyChange(Input):
    """What to change of an agency. What is left out or null stays as it was."""

    based_on: BasedOn
    name: Line | None = Field(default=None, description="Full Chinese name.")
    name_en: Line | None = Field(default=None, description="English name.")
    region_code: GivenRegion | None = Field(default=None, description="The division it serves.")


class AgencyClosure(Input):
    """Why an agency is no more."""

    reason: Reason = Field(description="Why, for who reviews it.")


class AgencyMerger(Input):
    """Who goes on in the place of an agency."""

    successor_id: UUID = Field(description="An agency of its kind; its places lie in that one's.")


class Agency(BaseModel):
    """An organisation with duties towards children."""

    id: UUID = Field(examples=["0198f5a0-7c1e-7b6a-9c3e-0d5a4b6c7d8e"], description="The agency.")
    kind: AgencyKind = Field(description="What it is.")
    name: Shown = Field(description="Full Chinese name.")
    name_en: Shown | None = Field(description="English name, if it has one.")
    region_code: ShownRegion
    uscc: Uscc | None = Field(description="统一社会信用代码, if known.")
    public_contact: Contact | None = Field(
        description="How anybody reaches it; null if it told none."
    )
    active: bool = Field(description="False once it acts no more.")
    closed_on: Day | None = Field(description="The day it was closed, for good.")
    permitted: Permitted
    permitted_by_two: PermittedByTwo
    version: Version


class PostCreate(Input):
    """A seat with authority to be set up."""

    agency_id: UUID = Field(description="The agency the post belongs to.")
    role: RoleCode = Field(description="What the post may do; never read from its title.")
    local_title: Line = Field(
        description="What people call it; decides nothing.", examples=["儿童督导员"]
    )
    region_code: GivenRegion = Field(
        description="The division the post answers for, inside its agency's."
    )


class PostChange(Input):
    """What to change of a post. What is left out or null stays as it was."""

    based_on: BasedOn
    local_title: Line | None = Field(default=None, description="What people call it.")
    region_code: GivenRegion | None = Field(
        default=None, description="The division it answers for, inside its agency's."
    )


class Post(BaseModel):
    """A seat with authority."""

    id: UUID = Field(examples=["0198f5a0-7c1e-7b6a-9c3e-0d5a4b6c7d8e"], description="The post.")
    agency_id: UUID = Field(description="The agency it belongs to.")
    role: RoleCode
    local_title: Shown = Field(description="What people call it.")
    region_code: ShownRegion
    active: bool = Field(description="False once it was given up.")
    held: bool = Field(
        description="Whether somebody holds it today. What an empty one owes, whoever is above it"
        " owes."
    )
    permitted: Permitted
    permitted_by_two: PermittedByTwo
    version: Version


class HoldingCreate(Input):
    """Who takes a post, and when."""

    staff_id: UUID = Field(
        description="Somebody the post's agency employs, or who has left their posts elsewhere."
    )
    since: Day = Field(description="First day in the post.")


class HoldingEnd(Input):
    """When somebody leaves a post."""

    until: Day = Field(description="First day no longer in the post.")
    reason: Reason | None = Field(default=None, description="Why, for who reviews it.")


class Handover(Input):
    """Who takes a post from whom."""

    holding_id: UUID = Field(description="The holding that ends.")
    successor_id: UUID = Field(
        description="Somebody the post's agency employs, or who has left their posts elsewhere."
    )
    since: Day = Field(description="First day of the one, and no longer the other's.")


class OpenBusinessItem(BaseModel):
    """How much of one kind is open."""

    kind: BusinessKind
    code: RuleCode | None = Field(description="The rule, of what is owed.")
    open: int = Field(ge=0, le=1_000_000, description="How many.")
    overdue: int = Field(ge=0, le=1_000_000, description="How many of them are late by now.")


class OpenBusiness(BaseModel):
    """What is open at a post: the same to who leaves it and who comes."""

    by_kind: list[OpenBusinessItem] = Field(max_length=200, description="What there is, by kind.")
    counted_to: int = Field(
        ge=1, le=1_000_000, description="Of each kind no more are counted than these."
    )


class Holding(BaseModel):
    """Who holds or held a post."""

    id: UUID = Field(examples=["0198f5a0-7c1e-7b6a-9c3e-0d5a4b6c7d8e"], description="The holding.")
    post_id: UUID = Field(description="The post.")
    staff_id: UUID = Field(description="The person.")
    since: Day = Field(description="First day in the post.")
    until: Day | None = Field(description="First day no longer in it; null while it lasts.")
    recorded_at: Moment = Field(description="When this was recorded.")


class Holder(Holding):
    """Who holds or held a post, by name."""

    staff_name: Shown = Field(description="The person's name.")
