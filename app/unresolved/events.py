"""What the queue announces, to those who may read the question (`queries.readers`). Ids and codes
only: what was sent stays behind the API.
"""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import CODE, Event
from app.unresolved.models import UnresolvedReason, UnresolvedState


class _Asked(Event):
    shields: ClassVar[bool] = False
    subject: ClassVar[str] = "unresolved"
    reason: Annotated[UnresolvedReason, CODE] = Field(
        description="Why it cannot be placed: a code."
    )
    due_at: datetime = Field(description="Until when somebody must have answered.")


class VisitUnresolved(_Asked):
    """A visit names a child nobody here knows, or is possibly the same as another. The subject is
    the question.
    """

    wire_name: ClassVar[str] = "unresolved.visit_unresolved"


class AttendanceUnresolved(_Asked):
    """A school reports on a pupil it has under no such number. The subject is the question."""

    wire_name: ClassVar[str] = "unresolved.attendance_unresolved"
    school_id: UUID = Field(description="The school, which owes the number.")


class ReferralOpened(_Asked):
    """Two offices, or one, must say whether two files are one child. The subject is the question;
    each office has its own.
    """

    wire_name: ClassVar[str] = "unresolved.referral_opened"


class ReferralMoved(Event):
    """The file an office was asked about lives elsewhere now: that place's office owes the answer,
    in its stead. The subject is the question; the place is where it was owed before.
    """

    wire_name: ClassVar[str] = "unresolved.referral_moved"
    shields: ClassVar[bool] = False
    subject: ClassVar[str] = "unresolved"


class ReportUnresolved(_Asked):
    """Nobody knows which child a report to the police is about; said again when an office comes
    that may know of it, which owes it then. The subject is the question. Who
    must learn nothing of the report learns nothing of what is owed for it (AZ-8).
    """

    wire_name: ClassVar[str] = "unresolved.report_unresolved"
    shields: ClassVar[bool] = True
    report_id: UUID | None = Field(default=None, description="The report.")
    asked_id: UUID | None = Field(
        default=None,
        description="The police in charge of the report, if no office of the place may know of it.",
    )


class HandoverOwed(_Asked):
    """Whoever keeps a file owes that it is handed over, or the word that it stays. The subject is
    the question.
    """

    wire_name: ClassVar[str] = "unresolved.handover_owed"


class UnresolvedSettled(Event):
    """A question is settled, in whatever way. The subject is the question."""

    wire_name: ClassVar[str] = "unresolved.settled"
    shields: ClassVar[bool] = False
    subject: ClassVar[str] = "unresolved"
    outcome: Annotated[UnresolvedState, CODE] = Field(description="How: a code.")


class HandoverAsked(Event):
    """Two offices agree that a file of the one is the child of the other: whoever keeps the file is
    asked to hand it over. The subject is the child.
    """

    wire_name: ClassVar[str] = "unresolved.handover_asked"
    shields: ClassVar[bool] = False
    subject: ClassVar[str] = "child"
    unresolved_id: UUID = Field(description="The question the two offices answered.")
