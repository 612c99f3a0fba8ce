"""What travels on the wire about dropout alerts."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.core.http.wire import Day, Input, Line, Moment, Permitted, Prose, RegionCode, Version
from app.dropout_alerts import models
from app.dropout_alerts.rules import Action

Note = Annotated[
    Prose | None, Field(description="For the people who help; kept encrypted, never in events.")
]


Stated = Annotated[
    Day | None,
    Field(
        description="The day that was sent, if it cannot be: it lies ahead, or before the first day"
        " missed. The day of receipt counts in its stead."
    ),
]


OrderNumber = Annotated[
    Line | None,
    Field(description="The number of the order on paper.", examples=["责令2026-7"]),
]
BackBy = Annotated[
    Day | None,
    Field(
        description="By which day the child must be back at school; whoever ordered it owes that.",
        examples=["2026-12-01"],
    ),
]


class PersuasionCreate(Input):
    """An attempt to bring the child back (EDU-03)."""

    persuaded_on: Day = Field(description="The day of the attempt.")
    by: models.By = Field(description="Who tried.", examples=["class_teacher"])
    method: models.Method = Field(description="How.", examples=["home_visit"])
    outcome: models.Outcome = Field(description="What came of it.", examples=["refused"])
    final: StrictBool = Field(
        default=False, description="True if the school gives up: a written report is due then."
    )
    note: Note = None

    @model_validator(mode="after")
    def _gives_up_on_failure_only(self) -> Self:
        if self.final and self.outcome not in {"refused", "unreachable"}:
            raise PydanticCustomError(
                "final_without_failure", "Only a refused or unreachable attempt can be final."
            )
        return self


class ParentContactCreate(Input):
    """The school spoke to the parents, or whoever looks after the child, of why it is away."""

    spoken_on: Day = Field(description="The day.")
    method: models.Method = Field(description="How.", examples=["phone"])
    note: Note = None


SaidCause = Annotated[
    models.Cause, Field(description="Why the child stays away.", examples=["tired_of_school"])
]
SaidWhereabouts = Annotated[
    models.Whereabouts, Field(description="Where the child is.", examples=["at_home"])
]


class RegisterEntry(Input):
    """What the register says of a pupil who left school (EDU-02), as the school knows by now."""

    cause: SaidCause
    whereabouts: SaidWhereabouts
    note: Note = None


class WrittenReportCreate(Input):
    """The school's written report (EDU-04, EDU-05); education and township are addressed by us."""

    number: Line = Field(description="The number the school gave the paper.", examples=["2026-3"])
    cause: SaidCause
    whereabouts: SaidWhereabouts
    summary: Note = None


class DropoutMeasureCreate(Input):
    """What an addressee of the report does to bring the child back (EDU-07). An order has a number
    and a day by which the child is back; what is left out is owed still, and said by an order after
    it that has both.
    """

    kind: models.MeasureKind = Field(description="What is done.", examples=["talk_with_guardian"])
    ordered_on: Day = Field(description="Since when.")
    order_number: OrderNumber = None
    back_by: BackBy = None
    note: Note = None

    @model_validator(mode="after")
    def _orders_back_from_its_day_on(self) -> Self:
        if self.back_by is not None and self.back_by < self.ordered_on:
            raise PydanticCustomError(
                "back_before_order",
                "The child can be back by the day of the order at the earliest.",
            )
        return self


class SchoolReturnCreate(Input):
    """The child is back at school."""

    returned_on: Day = Field(description="First day back.")
    kind: models.ReturnKind = Field(description="To which school.", examples=["same_school"])


class DoubtDecision(Input):
    """What a named person found about a doubted alert."""

    decision: models.Decision = Field(
        description="stands: the child did miss school; struck_off: it was no dropout.",
        examples=["stands"],
    )
    note: Prose = Field(description="Why; kept encrypted, never in events.")


class DropoutAlert(BaseModel):
    """One child away from school without leave."""

    id: UUID = Field(
        description="The alert's id.", examples=["0199b1f0-0000-7000-8000-00000000000a"]
    )
    child_id: UUID = Field(description="The child.")
    school_id: UUID = Field(description="The school that keeps the alert.")
    region_code: RegionCode
    state: models.State = Field(description="Where it stands.", examples=["absent"])
    opened_on: Day = Field(description="When it opened.")
    first_absent_day: Day = Field(description="First school day missed without leave.")
    last_absent_day: Day = Field(description="Last school day missed without leave so far.")
    unexcused_days: int = Field(
        ge=0, le=1000, description="School days missed without leave, as known now."
    )
    registered_on: Day | None = Field(description="Day of entry in the dropout register.")
    ended_on: Day | None = Field(description="Day it ended, as returned or closed.")
    end_reason: models.CloseReason | None = Field(
        description="attended: seen at school; recorded: the school recorded the return; "
        "excused: too few days without leave remain; struck_off: a named person decided so; "
        "continued: what had ended it was taken back, and another alert counts its days."
    )
    returned_on: Day | None = Field(description="First day back.")
    stated_on: Stated
    return_kind: models.ReturnKind | None = Field(
        description="To which school the child went back."
    )
    handed_over_by: UUID | None = Field(
        description="The school that kept the alert before, if the child changed school."
    )
    doubt: models.Doubt | None = Field(
        description="fewer_days: what is known now would not have registered the child, or opened"
        " the alert; a named person must decide."
    )
    back_since: Day | None = Field(
        description="Of a child in the register: since when a school says that it is there again."
        " A named person records the return."
    )
    cause: models.Cause | None = Field(
        description="Of the register: why the child stays away; null until the school says it."
    )
    whereabouts: models.Whereabouts | None = Field(
        description="Of the register: where the child is; null until the school says it."
    )
    version: Version
    created_at: Moment = Field(description="When it was opened.")
    updated_at: Moment = Field(description="When it was last changed.")
    permitted: Permitted


class Persuasion(BaseModel):
    """A recorded attempt."""

    id: UUID = Field(description="The attempt's id.")
    persuaded_on: Day = Field(description="The day of the attempt.")
    stated_on: Stated
    by: models.By = Field(description="Who tried.")
    method: models.Method = Field(description="How.")
    outcome: models.Outcome = Field(description="What came of it.")
    final: bool = Field(description="True if the school gave up.")
    note: Prose | None = Field(description="The note.")
    recorded_at: Moment = Field(description="When it was recorded.")


class ReportReceipt(BaseModel):
    """An addressee of the written report."""

    agency_id: UUID = Field(description="The addressee.")
    kind: models.Addressee = Field(description="As what it is addressed.")
    received_at: Moment | None = Field(description="When it confirmed to have the report.")


class WrittenReport(BaseModel):
    """The written report and its receipts."""

    id: UUID = Field(description="The report's id.")
    number: Line = Field(description="The number the school gave the paper.")
    cause: models.Cause = Field(description="Why the child stays away.")
    whereabouts: models.Whereabouts = Field(description="Where the child is.")
    summary: Prose | None = Field(description="The summary.")
    sent_at: Moment = Field(description="When it was sent.")
    receipts: list[ReportReceipt] = Field(max_length=10, description="Who it was sent to.")


class DropoutMeasure(BaseModel):
    """A measure of education or township."""

    id: UUID = Field(description="The measure's id.")
    agency_id: UUID = Field(description="Who acted.")
    kind: models.MeasureKind = Field(description="What was done.")
    ordered_on: Day = Field(description="Since when.")
    stated_on: Stated
    order_number: OrderNumber
    back_by: BackBy
    unsaid: list[models.OrderField] = Field(
        max_length=2,
        description="What an order does not say, nor one of the same agency after it; whoever"
        " ordered it owes that.",
        examples=[["back_by"]],
    )
    note: Prose | None = Field(description="The note.")
    recorded_at: Moment = Field(description="When it was recorded.")


class AlertStep(BaseModel):
    """What happened to an alert besides."""

    id: UUID = Field(description="The step's id.")
    kind: models.StepKind = Field(description="What happened.")
    from_school_id: UUID | None = Field(description="Handed over: the school before.")
    to_school_id: UUID | None = Field(description="Handed over: the school since.")
    unexcused_days: int | None = Field(
        ge=0, le=1000, description="Doubted or settled: school days missed, as known then."
    )
    decision: models.Decision | None = Field(description="Settled: what was decided.")
    cause: models.Cause | None = Field(description="Entered in the register: why it stays away.")
    whereabouts: models.Whereabouts | None = Field(
        description="Entered in the register: where the child is."
    )
    spoken_on: Day | None = Field(description="Parents spoken to: the day.")
    stated_on: Stated
    method: models.Method | None = Field(description="Parents spoken to: how.")
    note: Prose | None = Field(description="The note.")
    taken_at: Moment = Field(description="When.")


class DropoutAlertDetail(DropoutAlert):
    """An alert with everything done about it."""

    allowed_actions: list[Action] = Field(
        max_length=10,
        deprecated=True,
        description="What its state admits now, whoever you are; `permitted` knows that too.",
        examples=[["record_persuasion"]],
    )
    persuasions: list[Persuasion] = Field(max_length=1000, description="Attempts, oldest first.")
    written_report: WrittenReport | None = Field(description="The written report, once sent.")
    measures: list[DropoutMeasure] = Field(max_length=1000, description="Measures, oldest first.")
    journal: list[AlertStep] = Field(
        max_length=1000,
        description="Hand-overs, doubts and decisions, and what was taken back, oldest first.",
    )
