"""What callers send about the steps on a report."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.core.http.wire import Code, Day, Input, Line, Moment, Prose
from app.police_reports.schemas import (
    AsSaid,
    Danger,
    DispositionKind,
    Guardianship,
    Health,
    Outcome,
    Participant,
    ReportId,
    Safety,
    ServiceKind,
)
from app.unresolved.schemas import Student

At = Annotated[Moment, Field(description="When it was done, by the sender's clock.")]


Meant = Annotated[
    list[Code] | None,
    Field(
        min_length=1,
        max_length=14,
        description="What was reported, by codes of the list `report_situations`, beside those the "
        "report says. Needed, now or with the first disposition, where its words are in no list "
        "(`situation_unknown`).",
        examples=[["domestic_violence"]],
    ),
]


class Acknowledgement(Input):
    """The police accept a report (REP-07)."""

    police_reference: Line = Field(
        description="The police's own number.", examples=["津公(蓟)受〔2026〕0001"]
    )
    accepted_at: At
    situations: Meant = None


class New(Input):
    id: UUID | None = Field(
        default=None,
        description="Made by the client, so that a repeated request is known as the same step.",
        examples=["01995f3c-9d20-7e11-9a02-3b7c1d4e5f60"],
    )


class _Later(Input):
    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A field that came later is no part of what was sent before it was there.
        said: dict[str, Any] = dump(self)
        later = {name for name in _LATER if said.get(name) is None}
        return {name: value for name, value in said.items() if name not in later}


_LATER: Final = ("help_wanted", "particulars", "dangers")


class Dispatch(New, _Later):
    """Officers go out (REP-07)."""

    dispatched_at: At
    unit: Line = Field(description="Which officers go.", examples=["派出所一组"])
    help_wanted: Prose | None = Field(
        default=None, description="With what who reported is to help; they read it, and owe it."
    )


class Assistance(New):
    """Who reported helps the police (REP-07)."""

    helped_at: At
    help_given: Prose = Field(description="How, or why not. The police read it, and nobody else.")


class Omission(Input):
    """A measure that was not taken, and why."""

    measure: Code = Field(description="Code of the list `disposition_measures`.")
    reason: Prose = Field(description="Why it was not taken, or not yet.")


Measures = Annotated[
    list[Code],
    Field(
        max_length=24,
        description="What was done: codes of this kind in the list `disposition_measures`.",
        examples=[["parents_ordered_to_return", "parents_admonished"]],
    ),
]
Omitted = Annotated[
    list[Omission],
    Field(
        max_length=24,
        description="What the law asks for in this kind (`report.required_measures`) and was not "
        "done. What no disposition tells of is listed as `undone`, and stays owed.",
    ),
]


class Particular(Input):
    """What there is to say of a measure, as the list `disposition_measures` asks for it."""

    measure: Code = Field(description="A measure that was taken, now or before.")
    paper_number: Line | None = Field(
        default=None,
        description="The number of its paper: of the admonition, the search, the list of evidence,"
        " the appraisal.",
        examples=["训诫〔2026〕05号"],
    )
    day: Day | None = Field(
        default=None, description="Its day: of the paper, the return, the end of the search."
    )
    who: Line | None = Field(
        default=None, description="Who has the child now, or the hospital that treats it."
    )
    nearest: StrictBool | None = Field(
        default=None,
        description="Whether no nearer relative, committee or institution could take the child."
        " If not, or if a nearer one is registered here, give the reason.",
    )
    reason: Prose | None = Field(
        default=None, description="Why something asked for cannot be said, or why not the nearest."
    )


Said = Annotated[
    list[Particular] | None,
    Field(
        max_length=24,
        description="What there is to say of the measures taken. What is not said yet is listed as"
        " `unsaid` on the report, and stays owed.",
    ),
]
Dangers = Annotated[
    list[Danger] | None,
    Field(
        max_length=4,
        description="After domestic violence: in which of these the child is; an empty list says"
        " in none. In any, the child is placed in safety, or it is said why not (REP-12).",
    ),
]


class Handling(_Later):
    """What was done in one more kind of situation."""

    kind: DispositionKind = Field(description="The kind of situation handled.")
    measures: Measures = Field(default_factory=list)
    omitted: Omitted = Field(default_factory=list)
    particulars: Said = None
    dangers: Dangers = None


class HandOver(Input):
    """The paper by which a child was handed over (REP-10)."""

    paper_number: Line = Field(description="Its number.", examples=["护送〔2026〕03号"])
    handed_over_on: Day = Field(description="Its day.")
    received_by: Line = Field(description="Who received the child.")


class Disposition(New, _Later):
    """What the police did, by kind of situation (REP-08…13).

    Every situation reported has an answer of its own. A kind beside those reported is welcome once
    they are answered, or `also` in the same step.
    """

    kind: DispositionKind = Field(description="The kind of situation handled.")
    at: At
    situations: Meant = None
    measures: Measures = Field(default_factory=list)
    omitted: Omitted = Field(default_factory=list)
    particulars: Said = None
    dangers: Dangers = None
    also: list[Handling] = Field(
        default_factory=list,
        max_length=5,
        description="Further kinds handled in the same step.",
    )
    placed_with_agency_id: UUID | None = Field(
        default=None, description="The agency that took the child in (REP-10)."
    )
    placed_with_name: Line | None = Field(
        default=None,
        description="Who took the child in, in words: a relative, or an agency that is not "
        "registered. This or the agency is needed if the child was taken somewhere.",
    )
    hand_over: HandOver | None = Field(
        default=None, description="Needed if the child was taken somewhere (REP-10)."
    )
    unit: Line | None = Field(default=None, description="Which officers acted.")
    details: Prose | None = Field(default=None, description="More, in words.")


class TownshipNotice(New):
    """The police tell the township of acceptance and handling (REP-14)."""

    sent_at: At
    content: Prose = Field(description="What the township must know.")


class NoticeReceipt(New):
    """The township confirms the notice (REP-14)."""

    received_at: At


class Assessment(New):
    """The township's assessment of the child (REP-15)."""

    assessed_at: At
    safety: Safety = Field(description="Safety.")
    guardianship: Guardianship = Field(description="Guardianship.")
    physical_health: Health = Field(description="Physical health.")
    mental_health: Health = Field(description="Mental health.")
    participants: list[Participant] = Field(
        max_length=7,
        description="Who took part, besides whoever assesses. The assessment is owed until civil"
        " affairs, the police and one who knows or helps the child take part in one (REP-15).",
    )
    hardship: StrictBool | None = Field(
        default=None,
        description="Whether the family is in economic hardship: civil affairs is asked for social"
        " assistance then (REP-17). Null: as the child's file says.",
    )
    summary: Prose = Field(description="The findings, in words.")


class Service(Input):
    """One service for the child (REP-16; social assistance: REP-17)."""

    kind: ServiceKind = Field(description="What kind of service.")
    provider: Line = Field(description="Who provides it.")
    provider_agency_id: UUID | None = Field(
        default=None,
        description="The provider, if it is a registered agency: it is asked, and owes an answer.",
    )
    started: StrictBool = Field(description="Whether it has begun.")


class ServiceOrder(New):
    """Services the township arranges (REP-16), or why the child needs none."""

    arranged_at: At
    services: list[Service] = Field(
        default_factory=list,
        max_length=20,
        description="The services. What was found not to be well stays owed until one is for it.",
    )
    none_needed: Prose | None = Field(
        default=None, description="Why none are needed, or no more. This or services, never both."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if bool(self.services) is (self.none_needed is not None):
            raise PydanticCustomError(
                "services_unclear", "Give services, or say in none_needed why none are needed."
            )
        return self


class Closure(New, title="ReportClosure"):
    """The township ends the case."""

    closed_at: At
    reason: Outcome = Field(description="Why nothing more is to be done.")
    explanation: Prose | None = Field(
        default=None,
        description="Why it ends although the child was not assessed, something reported was not "
        "answered, or it ends as `child_safe` and the last assessment does not say `safe`. Needed "
        "then, and a second person has to confirm it.",
    )


class ClosureConfirmation(New):
    """A second person agrees that the case ends."""

    confirmed_at: At


class Forwarding(New):
    """The police pass a report to the police agency in charge (高检发〔2020〕9号 Art. 8)."""

    forwarded_at: At
    police_agency_id: UUID = Field(description="The police agency in charge.")


class Identification(New):
    """Which child a report is about: by its file, or by what is known of it.

    Give one of `child_id`, `resident_id`, and `student` with `name`. The file is found by its exact
    number and the name, in any spelling. Where none or several answer to it, or a resident number
    comes without a name, it is kept as said (`described`), and the office of the place is asked.
    """

    identified_at: At
    child_id: UUID | None = Field(default=None, description="The child's file.")
    resident_id: AsSaid | None = Field(
        default=None, description="Resident identity number, in any spelling."
    )
    student: Student | None = Field(
        default=None, description="A number that another system has given; needs `name`."
    )
    name: Line | None = Field(
        default=None,
        description="Name. Who bears the number and another name is not found; without one nobody"
        " is looked for.",
    )
    basis: Prose = Field(description="How it was known, in words.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if sum(each is not None for each in (self.child_id, self.resident_id, self.student)) != 1:
            raise PydanticCustomError(
                "identity_unclear", "Give one of child_id, resident_id and student."
            )
        if self.student is not None and self.name is None:
            raise PydanticCustomError("identity_unclear", "Give the name with the number.")
        return self


class IdentificationWithdrawal(New):
    """The report is not about the child on whose file it hangs."""

    withdrawn_at: At
    basis: Prose = Field(description="Why it was wrong, in words.")


class Separation(New, title="ReportSeparation"):
    """The report is not about the event it was joined with."""

    separated_at: At
    basis: Prose = Field(description="Why it was wrong, in words.")


class SuspectNaming(New):
    """Whom the reporter's words mean."""

    named_at: At
    suspect_agency_id: UUID | None = Field(
        description="The agency the report speaks against; null if none registered here is meant."
    )
    basis: Prose = Field(description="How it was known, in words.")


class SuspectWithdrawal(New):
    """The report speaks against somebody else than was said."""

    withdrawn_at: At
    basis: Prose = Field(description="Why it was wrong, in words.")


class Joining(New, title="ReportJoining"):
    """Another report is about the same event."""

    joined_at: At
    report_id: ReportId
