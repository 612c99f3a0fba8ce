"""What callers send about police reports."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from app.core.http.wire import INPUT, Code, Day, Line, Moment, Prose, RegionCode

Urgency = Literal["immediate", "urgent", "standard"]
Channel = Literal["app", "system", "phone", "in_person"]
Sex = Literal["male", "female", "unknown"]
DispositionKind = Literal[
    "living_alone",
    "guardian_failure",
    "parents_unreachable",
    "missing",
    "domestic_violence",
    "other_harm",
]
ServiceKind = Literal[
    "guardianship_guidance",
    "medical_treatment",
    "counselling",
    "behaviour_correction",
    "legal_service",
    "legal_aid",
    "social_assistance",
]
Participant = Literal[
    "civil_affairs", "police", "village_committee", "school", "hospital", "relatives", "social_work"
]

ReportId = Annotated[
    UUID,
    Field(description="The report's id.", examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"]),
]
StepId = Annotated[
    UUID | None,
    Field(
        default=None,
        description="Made by the client, so that a repeated request is known as the same step.",
        examples=["01995f3c-9d20-7e11-9a02-3b7c1d4e5f60"],
    ),
]
At = Annotated[Moment, Field(description="When it was done; not in the future.")]


class Subject(BaseModel):
    """The child a report is about, as far as the reporter knows."""

    model_config = INPUT

    name: Annotated[Line | None, Field(default=None, description="Name, if known.")]
    sex: Annotated[Sex, Field(default="unknown", description="Sex.")]
    birth_date: Annotated[Day | None, Field(default=None, description="Birth date, if known.")]
    approximate_age: Annotated[
        int | None,
        Field(default=None, strict=True, ge=0, le=18, description="Age in years, if estimated."),
    ]
    place: Annotated[Line | None, Field(default=None, description="Where the child is now.")]


class Reporter(BaseModel):
    """Who reports. Kept apart; read by the police agency in charge alone (AZ-9)."""

    model_config = INPUT

    name: Annotated[Line, Field(description="Name.")]
    phone: Annotated[
        str | None,
        Field(
            default=None,
            min_length=5,
            max_length=20,
            pattern=r"^\+?[0-9-]+$",
            description="Telephone number.",
            examples=["+86-22-00000000"],
        ),
    ]
    position: Annotated[Line | None, Field(default=None, description="Position in the agency.")]


class ReportCreate(BaseModel):
    """A mandatory report (REP-01, REP-02). Leave `reporter` out to stay unnamed."""

    model_config = INPUT

    id: Annotated[
        UUID | None,
        Field(
            default=None,
            description="Made by the client, so that a repeated filing is known as the same.",
            examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"],
        ),
    ]
    child_id: Annotated[
        UUID | None, Field(default=None, description="The child's file, if you may read it.")
    ]
    subject: Annotated[
        Subject | None,
        Field(default=None, description="The child, as you know them; needed without `child_id`."),
    ]
    region_code: Annotated[
        RegionCode | None,
        Field(
            default=None,
            description="Where it happened, county or below: decides which police are in charge. "
            "Needed without `child_id`, else where the child lives.",
        ),
    ]
    situations: Annotated[
        list[Code],
        Field(
            min_length=1,
            max_length=14,
            description="Codes of the list `report.situations`.",
            examples=[["living_alone"]],
        ),
    ]
    urgency: Annotated[Urgency, Field(default="urgent", description="How fast to act.")]
    channel: Annotated[Channel, Field(default="app", description="How it came in.")]
    found_at: Annotated[Moment, Field(description="When it was found; not in the future.")]
    narrative: Annotated[Prose, Field(description="What was seen, in words.")]
    reporter: Annotated[Reporter | None, Field(default=None, description="Who reports.")]
    suspect_agency_id: Annotated[
        UUID | None,
        Field(
            default=None,
            description="The agency the report speaks against, if any; it learns nothing of it.",
        ),
    ]
    visit_id: Annotated[UUID | None, Field(default=None, description="The visit it came from.")]


class Acknowledgement(BaseModel):
    """The police accept a report (REP-07)."""

    model_config = INPUT

    police_reference: Annotated[
        Line, Field(description="The police's own number.", examples=["津公(蓟)受〔2026〕0001"])
    ]
    accepted_at: At


class Dispatch(BaseModel):
    """Officers go out (REP-07)."""

    model_config = INPUT

    id: StepId
    dispatched_at: At
    unit: Annotated[Line, Field(description="Which officers go.", examples=["派出所一组"])]


class Disposition(BaseModel):
    """What the police did, by kind of situation (REP-08…13)."""

    model_config = INPUT

    id: StepId
    kind: Annotated[DispositionKind, Field(description="The kind of situation handled.")]
    at: At
    measures: Annotated[
        list[Code],
        Field(
            min_length=1,
            max_length=12,
            description="Codes of the measures of this kind.",
            examples=[["parents_ordered_to_return", "parents_admonished"]],
        ),
    ]
    placed_with_agency_id: Annotated[
        UUID | None, Field(default=None, description="The agency that took the child in (REP-10).")
    ]
    unit: Annotated[Line | None, Field(default=None, description="Which officers acted.")]
    details: Annotated[Prose | None, Field(default=None, description="More, in words.")]


class TownshipNotice(BaseModel):
    """The police tell the township of acceptance and handling (REP-14)."""

    model_config = INPUT

    id: StepId
    sent_at: At
    content: Annotated[Prose, Field(description="What the township must know.")]


class NoticeReceipt(BaseModel):
    """The township confirms the notice (REP-14)."""

    model_config = INPUT

    id: StepId
    received_at: At


class Assessment(BaseModel):
    """The township's assessment of the child (REP-15)."""

    model_config = INPUT

    id: StepId
    assessed_at: At
    safety: Annotated[Literal["safe", "at_risk", "unsafe"], Field(description="Safety.")]
    guardianship: Annotated[
        Literal["adequate", "weak", "absent"], Field(description="Guardianship.")
    ]
    physical_health: Annotated[
        Literal["good", "fair", "poor"], Field(description="Physical health.")
    ]
    mental_health: Annotated[Literal["good", "fair", "poor"], Field(description="Mental health.")]
    participants: Annotated[
        list[Participant], Field(max_length=7, description="Who took part, besides the township.")
    ]
    summary: Annotated[Prose, Field(description="The findings, in words.")]


class Service(BaseModel):
    """One service for the child (REP-16; social assistance: REP-17)."""

    model_config = INPUT

    kind: Annotated[ServiceKind, Field(description="What kind of service.")]
    provider: Annotated[Line, Field(description="Who provides it.")]
    started: Annotated[StrictBool, Field(description="Whether it has begun.")]


class ServiceOrder(BaseModel):
    """Services the township arranges (REP-16)."""

    model_config = INPUT

    id: StepId
    arranged_at: At
    services: Annotated[
        list[Service], Field(min_length=1, max_length=20, description="The services.")
    ]


class Closure(BaseModel, title="ReportClosure"):
    """The township ends the case."""

    model_config = INPUT

    id: StepId
    closed_at: At
    reason: Annotated[
        Literal["child_safe", "long_term_care", "unfounded", "moved_away"],
        Field(description="Why nothing more is to be done."),
    ]


class Forwarding(BaseModel):
    """The police pass a report to the police agency in charge (高检发〔2020〕9号 Art. 8)."""

    model_config = INPUT

    id: StepId
    forwarded_at: At
    police_agency_id: Annotated[UUID, Field(description="The police agency in charge.")]
