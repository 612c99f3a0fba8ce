"""What travels on the wire about what cannot be placed yet."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.core.http.wire import (
    Code,
    Input,
    Permitted,
    Prose,
    RegisterNumber,
    ShownRegion,
    Version,
)
from app.unresolved.models import (
    FileOpened,
    UnresolvedAnswer,
    UnresolvedKind,
    UnresolvedReason,
    UnresolvedState,
)

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10"
MOST_SHOWN = 200
Words = Annotated[Prose, Field(description="In words; stored encrypted.")]
UnresolvedId = Annotated[UUID, Field(description="The question's id in the queue.", examples=[_ID])]


class HeldForNow(BaseModel):
    """It was taken in and is kept: the sender owes nothing more and may delete its copy. It cannot
    be placed yet; somebody with a deadline looks into it.
    """

    unresolved_id: UnresolvedId
    status: Literal["unresolved"] = Field(description="Always `unresolved`.")


class Student(Input):
    """A pupil by the number another system has given."""

    system: Code = Field(description="Whose number it is.", examples=["xueji"])
    number: RegisterNumber = Field(
        description="The number in that system; width and spaces make no difference.",
        examples=["G0000000000000000X"],
    )


class UnresolvedAttachment(Input):
    """Whom it is about."""

    child_id: UUID = Field(description="A child you see.", examples=[_ID])
    words: Words = Field(
        description="By what you know that it is this child; stored encrypted.",
        examples=["与村儿童主任电话核实,系同一儿童"],
    )


class UnresolvedTakeBack(Input):
    """Why it was placed with the wrong child."""

    words: Words
    child_id: UUID | None = Field(
        default=None,
        description="A child you see, with which it is placed instead; else it is asked anew.",
        examples=[_ID],
    )


class UnresolvedCorrection(Input):
    """Whom its sender meant: one of the two."""

    child_id: UUID | None = Field(default=None, description="The child's id.", examples=[_ID])
    student: Student | None = Field(default=None, description="The pupil's number.")
    words: Words

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.child_id is None) == (self.student is None):
            raise PydanticCustomError("claim_unclear", "Give one of child_id and student.")
        return self


class UnresolvedDismissal(Input):
    """Why it belongs nowhere."""

    words: Words


class AnswerGiven(Input):
    """What your office says; the other office reads it, and nothing of your file."""

    answer: UnresolvedAnswer = Field(
        description="Of a referral `same_child`, `another_child` or `number_wrong` (your own file's"
        " number, or the one sent from your place); of two entries `one_visit` or `two_visits`."
    )
    words: Words


class UnresolvedOwner(BaseModel):
    """Who owes the answer: an agency, or the holder of a post of this role at the place."""

    role: Code = Field(description="Role that owes it.", examples=["township_supervisor"])
    agency_id: UUID | None = Field(
        description="The agency, if one owes it as a whole: the school, or of two files the nearest"
        " civil affairs of the place, the next above it where the place has none."
    )
    answers_alone: bool = Field(
        description="Of two files: one office is that of both places, and its one answer settles"
        " it. Else each office answers, by somebody of its own."
    )


class UnresolvedSender(BaseModel):
    """Who sent it."""

    agency_id: UUID = Field(description="The agency.")
    role: Code = Field(description="Under which role.", examples=["village_director"])
    region_code: ShownRegion


class UnresolvedClaim(BaseModel):
    """Whom it was said to be about."""

    child_id: UUID | None = Field(default=None, description="By the id of a file.")
    student: Student | None = Field(default=None, description="By a number.")


class OfficeAnswer(BaseModel):
    """What an office answered."""

    office: Literal["yours", "other"] = Field(description="Whose answer it is.")
    answer: UnresolvedAnswer = Field(description="What it says.")
    words: Prose = Field(description="In words.")
    answered_at: datetime = Field(description="When.")


class TakenBack(BaseModel):
    """Who said that it had been placed with the wrong child."""

    by: str = Field(max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$", description="Who.")
    words: Prose = Field(description="Why, in words.")
    taken_back_at: datetime = Field(description="When.")


class DismissalProposed(BaseModel):
    """What one person said; a second has to say so too."""

    by: str = Field(
        max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$", description="Who proposed it."
    )
    words: Prose = Field(description="Why it belongs nowhere, in words.")
    proposed_at: datetime = Field(description="When.")


class UnresolvedEvidence(BaseModel):
    """One thing that was sent, as it was sent."""

    sender_ref: str = Field(
        max_length=420, pattern=r"^[^\x00]*$", description="What its sender calls it."
    )
    happened_on: date = Field(description="The day it is about, by its sender.")
    received_at: datetime = Field(description="When it was received.")
    waiting: bool = Field(description="Whether it still waits to be stored where it belongs.")
    sent: dict[str, Any] = Field(description="The body that was sent, or that part of it.")


class Unresolved(BaseModel):
    """Something that arrived and cannot be placed yet."""

    id: UnresolvedId
    kind: UnresolvedKind = Field(description="What it is.")
    reason: UnresolvedReason = Field(description="Why it cannot be placed.")
    region_code: ShownRegion
    owner: UnresolvedOwner
    sender: UnresolvedSender | None = Field(
        description="Who sent it; null for what was found here."
    )
    claim: UnresolvedClaim | None = Field(
        description="Whom it was said to be about; null if no id was said."
    )
    child_id: UUID | None = Field(
        description="The file it concerns, was attached to or was opened, if that is yours to see."
    )
    file_opened: FileOpened | None = Field(
        description="How the file that was referred was opened once the offices had answered, under"
        " the id it was sent with unless that is another file's; null if none was."
    )
    other_child_id: UUID | None = Field(
        description="Of two files the other, if you see both; of what was taken back the file that"
        " it was taken from, if you may settle it."
    )
    report_id: UUID | None = Field(
        description="The report to the police whose child is asked for: say on the report who it is"
        " (`identifyChild`), or dismiss this."
    )
    state: UnresolvedState = Field(description="Where it stands.")
    due_at: datetime = Field(description="When it is overdue.")
    overdue: bool = Field(description="Whether it is open and its time is over.")
    received_at: datetime = Field(description="When it arrived first.")
    updated_at: datetime = Field(description="When something was added or done last.")
    settled_at: datetime | None = Field(description="When it was settled.")
    settled_by: str | None = Field(
        max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$", description="Who settled it."
    )
    abnormal: bool = Field(
        description="Whether something sent for it holds an abnormal finding, as far as we know:"
        " true where it was received before this was kept. It takes two people to dismiss."
    )
    dismissal_proposed: DismissalProposed | None = Field(
        description="Who proposed to dismiss it; anything new withdraws that."
    )
    taken_back: TakenBack | None = Field(
        description="Who took back that it was placed with a child; what was sent is asked anew."
    )
    words: Prose | None = Field(
        description="Why it was dismissed, attached or corrected, in words."
    )
    answers: list[OfficeAnswer] = Field(
        max_length=2, description="What the offices answered, if you may settle it."
    )
    permitted: Permitted
    version: Version


class UnresolvedDetail(Unresolved):
    """The same, with what was sent."""

    evidence: list[UnresolvedEvidence] = Field(
        max_length=MOST_SHOWN, description=f"What was sent, the first {MOST_SHOWN}."
    )
