"""The sections of a file on the wire: what each holds, and which field group it is (AZ-5).

The same models read input and document output; on the way out every field is present.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from app.core.http.wire import Day, Line, Prose, RegionCode

SECTION = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)

Sex = Literal["male", "female", "unknown"]
Phone = Annotated[
    str,
    Field(
        min_length=5,
        max_length=20,
        pattern=r"^\+?[0-9][0-9 -]{3,18}$",
        description="Telephone number.",
        examples=["+86 10 5550 0101"],
    ),
]
ParentCondition = Literal[
    "at_home",
    "away",
    "dead",
    "missing",
    "not_found",
    "lost_contact",
    "left_home",
    "remarried",
    "imprisoned",
    "drug_rehabilitation",
    "liberty_restricted",
    "serious_illness",
    "severe_disability",
    "mental_disability",
    "hiv_no_work",
    "guardianship_revoked",
    "deported",
    "unknown",
]
Household = Literal[
    "father", "mother", "grandparents", "relatives", "institution", "alone", "other"
]
Harm = Literal["abuse", "abandonment", "accident", "unlawful_harm"]
IncomeSource = Literal["migrant_work", "farming", "business", "wages", "benefits", "other"]


class Identity(BaseModel):
    """Who the child is."""

    model_config = SECTION

    name: Line | None = Field(default=None, description="Full name.", examples=["样小一"])
    sex: Sex | None = Field(default=None, description="Sex as registered.")
    birth_date: Day | None = Field(default=None, description="Date of birth.")
    ethnic_group: str | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        pattern=r"^(0[1-9]|[1-4][0-9]|5[0-8]|9[78])$",
        description="Ethnic group, GB/T 3304 number; 01 is Han.",
        examples=["01"],
    )
    resident_id: str | None = Field(
        default=None,
        min_length=18,
        max_length=18,
        pattern=r"^[0-9]{17}[0-9X]$",
        description="Resident identity number (GB 11643). A child may have none yet.",
    )
    no_resident_id_reason: Literal["not_registered", "not_issued", "not_shown"] | None = Field(
        default=None, description="Why there is no number, if that is known."
    )


class Hukou(BaseModel):
    """Household registration (户籍)."""

    model_config = SECTION

    registered: StrictBool | None = Field(
        default=None, description="Whether the child is registered; null if nobody asked yet."
    )
    type: Literal["rural", "urban", "other"] | None = Field(
        default=None, description="Kind of registration; of an unregistered child, its household's."
    )
    region_code: RegionCode | None = Field(default=None, description="Where it is registered.")
    since: Day | None = Field(default=None, description="Since when this is so.")


class Residence(BaseModel):
    """Where the child lives. The region decides whose remit the file is in."""

    model_config = SECTION

    region_code: RegionCode | None = Field(
        default=None, description="Village, township or county the child lives in."
    )
    address: Line | None = Field(default=None, description="Address inside the region.")
    lives_with: list[Household] = Field(
        default=[], max_length=7, description="Who the child lives with."
    )
    since: Day | None = Field(default=None, description="Since when this is so.")


class ParentStatus(BaseModel):
    """One thing that is or was the case with a parent."""

    model_config = SECTION

    status: ParentCondition = Field(description="What is the case.")
    since: Day | None = Field(default=None, description="Since when; null if nobody knows.")
    until: Day | None = Field(default=None, description="Last day it was so; null while it is.")
    term_months: Annotated[StrictInt, Field(ge=1, le=600)] | None = Field(
        default=None, description="Length of a sentence or other term, in months."
    )


class Parent(BaseModel):
    """What is known of one parent."""

    model_config = SECTION

    role: Literal["father", "mother"] = Field(description="Which parent.")
    name: Line | None = Field(default=None, description="Full name.")
    phone: Phone | None = None
    work_place: Line | None = Field(default=None, description="Where the parent works.")
    statuses: list[ParentStatus] = Field(
        default=[], max_length=30, description="What is and was the case, in any order."
    )
    guardianship_capacity: Literal["full", "none"] | None = Field(
        default=None, description="Whether the parent can act as guardian (DEF-03)."
    )
    incapacity_reason: Literal["serious_illness", "severe_disability", "other"] | None = Field(
        default=None, description="Why not."
    )


class Family(BaseModel):
    """The parents."""

    model_config = SECTION

    parents: list[Parent] = Field(default=[], max_length=2, description="One entry per parent.")


class Guardian(BaseModel):
    """The person who looks after the child now."""

    model_config = SECTION

    name: Line | None = Field(default=None, description="Full name.")
    relation: Line | None = Field(default=None, description="What the person is to the child.")
    phone: Phone | None = None


class Guardianship(BaseModel):
    """Who looks after the child, and how well (RSK-03)."""

    model_config = SECTION

    kind: Literal["parent", "grandparents", "relatives", "institution", "none", "other"] | None = (
        Field(default=None, description="Who looks after the child; none: nobody does.")
    )
    guardian: Guardian | None = Field(default=None, description="The person.")
    since: Day | None = Field(default=None, description="Since when this is so.")
    evaluation: Literal["good", "fair", "poor"] | None = Field(
        default=None, description="Latest evaluation: 较好 good, 一般 fair, 差 poor."
    )
    evaluated_on: Day | None = Field(default=None, description="Day of the evaluation.")
    harm: list[Harm] = Field(
        default=[],
        max_length=4,
        description="Harm through missing or improper guardianship (DEF-13).",
    )


class ExternalNumber(BaseModel):
    """A number under which another system knows the child."""

    model_config = SECTION

    system: str = Field(
        min_length=1,
        max_length=80,
        pattern=r"^[a-z0-9][a-z0-9_.:-]*$",
        description="The system, e.g. `student_status` or one named after a school.",
        examples=["student_status"],
    )
    number: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9._/-]+$",
        description="The number in that system.",
        examples=["G2020-0001"],
    )


class Education(BaseModel):
    """School and stage."""

    model_config = SECTION

    school_id: UUID | None = Field(
        default=None, description="The school, an agency; null if the child is at none we know."
    )
    stage: (
        Literal[
            "not_in_kindergarten",
            "kindergarten",
            "primary",
            "junior_secondary",
            "senior_secondary",
            "vocational",
            "special",
            "other",
        ]
        | None
    ) = Field(default=None, description="Stage reached; of a child that dropped out, the one left.")
    grade: Annotated[StrictInt, Field(ge=1, le=12)] | None = Field(
        default=None, description="Grade within the stage."
    )
    status: Literal["enrolled", "not_in_school", "dropout", "graduated"] | None = Field(
        default=None, description="Whether the child is at school."
    )
    boarding: StrictBool | None = Field(default=None, description="Whether it boards there.")
    since: Day | None = Field(default=None, description="Since when this is so.")
    student_numbers: list[ExternalNumber] = Field(
        default=[], max_length=10, description="Numbers by which schools know the pupil."
    )


class Health(BaseModel):
    """Health and disability."""

    model_config = SECTION

    status: Literal["healthy", "weak", "chronic", "seriously_ill", "disabled", "other"] | None = (
        Field(default=None, description="State of health, national form of 2016.")
    )
    disability_card_no: str | None = Field(
        default=None,
        min_length=20,
        max_length=22,
        pattern=r"^[0-9X]{20,22}$",
        description="Number of the second-generation disability card (DEF-12).",
    )
    disability_type: (
        Literal["vision", "hearing", "speech", "limb", "intellectual", "mental", "multiple"] | None
    ) = Field(default=None, description="Kind of disability on the card.")
    disability_grade: Annotated[StrictInt, Field(ge=1, le=4)] | None = Field(
        default=None, description="Grade on the card; 1 is the most severe."
    )
    notes: Prose | None = Field(default=None, description="What a visitor must know.")


class Hardship(BaseModel):
    """A sudden event that puts the child in difficulty for a time (DEF-14)."""

    model_config = SECTION

    kind: Literal["sudden_event", "accidental_injury", "major_illness", "other"] = Field(
        description="What happened."
    )
    since: Day = Field(description="When.")
    review_on: Day = Field(description="The day from which it no longer counts unless renewed.")


class Welfare(BaseModel):
    """The family's economy and the help it has."""

    model_config = SECTION

    poor: StrictBool | None = Field(
        default=None, description="Poverty makes living, treatment or schooling hard (DEF-11)."
    )
    income_sources: list[IncomeSource] = Field(
        default=[], max_length=6, description="What the household lives on, main source first."
    )
    aids: list[Line] = Field(default=[], max_length=20, description="Help received.")
    hardships: list[Hardship] = Field(default=[], max_length=20, description="Sudden events.")


class External(BaseModel):
    """Numbers in other systems (REG-02)."""

    model_config = SECTION

    numbers: list[ExternalNumber] = Field(default=[], max_length=20, description="The numbers.")


MODELS: dict[str, type[BaseModel]] = {
    "identity": Identity,
    "hukou": Hukou,
    "residence": Residence,
    "family": Family,
    "guardianship": Guardianship,
    "education": Education,
    "health": Health,
    "welfare": Welfare,
    "external": External,
}
"""The sections a client writes, by field group."""
