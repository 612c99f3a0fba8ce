"""What the ledger of duties announces."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.case_codes import PLAIN
from app.core.jobs.events import Event
from app.duties.area import RuleName


class _Late(Event):
    subject: ClassVar[str] = "duty"
    rule: RuleName = Field(description="The rule, named by its obligation.")
    child_id: UUID | None = Field(description="The child concerned, if it is known.")
    bearer_role: Code = Field(description="Role that owes it.")
    agency_id: UUID | None = Field(description="Agency that owes it, if it is one.")
    escalates_to: Annotated[list[Code], PLAIN] = Field(
        max_length=10, description="Roles to be told."
    )
    due_at: datetime = Field(description="When it was due.")
    known_to: tuple[UUID, ...] = Field(
        default=(),
        max_length=1,
        description="The office that looks after the agency that owes it: told wherever the child"
        " lives.",
    )


class DutyOverdue(_Late):
    """A duty was not discharged in time. The subject is the duty."""

    wire_name: ClassVar[str] = "duties.duty_overdue"


class DutyEscalated(_Late):
    """A duty is still not discharged: others are told. The subject is the duty."""

    wire_name: ClassVar[str] = "duties.duty_escalated"
    step: int = Field(ge=2, le=10, description="Which telling this is; the first was at once.")


class _Waived(Event):
    subject: ClassVar[str] = "duty"
    rule: RuleName = Field(description="The rule, named by its obligation.")
    child_id: UUID | None = Field(description="The child concerned, if it is known.")
    bearer_role: Code = Field(description="Role that owes or owed it.")
    agency_id: UUID | None = Field(description="Agency that owes or owed it, if it is one.")


class DutyWaiverProposed(_Waived):
    """Somebody would have a duty not done: a second person must agree. The subject is the duty."""

    wire_name: ClassVar[str] = "duties.waiver_proposed"


class DutyWaiverWithdrawn(_Waived):
    """What somebody would have waived is owed as before: taken back, or refused. The subject is the
    duty.
    """

    wire_name: ClassVar[str] = "duties.waiver_withdrawn"


class DutyWaived(_Waived):
    """A second person agreed that a duty need not be done. The subject is the duty."""

    wire_name: ClassVar[str] = "duties.duty_waived"


class DutyChangedHands(Event):
    """Somebody else owes a duty now: the post whose it is is empty, or is filled again. The subject
    is the duty.
    """

    wire_name: ClassVar[str] = "duties.duty_changed_hands"
    subject: ClassVar[str] = "duty"
    rule: RuleName = Field(description="The rule, named by its obligation.")
    child_id: UUID | None = Field(description="The child concerned, if it is known.")
    bearer_role: Code = Field(description="Role that owes it now.")
    agency_id: UUID | None = Field(description="Agency that owes it now, if it is one.")
    stands_in_for: Code | None = Field(
        description="Role whose post is empty; null: it is whose it was before."
    )
