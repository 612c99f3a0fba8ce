"""What travels on the wire about files opened in an emergency."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.access.roles import FieldGroup
from app.break_glass.models import Propriety
from app.children.sections.education import Education
from app.children.sections.family import Family
from app.children.sections.guardianship import Guardianship
from app.children.sections.health import Health
from app.children.sections.hukou import Hukou
from app.children.sections.identity import IdentityShown
from app.children.sections.residence import Residence
from app.children.sections.welfare import Welfare
from app.core.http.wire import Input, Permitted, Prose, RegionCode, ShownRegion, Version

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b44"

Reason = Annotated[
    str,
    Field(
        min_length=20,
        max_length=2000,
        pattern=r"^[^\x00]*$",
        description="Why it cannot wait, in words, twenty characters at least; stored encrypted,"
        " read by who reviews it.",
        examples=["儿童昏迷送至急诊,需立即核实监护人与既往病史,无法等待户籍地答复。"],
    ),
]


class BreakGlassCreate(Input):
    """Whose file cannot wait, and why."""

    child_id: UUID | None = Field(default=None, description="The child.", examples=[_ID])
    look_id: UUID | None = Field(
        default=None,
        description="Or the look-up of yours that found one child (`POST /v1/looks-elsewhere`).",
    )
    reason: Reason
    minutes: int = Field(
        ge=1,
        le=240,
        description="For how long; at most what `break_glass.most_minutes` says.",
        examples=[30],
    )

    @model_validator(mode="after")
    def _names_one_child(self) -> Self:
        if (self.child_id is None) == (self.look_id is None):
            raise PydanticCustomError("one_child", "Say `child_id` or `look_id`.")
        if not any(map(str.isalnum, self.reason)) or len({*self.reason}) < _DIFFERENT:
            raise PydanticCustomError("reason_says_nothing", "Say in words why it cannot wait.")
        return self


_DIFFERENT = 6
"""Characters that a reason of twenty has at least."""


class BreakGlassReview(Input):
    """What another person finds of it."""

    verdict: Propriety = Field(description="Whether it was proper.")
    words: Prose = Field(description="What that rests on, in words; stored encrypted.")


class BreakGlassVerdict(BaseModel):
    """What the review said."""

    verdict: Propriety = Field(description="Whether it was proper.")
    words: Prose | None = Field(
        description="What that rests on; null to whom neither opened nor reviews."
    )
    reviewed_at: datetime = Field(description="When.")
    reviewer_id: UUID = Field(description="The person who said so.")


class BreakGlass(BaseModel):
    """One child's file, opened to one person for some minutes."""

    id: UUID = Field(description="The opening's id.", examples=[_ID])
    child_id: UUID = Field(description="The child.", examples=[_ID])
    region_code: RegionCode
    staff_id: UUID = Field(description="The person to whom it was opened.")
    agency_id: UUID = Field(description="For which agency they acted.")
    role: str = Field(max_length=40, pattern=r"^[a-z_]+$", description="In what role.")
    asked_from: ShownRegion = Field(description="The division that their post serves.")
    reason: Prose | None = Field(
        description="Why; null to whom neither opened it nor serves a county or more."
    )
    field_groups: list[FieldGroup] = Field(max_length=11, description="The sections it opens.")
    opened_at: datetime = Field(description="When it was opened.")
    ends_at: datetime = Field(description="Until when, unless it is ended before.")
    ended_at: datetime | None = Field(description="When somebody ended it before; else null.")
    live: bool = Field(description="Whether it is open now.")
    stored_alone: bool = Field(
        description="Whether the file may only be stored (个人信息保护法 47), and was opened all"
        " the same since a child was in danger."
    )
    review: BreakGlassVerdict | None = Field(description="What the review said; null: it is owed.")
    version: Version
    permitted: Permitted


class OpenedFile(BaseModel):
    """The sections of a child's file that an emergency opens."""

    id: UUID = Field(description="The opening's id.", examples=[_ID])
    child_id: UUID = Field(description="The child.", examples=[_ID])
    ends_at: datetime = Field(description="Until when it is open.")
    identity: IdentityShown | None = None
    hukou: Hukou | None = None
    residence: Residence | None = None
    family: Family | None = None
    guardianship: Guardianship | None = None
    education: Education | None = None
    health: Health | None = None
    welfare: Welfare | None = None
