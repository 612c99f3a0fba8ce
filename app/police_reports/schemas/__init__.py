"""What callers send about police reports and their steps; what they are shown has no defaults."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.core.http.wire import Permitted, PermittedByTwo, RegionCode, Version
from app.police_reports.models import CameBy, State, Step

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
CaseStage = Literal["not_filed", "filed", "punished", "not_punished", "passed_on", "ended"]
Danger = Literal["serious_injury", "threat_to_safety", "nobody_caring", "other_danger"]
Asked = Literal["paper_number", "day", "who", "nearest", "dangers"]
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
Outcome = Literal["child_safe", "long_term_care", "unfounded", "moved_away"]
Safety = Literal["safe", "at_risk", "unsafe"]
Guardianship = Literal["adequate", "weak", "absent"]
Health = Literal["good", "fair", "poor"]
ReportId = Annotated[
    UUID, Field(description="The report's id.", examples=["01995f3c-7a10-7c55-8a41-5d0e2f6b9c01"])
]
AsSaid = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$"),
    BeforeValidator(lambda said: str(said) if type(said) is int else said),
]
"""Taken as it is sent, whatever it looks like: evidence is not refused for its spelling."""
Doubt = Literal[
    "found_at_ahead",
    "place_unknown",
    "child_unconfirmed",
    "situation_unknown",
    "agency_unknown",
    "id_taken",
    "field_unread",
    "not_all_shielded",
]
LONGEST: Final = 1_048_576
"""Characters of a narrative: as many as a body may have bytes."""

Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
ShortText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
CodeShown = Annotated[str, Field(max_length=60, pattern=r"^[a-z0-9_.:-]+$")]


class Stands(BaseModel):
    """How far a report came."""

    state: State = Field(description="The furthest step taken.")
    routing: Literal["routed", "no_agency", "no_endpoint"] = Field(
        description="`routed`: it waits at a police endpoint, or police filed a case of their own."
        " Else a person must call the police."
    )
    filed_at: datetime = Field(description="When it was filed.")
    acknowledge_due_at: datetime = Field(description="When the police must have accepted it.")


class Filed(Stands):
    """A report was taken in."""

    id: ReportId
    doubts: list[Doubt] = Field(
        max_length=8,
        description="What was stated and could not be followed; it was kept as sent. "
        "`not_all_shielded`: agencies whose ids stand in fields nobody knows see it all the same, "
        "since they are too many, or no other police could take it.",
    )


class ReportSummary(Filed):
    """Where a report stands."""

    child_id: UUID | None = Field(description="The child's file, if there is one.")
    region_code: RegionCode
    situations: list[CodeShown] = Field(
        max_length=14, description="Codes of the list `report_situations`."
    )
    urgency: Urgency
    found_at: datetime = Field(description="When it was found.")
    delivered_at: datetime | None = Field(description="When the police's system took it.")
    acknowledged_at: datetime | None = Field(description="When the police accepted it.")
    police_reference: ShortText | None = Field(description="The police's own number.")
    acknowledgement_overdue: bool = Field(description="Not accepted in time (REP-07).")
    delivery_overdue: bool = Field(description="Not delivered in time.")
    unanswered: list[CodeShown] = Field(
        max_length=14, description="Situations reported that no disposition has answered yet."
    )
    handled_at: datetime | None = Field(
        description="When everything that was reported had been answered."
    )
    omission_step_id: UUID | None = Field(
        description="The last disposition that leaves out what the law asks for, for a reason that "
        "a second person of the police has to judge; null while there is none, or not shown."
    )
    closed_at: datetime | None = Field(description="When it was closed, if it is.")
    outcome: Outcome | None = Field(
        description="How it ended; null while it has not, or not shown to you."
    )
    closure_proposed: bool = Field(
        description="Somebody would close it unassessed or unanswered: a second person must agree."
    )
    police_agency_id: UUID | None = Field(description="The police agency in charge.")
    township_agency_id: UUID | None = Field(description="The agency the police told (REP-14).")
    reporter_agency_id: UUID | None = Field(
        description="The agency that filed it; shown to itself and to the police in charge."
    )
    reporter_bound: bool | None = Field(
        description="Whether whoever filed it had to (`report.duty_bearers`); null if not shown."
    )
    reported_as: CodeShown | None = Field(
        description="As which of the list `duty_bearers` they had to; shown likewise."
    )
    supersedes: UUID | None = Field(description="The report this one corrects.")
    superseded_by: UUID | None = Field(description="The report that corrects this one.")
    incident_id: UUID = Field(
        description="What the reports of one event share: the id of the first that you see."
    )
    version: Version
    permitted: Permitted
    permitted_by_two: PermittedByTwo


class AsSent(BaseModel):
    """What was stated and could not be followed, as it was sent; null where nothing was."""

    id: ShortText | None = Field(
        default=None, description="The id it came under, which is another report's or none."
    )
    child_id: ShortText | None = Field(
        default=None, description="The file named, which its reporter does not see."
    )
    region_code: ShortText | None = Field(default=None, description="Where it happened.")
    situations: list[ShortText] | None = Field(
        default=None, max_length=14, description="Situations that are in no list."
    )
    suspect_agency_id: ShortText | None = Field(
        default=None, description="The agency it speaks against."
    )
    unread: dict[str, Any] | None = Field(
        default=None, description="What could not be read, by field, as `subject.birth_date`."
    )


class SubjectShown(BaseModel):
    """The child a report is about, as stated when it was filed."""

    name: ShortText | None = Field(description="Name.")
    sex: Sex
    birth_date: date | None = Field(description="Birth date.")
    approximate_age: Annotated[int, Field(ge=0, le=150)] | None = Field(
        description="Age in years, estimated."
    )
    place: ShortText | None = Field(description="Where the child was.")


class _Recorded(BaseModel):
    id: UUID = Field(description="The step's id.")
    step: Step = Field(description="What was done.")
    at: datetime = Field(description="When it was done.")
    out_of_order: bool = Field(
        description="It came before the step it follows from; it is kept all the same."
    )
    at_ahead: bool = Field(description="`at` lies ahead of when we learnt of it: a clock is wrong.")


class StepTaken(_Recorded):
    """A step was recorded."""

    report_id: ReportId
    state: State = Field(description="Where the report stands now.")
    version: Version


class StepShown(_Recorded):
    """One step, with what the caller may read of it."""

    recorded_at: datetime = Field(description="When we learnt of it.")
    in_order_by: Literal["at", "recorded_at"] = Field(
        description="Which of the two it stands in order by: `at`, unless that clock is in doubt."
    )
    agency_id: UUID | None = Field(description="Who did it; null for who reported.")


class ServiceShown(BaseModel):
    """One service for the child."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    kind: ServiceKind = Field(description="What kind of service.")
    provider: ShortText = Field(description="Who provides it.")
    provider_agency_id: UUID | None = Field(
        default=None, description="The provider, if it was named as a registered agency."
    )
    started: bool = Field(description="Whether it has begun.")


class OmissionShown(BaseModel):
    """A measure that was not taken, and why."""

    measure: CodeShown = Field(description="Which measure.")
    reason: Text = Field(description="Why not.")


class ParticularShown(BaseModel):
    """What was said of a measure; null where nothing was."""

    measure: CodeShown = Field(description="Which measure.")
    paper_number: ShortText | None = Field(default=None, description="The number of its paper.")
    day: date | None = Field(default=None, description="Its day.")
    who: ShortText | None = Field(default=None, description="Who has or treats the child now.")
    nearest: bool | None = Field(default=None, description="No nearer place could take the child.")
    reason: Text | None = Field(default=None, description="Why it is not said, or farther away.")


Particulars = Annotated[list[ParticularShown], Field(max_length=24)]
Dangers = Annotated[list[Danger], Field(max_length=4)]


class HandlingShown(BaseModel):
    """What was done in one more kind of situation."""

    kind: DispositionKind = Field(description="The kind of situation handled.")
    measures: list[CodeShown] = Field(max_length=24, description="Codes of the measures.")
    omitted: list[OmissionShown] = Field(max_length=24, description="What was left out, and why.")
    particulars: Particulars | None = Field(default=None, description="What was said of them.")
    dangers: Dangers | None = Field(default=None, description="In which danger the child was.")


class UnsaidShown(BaseModel):
    """What is still to be said of a measure (`report.measures`)."""

    kind: DispositionKind = Field(description="The kind of situation handled.")
    measure: CodeShown = Field(description="Which measure.")
    fields: list[Asked] = Field(max_length=5, description="What to say of it.")
    then: list[CodeShown] = Field(max_length=24, description="Measures of which one is to follow.")


class UndoneShown(BaseModel):
    """What the law asks for and is neither done nor left out for a reason that stands."""

    kind: DispositionKind = Field(description="The kind of situation handled.")
    one_of: list[CodeShown] = Field(max_length=24, description="Measures of which one does it.")


Undone = Annotated[
    list[UndoneShown],
    Field(
        max_length=144,
        description="What the law still asks for in the kinds handled so far"
        " (`report.required_measures`): it stays owed until it is done, or left out for a reason.",
    ),
]


class HandOverShown(BaseModel):
    """The paper by which a child was handed over."""

    paper_number: ShortText = Field(description="Its number.")
    handed_over_on: date = Field(description="Its day.")
    received_by: ShortText = Field(description="Who received the child.")


class StudentSaid(BaseModel):
    """A number that another system has given a child."""

    system: CodeShown = Field(description="Which system.")
    number: ShortText = Field(description="The number.")


class StepDetails(BaseModel):
    """What was done in a step; what does not belong to that kind of step is null."""

    police_reference: ShortText | None = Field(description="Acknowledged: the police's number.")
    police_agency_id: UUID | None = Field(description="Forwarded: to which agency.")
    situations: Annotated[list[CodeShown], Field(max_length=14)] | None = Field(
        description="Acknowledged, disposed: what the police say was reported."
    )
    unit: ShortText | None = Field(description="Dispatched, disposed: which officers.")
    help_wanted: Text | None = Field(description="Dispatched: with what who reported is to help.")
    help_given: Text | None = Field(description="Assisted: how they help, or why not.")
    kind: DispositionKind | None = Field(description="Disposed: the kind of situation handled.")
    measures: Annotated[list[CodeShown], Field(max_length=24)] | None = Field(
        description="Disposed: codes of the measures."
    )
    omitted: Annotated[list[OmissionShown], Field(max_length=24)] | None = Field(
        description="Disposed: what was left out, and why."
    )
    also: Annotated[list[HandlingShown], Field(max_length=5)] | None = Field(
        description="Disposed: further kinds handled."
    )
    particulars: Particulars | None = Field(description="Disposed: what was said of the measures.")
    dangers: Dangers | None = Field(description="Disposed: in which danger the child was.")
    placed_with_agency_id: UUID | None = Field(description="Disposed: who took the child in.")
    placed_with_name: ShortText | None = Field(
        description="Disposed: who took the child in, in words: no agency registered here."
    )
    hand_over: HandOverShown | None = Field(description="Disposed: the paper of it.")
    details: Text | None = Field(description="Disposed: more, in words.")
    disposition_id: UUID | None = Field(
        description="Reasons judged: the last disposition that was read for it."
    )
    stage: CaseStage | None = Field(description="Investigated: how far the case is.")
    paper_number: ShortText | None = Field(description="Investigated: the number of the paper.")
    day: date | None = Field(description="Investigated: its day.")
    content: Text | None = Field(description="Township notified: what it was told.")
    safety: Safety | None = Field(description="Assessed: safety.")
    guardianship: Guardianship | None = Field(description="Assessed: guardianship.")
    physical_health: Health | None = Field(description="Assessed: physical health.")
    mental_health: Health | None = Field(description="Assessed: mental health.")
    participants: Annotated[list[Participant], Field(max_length=7)] | None = Field(
        description="Assessed: who took part."
    )
    hardship: bool | None = Field(description="Assessed: whether the family is in hardship.")
    summary: Text | None = Field(description="Assessed: the findings, in words.")
    services: Annotated[list[ServiceShown], Field(max_length=20)] | None = Field(
        description="Services arranged: which."
    )
    none_needed: Text | None = Field(description="Services arranged: why none are needed.")
    reason: CodeShown | None = Field(description="Closed, or to be closed: why.")
    child_id: UUID | None = Field(
        description="Identified, or identification withdrawn: the child's file."
    )
    resident_id: ShortText | None = Field(
        description="Identified, described: its resident identity number, as said."
    )
    student: StudentSaid | None = Field(
        description="Identified, described: its number in another system, as said."
    )
    name: ShortText | None = Field(description="Identified, described: its name, as said.")
    basis: Text | None = Field(
        description="Identified, described, suspect named: how it was known; taken back: why."
    )
    explanation: Text | None = Field(
        description="To be closed: why, though not assessed or answered. Reasons judged: why."
        " Investigated: why, or to whom it was passed on."
    )


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
    came_by: CameBy | None = Field(description="How it came to whoever filed it; shown likewise.")
    subject: SubjectShown | None = Field(description="The child; null if not shown to you.")
    narrative: Annotated[str, Field(max_length=LONGEST, pattern=r"^[^\x00]*$")] | None = Field(
        description="What was seen; null if not shown to you."
    )
    suspect_agency_id: UUID | None = Field(description="The agency it speaks against.")
    as_sent: AsSent | None = Field(
        description="What could not be followed; null if nothing, or not shown to you."
    )
    visit_id: UUID | None = Field(description="The visit it came from.")
    joined: list[ReportId] = Field(
        max_length=50, description="Other reports of the same event that you have a part in."
    )
    unsaid: list[UnsaidShown] = Field(
        max_length=144, description="What the police still have to say of what they did."
    )
    undone: Undone
    steps: list[StepRead] = Field(max_length=1000, description="What was done, in order.")
