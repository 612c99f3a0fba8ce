"""What callers are shown of police reports. Outputs have no defaults."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.access.acts import Permitted
from app.core.http.wire import RegionCode, Version
from app.police_reports.models import State, Step
from app.police_reports.schemas import (
    Channel,
    DispositionKind,
    Participant,
    ReportId,
    ServiceKind,
    Sex,
    Urgency,
)

Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
ShortText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
CodeOut = Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9_.:-]+$")]


class ReportSummary(BaseModel):
    """Where a report stands."""

    id: ReportId
    child_id: UUID | None = Field(description="The child's file, if there is one.")
    region_code: RegionCode
    situations: Annotated[
        list[CodeOut], Field(max_length=14, description="Codes of the list `report.situations`.")
    ]
    urgency: Urgency = Field(description="How fast to act.")
    state: State = Field(description="The furthest step taken.")
    routing: Literal["routed", "no_agency", "no_endpoint"] = Field(
        description="Whether it waits at a police endpoint; else a person must reach the police."
    )
    found_at: datetime = Field(description="When it was found.")
    filed_at: datetime = Field(description="When it was filed.")
    delivered_at: datetime | None = Field(description="When the police's system took it.")
    acknowledge_due_at: datetime = Field(description="When the police must have accepted it.")
    acknowledged_at: datetime | None = Field(description="When the police accepted it.")
    police_reference: ShortText | None = Field(description="The police's own number.")
    acknowledgement_overdue: bool = Field(description="Not accepted in time (REP-07).")
    delivery_overdue: bool = Field(description="Not delivered in time.")
    police_agency_id: UUID | None = Field(description="The police agency in charge.")
    township_agency_id: UUID | None = Field(description="The agency the police told (REP-14).")
    reporter_agency_id: UUID | None = Field(
        description="The agency that filed it; shown to itself and to the police in charge."
    )
    supersedes: UUID | None = Field(description="The report this one corrects.")
    superseded_by: UUID | None = Field(description="The report that corrects this one.")
    version: Version
    permitted: Permitted


class SubjectShown(BaseModel):
    """The child a report is about, as stated when it was filed."""

    name: ShortText | None = Field(description="Name.")
    sex: Sex = Field(description="Sex.")
    birth_date: date | None = Field(description="Birth date.")
    approximate_age: Annotated[int, Field(ge=0, le=18)] | None = Field(
        description="Age in years, estimated."
    )
    place: ShortText | None = Field(description="Where the child was.")


class StepShown(BaseModel):
    """One step, with what the caller may read of it."""

    id: UUID = Field(description="The step's id.")
    step: Step = Field(description="What was done.")
    at: datetime = Field(description="When it was done.")
    recorded_at: datetime = Field(description="When we learnt of it.")
    agency_id: UUID | None = Field(description="Who did it.")
    out_of_order: bool = Field(description="It came before the step it follows from.")


class ServiceShown(BaseModel):
    """One service for the child."""

    kind: ServiceKind = Field(description="What kind of service.")
    provider: ShortText = Field(description="Who provides it.")
    started: bool = Field(description="Whether it has begun.")


class StepDetails(BaseModel):
    """What was done in a step; what does not belong to that kind of step is null."""

    police_reference: ShortText | None = Field(description="Acknowledged: the police's number.")
    police_agency_id: UUID | None = Field(description="Forwarded: to which agency.")
    unit: ShortText | None = Field(description="Dispatched, disposed: which officers.")
    kind: DispositionKind | None = Field(description="Disposed: the kind of situation handled.")
    measures: Annotated[list[CodeOut], Field(max_length=12)] | None = Field(
        description="Disposed: codes of the measures."
    )
    placed_with_agency_id: UUID | None = Field(description="Disposed: who took the child in.")
    details: Text | None = Field(description="Disposed: more, in words.")
    content: Text | None = Field(description="Township notified: what it was told.")
    safety: Literal["safe", "at_risk", "unsafe"] | None = Field(description="Assessed: safety.")
    guardianship: Literal["adequate", "weak", "absent"] | None = Field(
        description="Assessed: guardianship."
    )
    physical_health: Literal["good", "fair", "poor"] | None = Field(
        description="Assessed: physical health."
    )
    mental_health: Literal["good", "fair", "poor"] | None = Field(
        description="Assessed: mental health."
    )
    participants: Annotated[list[Participant], Field(max_length=7)] | None = Field(
        description="Assessed: who took part."
    )
    summary: Text | None = Field(description="Assessed: the findings, in words.")
    services: Annotated[list[ServiceShown], Field(max_length=20)] | None = Field(
        description="Services arranged: which."
    )
    reason: CodeOut | None = Field(description="Closed: why.")


class StepRead(StepShown):
    """One step, with what was done if the caller's part in the case shows it."""

    details: StepDetails | None = Field(
        description="What was done; null for who may know only that it was."
    )


class Report(ReportSummary):
    """A report, with what the caller's part in the case shows of it."""

    party: Literal["police", "protection", "reporter", "onlooker"] = Field(
        description="What you are to this report; decides what is shown."
    )
    channel: Channel = Field(description="How it came in.")
    subject: SubjectShown | None = Field(description="The child; null if not shown to you.")
    narrative: Text | None = Field(description="What was seen; null if not shown to you.")
    suspect_agency_id: UUID | None = Field(description="The agency it speaks against.")
    visit_id: UUID | None = Field(description="The visit it came from.")
    steps: Annotated[
        list[StepRead], Field(max_length=1000, description="What was done, oldest first.")
    ]


class Filed(BaseModel):
    """A report was taken in."""

    id: ReportId
    state: State = Field(description="The furthest step taken.")
    routing: Literal["routed", "no_agency", "no_endpoint"] = Field(
        description="`routed`: on its way. Else: call the police yourself as well."
    )
    filed_at: datetime = Field(description="When it was filed.")
    acknowledge_due_at: datetime = Field(description="When the police must have accepted it.")


class StepTaken(BaseModel):
    """A step was recorded."""

    id: UUID = Field(description="The step's id.")
    report_id: ReportId
    step: Step = Field(description="What was done.")
    at: datetime = Field(description="When it was done.")
    out_of_order: bool = Field(
        description="It came before the step it follows from; it is kept all the same."
    )
    state: State = Field(description="Where the report stands now.")
    version: Version


class ReporterShown(BaseModel):
    """Who made a report."""

    anonymous: bool = Field(description="Whether the reporter stayed unnamed.")
    name: ShortText | None = Field(description="Name.")
    phone: ShortText | None = Field(description="Telephone number.")
    position: ShortText | None = Field(description="Position in the agency.")
    agency_id: UUID = Field(description="The agency that filed it.")


class AttemptShown(BaseModel):
    """One attempt to reach the police's system."""

    number: Annotated[int, Field(ge=1, le=2_147_483_647)] = Field(description="Counted from 1.")
    at: datetime = Field(description="When it began.")
    status: Annotated[int, Field(ge=100, le=999)] | None = Field(
        description="HTTP status answered; null if none came."
    )


class DeliveryShown(BaseModel):
    """One message to the police's system."""

    webhook_id: ShortText = Field(description="The id on every attempt.")
    agency_id: UUID = Field(description="The police agency.")
    state: Literal["pending", "leased", "succeeded", "exhausted", "closed"] = Field(
        description="Where the delivery stands."
    )
    queued_at: datetime = Field(description="When it was queued.")
    delivered_at: datetime | None = Field(description="When it was first answered 2xx.")
    attempt_count: Annotated[int, Field(ge=0, le=2_147_483_647)] = Field(
        description="How often it was tried."
    )
    attempts: Annotated[
        list[AttemptShown], Field(max_length=20, description="The latest attempts, oldest first.")
    ]


class Chain(BaseModel):
    """The proof of a report: filed, delivered, accepted, handled, told on."""

    report_id: ReportId
    state: State = Field(description="The furthest step taken.")
    filed_at: datetime = Field(description="When it was filed.")
    acknowledge_due_at: datetime = Field(description="When the police must have accepted it.")
    police_reference: ShortText | None = Field(description="The police's own number.")
    routing: Literal["routed", "no_agency", "no_endpoint"] = Field(
        description="Whether it waits at a police endpoint."
    )
    deliveries: Annotated[
        list[DeliveryShown], Field(max_length=50, description="Messages to the police, in order.")
    ]
    steps: Annotated[list[StepShown], Field(max_length=1000, description="Steps, oldest first.")]
