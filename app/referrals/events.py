"""What a referral announces. Codes only: what was written stays behind the API."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.events import CODE, Event
from app.referrals.models import ReferralOutcome


class _AboutReferral(Event):
    subject: ClassVar[str] = "referral"
    child_id: UUID = Field(description="The child referred.")
    from_id: UUID = Field(description="The agency that refers.")
    to_id: UUID = Field(description="The agency that owes the answer.")
    known_to: tuple[UUID, ...] = Field(
        max_length=2, description="Both, told wherever the child lives."
    )


class _Owed(_AboutReferral):
    to_kind: Code = Field(description="The kind of agency that was asked for: a code.")
    waits: bool = Field(
        description="Whether none of that kind serves the place: who has it finds somebody."
    )
    needs: list[Code] = Field(max_length=40, description="What for: codes of `referral_needs`.")
    due_at: datetime = Field(description="When the answer is due.")
    said: bool = Field(default=False, description="Whether it has its answer: not yet.")


class ChildReferred(_Owed):
    """A child is referred to an agency, which owes an answer; said again when it is asked again.
    The subject is the referral.
    """

    wire_name: ClassVar[str] = "referrals.child_referred"


class ReferralPassedOn(_Owed):
    """Another agency owes the answer now."""

    wire_name: ClassVar[str] = "referrals.referral_passed_on"


class ReferralAccepted(_AboutReferral):
    """Whom it was referred to takes it on, and owes what comes of it."""

    wire_name: ClassVar[str] = "referrals.referral_accepted"
    ended: bool = Field(default=False, description="Whether it has ended: not yet.")


class ReferralAnswered(_AboutReferral):
    """Whom it was referred to said what they do, or did."""

    wire_name: ClassVar[str] = "referrals.referral_answered"
    answer: Annotated[ReferralOutcome, CODE] = Field(description="What they said: a code.")
    said: bool = Field(default=True, description="Whether it has its answer.")
    ended: bool = Field(description="Whether that ends it: all but `accepted` do.")


class SituationFound(_AboutReferral):
    """Whom it was referred to found what they must report to the police (REP-01). Told to nobody:
    they owe the report.
    """

    wire_name: ClassVar[str] = "referrals.situation_found"
    change_id: UUID = Field(description="That answer.")
    agency_id: UUID = Field(description="Who answered.")
    found: list[Code] = Field(max_length=10, description="Situations: codes.")


class ReferralCancelled(_AboutReferral):
    """Nobody owes an answer any more."""

    wire_name: ClassVar[str] = "referrals.referral_cancelled"


class ReferralOverdue(_AboutReferral):
    """No answer, or no result, came in time: who referred the child is told."""

    wire_name: ClassVar[str] = "referrals.referral_overdue"
