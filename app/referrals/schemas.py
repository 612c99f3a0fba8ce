"""What travels on the wire about referrals."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.agencies.models import AgencyKind
from app.core.http.as_sent import TakenAsSent
from app.core.http.wire import Day, Input, Name, Permitted, Prose, RegionCode, Version
from app.referrals.models import Found, ReferralNeed, ReferralOutcome, ReferralSource, ReferralState

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b33"
_ACTOR = r"^[a-z]+(:[0-9a-f-]{36})?$"

Needs = Annotated[
    list[ReferralNeed],
    Field(min_length=1, max_length=28, description="What for: `referral_needs`."),
]
By = Annotated[str, Field(max_length=50, pattern=_ACTOR)]


class ChildReferralCreate(Input):
    """Whom a child is referred to, and what for."""

    to_kind: AgencyKind | None = Field(
        default=None, description="A kind of agency: the nearest that serves the child's place."
    )
    to_agency_id: UUID | None = Field(
        default=None, description="Or one agency, by its id; one of the two is needed."
    )
    needs: Needs
    note: Prose | None = Field(
        default=None, description="What they need to know, in words; stored encrypted."
    )

    @model_validator(mode="after")
    def _says_to_whom(self) -> Self:
        if (self.to_kind is None) == (self.to_agency_id is None):
            raise PydanticCustomError("referred_to", "Say `to_kind` or `to_agency_id`.")
        return self


class ReferralAnswerCreate(TakenAsSent):
    """What whom it was referred to says. What of it cannot be read is kept as sent."""

    needed: ClassVar[frozenset[str]] = frozenset({"answer"})

    answer: ReferralOutcome = Field(description="What you do, or did.")
    words: Prose | None = Field(
        default=None,
        description="What was done, or why not, in words; needed unless `accepted`. Encrypted.",
    )
    done_on: Day | None = Field(default=None, description="The day it was done; else today.")
    found: list[Found] = Field(
        default=[],
        max_length=6,
        description="What you found of the child that must be reported to the police; that you owe"
        " then (REP-01).",
    )

    @model_validator(mode="after")
    def _says_what_or_why(self) -> Self:
        if self.words is None and self.answer is not ReferralOutcome.accepted:
            raise PydanticCustomError("answer_words", "Say what was done, or why not.")
        return self


class ReferralCancellation(Input):
    """Why it is taken back."""

    reason: Prose = Field(description="Why, in words; stored encrypted.")


class ReferredChild(BaseModel):
    """As much of a child as whom it is referred to needs to find it, and no more."""

    name: Name = Field(description="Name.")
    birth_date: date = Field(description="Date of birth: two may have one name.")
    region_code: RegionCode


class ReferralAnswer(BaseModel):
    """What whom it was referred to said."""

    answer: ReferralOutcome = Field(description="What they do, or did.")
    words: Prose | None = Field(
        description="What was done, or why not; null if none were written, or to whom was neither"
        " asked nor asking and is below the county."
    )
    done_on: date = Field(description="The day it was done.")
    found: list[Found] = Field(
        max_length=6,
        description="What they found that must be reported to the police (REP-01); empty to all but"
        " them.",
    )
    answered_at: datetime = Field(description="When they said so.")
    answered_by: By = Field(description="Who said so.")


class ReferralCancelled(BaseModel):
    """That it was taken back."""

    reason: Prose | None = Field(description="Why; as the words of an answer.")
    cancelled_at: datetime = Field(description="When.")
    cancelled_by: By = Field(description="By whom.")


class ChildReferral(BaseModel):
    """One child, referred by one agency to another."""

    id: UUID = Field(description="The referral's id.", examples=[_ID])
    child_id: UUID = Field(description="The child.", examples=[_ID])
    child: ReferredChild
    from_agency_id: UUID = Field(description="The agency that refers.")
    to_kind: AgencyKind = Field(description="The kind of agency that was asked for.")
    to_agency_id: UUID = Field(description="The agency that owes the answer.")
    waits: bool = Field(
        description="Whether none of that kind serves the place: who has it instead finds somebody."
    )
    needs: Needs
    source: ReferralSource = Field(description="What it came of.")
    visit_id: UUID | None = Field(description="The visit, if it came of one.")
    note: Prose | None = Field(description="What they need to know; as the words of an answer.")
    opened_at: datetime = Field(description="Since when it is asked.")
    due_at: datetime = Field(description="When the first answer is due.")
    state: ReferralState = Field(description="Where it stands.")
    answer: ReferralAnswer | None = Field(description="The last answer; null: none yet.")
    cancelled: ReferralCancelled | None = Field(description="That it was taken back; else null.")
    version: Version
    permitted: Permitted
