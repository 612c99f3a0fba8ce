"""What the ledger of duties announces."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import Event


class DutyOverdue(Event):
    """A duty was not discharged in time. The subject is the duty."""

    wire_name: ClassVar[str] = "duties.duty_overdue"
    subject: ClassVar[str] = "duty"
    rule: str = Field(max_length=40, description="The rule, named by its obligation.")
    child_id: UUID | None = Field(description="The child concerned, if it is known.")
    bearer_role: str = Field(max_length=40, description="Role that owes it.")
    agency_id: UUID | None = Field(description="Agency that owes it, if it is one.")
    escalates_to: list[str] = Field(max_length=10, description="Roles to be told.")
    due_at: datetime = Field(description="When it was due.")
    known_to: tuple[UUID, ...] = Field(
        default=(),
        max_length=1,
        description="The office that looks after the agency that owes it: told wherever the child"
        " lives.",
    )
