"""What callers send about police reports and their steps; what they are shown has no defaults."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from app.core.http.wire import Code, Day, Input, Line, Moment, Permitted, Prose, RegionCode, Version
from app.police_reports.models import State, Step
from app.webhooks.models import State as DeliveryState

Urgency = Annotated[
    Literal["immediate", "urgent", "standard"], Field(description="How fast to act.")
]
Channel = Annotated[
    Literal["app", "system", "phone", "in_person"], Field(description="How it came in.")
]
Sex = Annotated[Literal["male", "female", "unknown"], Field(description="Sex.")]
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
Safety = Literal["safe", "at_risk", "unsafe"]
Guardianship = Literal["adequate", "weak", "absent"]
Health = Literal["good", "fair", "poor"]
ReportId = Annotated[
    UUID, Field(description="The report's id.", examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"])
]
At = Annotated[Moment, Field(description="When it was done; not in the future.")]
Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
ShortText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
CodeShown = Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9_.:-]+$")]


class Subject(Input):
    """The child a report is about, as far as the reporter knows."""

    name: Line | None = Field(default=None, description="Name, if known.")
    sex: Sex = "unknown"
    birth_date: Day | None = Field(default=None, description="Birth date, if known.")
    approximate_age: int | None = Field(
        default=None, strict=True, ge=0, le=18, description="Age in years, if estimated."
    )
    place: Line | None = Field(default=None, description="Where the child is now.")


class Reporter(Input):
    """Who reports. Kept apart; read by the police agency in charge alone (AZ-9)."""

    name: Line = Field(description="Name.")
    phone: str | None = Field(
        default=None,
        min_length=5,
        max_length=20,
        pattern=r"^\+?[0-9-]+$",
        description="Telephone number.",
        examples=["+86-22-00000000"],
    )
    position: Line | None = Field(default=None, description="Position in the agency.")


class ReportCreate(Input):
    """A mandatory report (REP-01, REP-02). Leave `reporter` out to stay unnamed."""

    id: UUID | None = Field(
        default=None,
        description="Made by the client, so that a repeated filing is known as the same.",
        examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"],
    )
    child_id: UUID | None = Field(default=None, description="The child's file, if you may read it.")
    subject: Subject | None = Field(
        default=None, description="The child, as you know them; needed without `child_id`."
    )
    region_code: RegionCode | None = Field(
        default=None,
        description="Where it happened, county or below: decides which police are in charge. "
        "Needed without `child_id`, else where the child lives.",
    )
    situations: list[Code] = Field(
        min_length=1,
        max_length=14,
        description="Codes of the list `report.situations`.",
        examples=[["living_alone"]],
    )
    urgency: Urgency = "urgent"
    channel: Channel = "app"
    found_at: Moment = Field(description="When it was found; not in the future.")
    narrative: Prose = Field(description="What was seen, in words.")
    reporter: Reporter | None = Field(default=None, description="Who reports.")
    suspect_agency_id: UUID | None = Field(
        default=None,
        description="The agency the report speaks against, if any; it learns nothing of it.",
    )
    visit_id: UUID | None = Field(default=None, description="The visit it came from.")


class _Stands(BaseModel):
    state: State = Field(description="The furthest step taken.")
    routing: Literal["routed", "no_agency", "no_endpoint"] = Field(
        description="`routed`: it waits at a police endpoint. Else a person must call the police."
    )
    filed_at: datetime = Field(description="When it was filed.")
    acknowledge_due_at: datetime = Field(description="When the police must have accepted it.")


class Filed(_Stands):
    """A report was taken in."""

    id: ReportId


class ReportSummary(Filed):
    """Where a report stands."""

    child_id: UUID | None = Field(description="The child's file, if there is one.")
    region_code: RegionCode
    situations: list[CodeShown] = Field(
        max_length=14, description="Codes of the list `report.situations`."
    )
    urgency: Urgency
    found_at: datetime = Field(description="When it was found.")
    delivered_at: datetime | None = Field(description="When the police's system took it.")
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
    sex: Sex
    birth_date: date | None = Field(description="Birth date.")
    approximate_age: Annotated[int, Field(ge=0, le=18)] | None = Field(
        description="Age in years, estimated."
    )
    place: ShortText | None = Field(description="Where the child was.")


class Acknowledgement(Input):
    """The police accept a report (REP-07)."""

    police_reference: Line = Field(
        description="The police's own number.", examples=["津公(蓟)受〔2026〕0001"]
    )
    accepted_at: At


class _New(Input):
    id: UUID | None = Field(
        default=None,
        description="Made by the client, so that a repeated request is known as the same step.",
        examples=["01995f3c-9d20-7e11-9a02-3b7c1d4e5f60"],
    )


class Dispatch(_New):
    """Officers go out (REP-07)."""

    dispatched_at: At
    unit: Line = Field(description="Which officers go.", examples=["派出所一组"])


class Disposition(_New):
    """What the police did, by kind of situation (REP-08…13)."""

    kind: DispositionKind = Field(description="The kind of situation handled.")
    at: At
    measures: list[Code] = Field(
        min_length=1,
        max_length=12,
        description="Codes of the measures of this kind.",
        examples=[["parents_ordered_to_return", "parents_admonished"]],
    )
    placed_with_agency_id: UUID | None = Field(
        default=None, description="The agency that took the child in (REP-10)."
    )
    unit: Line | None = Field(default=None, description="Which officers acted.")
    details: Prose | None = Field(default=None, description="More, in words.")


class TownshipNotice(_New):
    """The police tell the township of acceptance and handling (REP-14)."""

    sent_at: At
    content: Prose = Field(description="What the township must know.")


class NoticeReceipt(_New):
    """The township confirms the notice (REP-14)."""

    received_at: At


class Assessment(_New):
    """The township's assessment of the child (REP-15)."""

    assessed_at: At
    safety: Safety = Field(description="Safety.")
    guardianship: Guardianship = Field(description="Guardianship.")
    physical_health: Health = Field(description="Physical health.")
    mental_health: Health = Field(description="Mental health.")
    participants: list[Participant] = Field(
        max_length=7, description="Who took part, besides the township."
    )
    summary: Prose = Field(description="The findings, in words.")


class Service(Input):
    """One service for the child (REP-16; social assistance: REP-17)."""

    kind: ServiceKind = Field(description="What kind of service.")
    provider: Line = Field(description="Who provides it.")
    started: StrictBool = Field(description="Whether it has begun.")


class ServiceOrder(_New):
    """Services the township arranges (REP-16)."""

    arranged_at: At
    services: list[Service] = Field(min_length=1, max_length=20, description="The services.")


class Closure(_New, title="ReportClosure"):
    """The township ends the case."""

    closed_at: At
    reason: Literal["child_safe", "long_term_care", "unfounded", "moved_away"] = Field(
        description="Why nothing more is to be done."
    )


class Forwarding(_New):
    """The police pass a report to the police agency in charge (高检发〔2020〕9号 Art. 8)."""

    forwarded_at: At
    police_agency_id: UUID = Field(description="The police agency in charge.")


class _Recorded(BaseModel):
    id: UUID = Field(description="The step's id.")
    step: Step = Field(description="What was done.")
    at: datetime = Field(description="When it was done.")
    out_of_order: bool = Field(
        description="It came before the step it follows from; it is kept all the same."
    )


class StepTaken(_Recorded):
    """A step was recorded."""

    report_id: ReportId
    state: State = Field(description="Where the report stands now.")
    version: Version


class StepShown(_Recorded):
    """One step, with what the caller may read of it."""

    recorded_at: datetime = Field(description="When we learnt of it.")
    agency_id: UUID | None = Field(description="Who did it.")


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
    measures: Annotated[list[CodeShown], Field(max_length=12)] | None = Field(
        description="Disposed: codes of the measures."
    )
    placed_with_agency_id: UUID | None = Field(description="Disposed: who took the child in.")
    details: Text | None = Field(description="Disposed: more, in words.")
    content: Text | None = Field(description="Township notified: what it was told.")
    safety: Safety | None = Field(description="Assessed: safety.")
    guardianship: Guardianship | None = Field(description="Assessed: guardianship.")
    physical_health: Health | None = Field(description="Assessed: physical health.")
    mental_health: Health | None = Field(description="Assessed: mental health.")
    participants: Annotated[list[Participant], Field(max_length=7)] | None = Field(
        description="Assessed: who took part."
    )
    summary: Text | None = Field(description="Assessed: the findings, in words.")
    services: Annotated[list[ServiceShown], Field(max_length=20)] | None = Field(
        description="Services arranged: which."
    )
    reason: CodeShown | None = Field(description="Closed: why.")


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
    channel: Channel
    subject: SubjectShown | None = Field(description="The child; null if not shown to you.")
    narrative: Text | None = Field(description="What was seen; null if not shown to you.")
    suspect_agency_id: UUID | None = Field(description="The agency it speaks against.")
    visit_id: UUID | None = Field(description="The visit it came from.")
    steps: list[StepRead] = Field(max_length=1000, description="What was done, oldest first.")


class ReporterShown(BaseModel):
    """Who made a report."""

    anonymous: bool = Field(description="Whether the reporter stayed unnamed.")
    name: ShortText | None = Field(description="Name.")
    phone: ShortText | None = Field(description="Telephone number.")
    position: ShortText | None = Field(description="Position in the agency.")
    agency_id: UUID = Field(description="The agency that filed it.")


class AttemptShown(BaseModel):
    """One attempt to reach the police's system."""

    number: int = Field(ge=1, le=2_147_483_647, description="Counted from 1.")
    at: datetime = Field(description="When it began.")
    status: Annotated[int, Field(ge=100, le=999)] | None = Field(
        description="HTTP status answered; null if none came."
    )


class DeliveryShown(BaseModel):
    """One message to the police's system."""

    webhook_id: ShortText = Field(description="The id on every attempt.")
    agency_id: UUID = Field(description="The police agency.")
    state: DeliveryState = Field(description="Where the delivery stands.")
    queued_at: datetime = Field(description="When it was queued.")
    delivered_at: datetime | None = Field(description="When it was first answered 2xx.")
    attempt_count: int = Field(ge=0, le=2_147_483_647, description="How often it was tried.")
    attempts: list[AttemptShown] = Field(
        max_length=20, description="The latest attempts, oldest first."
    )


class Chain(_Stands):
    """The proof of a report: filed, delivered, accepted, handled, told on."""

    report_id: ReportId
    police_reference: ShortText | None = Field(description="The police's own number.")
    deliveries: list[DeliveryShown] = Field(
        max_length=50, description="Messages to the police, in order."
    )
    steps: list[StepShown] = Field(max_length=1000, description="Steps, oldest first.")
