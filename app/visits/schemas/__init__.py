"""What travels on the wire about visits."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.children.schemas import Replaced
from app.core.http.wire import Day, Input, Moment, Permitted, Prose, RegionCode, Version
from app.visits.models import Channel, Place, VisitorType
from app.visits.rules import Doubt

ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"


class Domain(StrEnum):
    """The part of a child's life a finding is about (VIS-08: life, study, psychology)."""

    life = "life"
    study = "study"
    psychology = "psychology"
    guardianship = "guardianship"
    health = "health"
    safety = "safety"
    household = "household"
    other = "other"


class AbnormalType(StrEnum):
    """What is wrong. The situations of REP-01 keep the codes that police reports use."""

    living_alone = "living_alone"
    """脱离监护单独居住生活."""
    missing = "missing"
    guardian_failure = "guardian_failure"
    """监护人丧失监护能力或不履行监护责任."""
    abandoned = "abandoned"
    """被遗弃或长期处于无人照料状态."""
    domestic_violence = "domestic_violence"
    accident_or_harm = "accident_or_harm"
    """Suspected accidental injury or unlawful harm."""
    dropout = "dropout"
    ill = "ill"
    disabled = "disabled"
    no_hukou = "no_hukou"
    poverty = "poverty"
    distress = "distress"
    misconduct = "misconduct"
    unsafe_home = "unsafe_home"
    other = "other"


class Policy(StrEnum):
    """What was explained to the family (VIS-03)."""

    child_welfare = "child_welfare"
    child_protection = "child_protection"
    guardian_duties = "guardian_duties"
    compulsory_education = "compulsory_education"
    mandatory_report = "mandatory_report"
    social_assistance = "social_assistance"
    safety = "safety"
    other = "other"


class ReferTo(StrEnum):
    """Departments a finding is fed back to (VIS-08): kinds of agencies."""

    township_government = "township_government"
    civil_affairs = "civil_affairs"
    education = "education"
    police = "police"
    hospital = "hospital"
    disabled_persons_federation = "disabled_persons_federation"
    mass_organisation = "mass_organisation"
    social_work = "social_work"


Words = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1_048_576,
        pattern=r"^[^\x00]*$",
        description="In words, as many as a body holds; stored encrypted.",
    ),
]


class Finding(Input):
    """One thing that was looked at."""

    domain: Domain = Field(description="The part of the child's life.")
    abnormal: StrictBool = Field(description="Whether anything is wrong.")
    type: AbnormalType | None = Field(
        default=None, description="What is wrong; needed if abnormal, absent if not."
    )
    refer_to: list[ReferTo] = Field(
        default=[], max_length=8, description="Departments that should act (VIS-08)."
    )
    note: Words | None = None

    @model_validator(mode="after")
    def _type_says_what_is_wrong(self) -> Self:
        if self.abnormal != (self.type is not None):
            raise PydanticCustomError(
                "finding_type", "An abnormal finding has a type, a normal one has none."
            )
        return self


MOST: Final = 200
Findings = Annotated[list[Finding], Field(max_length=MOST, description="What was looked at.")]
Policies = Annotated[
    list[Policy], Field(max_length=20, description="Law and policy explained (VIS-03).")
]
ChildId = Annotated[UUID, Field(description="The child visited.", examples=[ID])]


_FIRST, _LAST = date(1900, 1, 1), date(2199, 12, 31)


def _countable(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise PydanticCustomError("date_out_of_range", "Give a day of the years 1900 to 2199.")
    return day


VisitDay = Annotated[Day, AfterValidator(_countable)]
"""A day that can be counted with. A phone whose clock runs wrong is believed, and marked."""


class VisitCorrection(Input):
    """What to change; the version before is kept. What is left out stays as it was."""

    visited_on: VisitDay | None = Field(
        default=None, description="Day of the visit; null: unchanged."
    )
    started_at: Moment | None = Field(default=None, description="When it began; null removes it.")
    visitor_type: VisitorType | None = Field(
        default=None, description="Who visited; null: unchanged."
    )
    place: Place | None = Field(default=None, description="Where; null: unchanged.")
    channel: Channel | None = Field(default=None, description="How; null: unchanged.")
    guardian_present: StrictBool | None = Field(
        default=None, description="Whether a guardian was there; null if not noted."
    )
    findings: Findings | None = Field(default=None, description="All findings; null: unchanged.")
    policies_explained: Policies | None = Field(
        default=None, description="All that was explained; null: unchanged."
    )
    note: Words | None = Field(default=None, description="In words; null removes it.")

    def changes(self) -> dict[str, Any]:
        """Return what was sent, without nulls where a visit cannot do without."""
        sent = {k: v for k, v in self.model_dump().items() if k in self.model_fields_set}
        return {k: v for k, v in sent.items() if v is not None or k in _REMOVABLE}


_REMOVABLE = frozenset({"started_at", "guardian_present", "note"})


class VisitFinding(BaseModel):
    """One thing that was looked at."""

    domain: Domain = Field(description="The part of the child's life.")
    abnormal: bool = Field(description="Whether anything is wrong.")
    type: AbnormalType | None = Field(description="What is wrong.")
    refer_to: list[ReferTo] = Field(
        max_length=8, description="Departments that should act (VIS-08)."
    )
    note: Words | None


class WithdrawalProposed(Input):
    """That an abnormal finding was none."""

    findings: Findings = Field(description="All findings that remain.")
    words: Prose = Field(description="Why, in words; stored encrypted.")


_ACTOR = r"^[a-z]+(:[0-9a-f-]{36})?$"


class Withdrawal(BaseModel):
    """That an abnormal finding was none: proposed by one person, true once a second confirmed."""

    findings: list[VisitFinding] = Field(max_length=MOST, description="The findings that remain.")
    words: Prose = Field(description="Why, in words.")
    proposed_by: str = Field(max_length=50, pattern=_ACTOR, description="Who proposed it.")
    proposed_at: datetime = Field(description="When.")
    confirmed_by: str | None = Field(
        max_length=50, pattern=_ACTOR, description="Who confirmed it; null until somebody does."
    )


class VisitContent(BaseModel):
    """What a visit says."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: UUID = Field(description="The visit's id.", examples=[ID])
    child_id: ChildId
    region_code: RegionCode
    visited_on: date = Field(description="Day of the visit, in China.", examples=["2026-11-18"])
    started_at: datetime | None = Field(description="When it began.")
    visitor: UUID | None = Field(description="The staff member who recorded it.")
    agency_id: UUID = Field(description="The agency the visitor acted for.")
    visitor_type: VisitorType = Field(description="Who visited.")
    place: Place = Field(description="Where the child was seen.")
    channel: Channel = Field(description="How.")
    guardian_present: bool | None = Field(description="Whether a guardian was there.")
    abnormal: bool = Field(description="Whether any finding is abnormal.")
    findings: list[VisitFinding] = Field(max_length=MOST, description="What was looked at.")
    policies_explained: Policies
    note: Words | None
    as_sent: dict[str, Any] | None = Field(
        default=None,  # of what was kept before there was such a thing
        description="What of it could not be read, as it was sent, by field; null if all could."
        " `characters`: which that cannot be stored were replaced by U+FFFD, and where;"
        " `sent_again`: how it differed, in fields nobody knows, when it came again.",
    )
    version: Version
    recorded_at: datetime | None = Field(description="When the device stored it.")
    received_at: datetime = Field(description="When the service received it.")
    updated_at: datetime = Field(description="When it was last corrected, else received.")


class Visit(VisitContent):
    """A visit as it stands."""

    doubts: list[Doubt] = Field(
        max_length=7,
        description="What its days contradict: `date_ahead` the day it was received on,"
        " `start_on_another_day` its own beginning, `before_birth` the child's date of birth;"
        " `recorded_ahead` of when it was received, `recorded_before` the day of the visit;"
        " `field_unread`: see `as_sent`; `id_in_use`: by another visit, so it has one of ours.",
    )
    possibly_same_as: UUID | None = Field(
        description="An earlier visit to the child by the same visitor on that day: possibly one."
    )
    same_as: UUID | None = Field(description="The earlier visit that it was found to be.")
    withdrawal: Withdrawal | None = Field(
        description="Who says that an abnormal finding was none; it stays until that is confirmed,"
        " and any correction withdraws it."
    )
    permitted: Permitted


class VisitVersion(Replaced):
    """What a visit said before a correction."""

    visit: VisitContent
