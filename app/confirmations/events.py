"""What a confirmation announces."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import ROLE, Event


class FileConfirmed(Event):
    """Somebody confirmed that a child's file says how it is (REG-03)."""

    wire_name: ClassVar[str] = "confirmations.file_confirmed"
    subject: ClassVar[str] = "confirmation"

    child_id: UUID = Field(description="The child.")
    confirmed_on: date = Field(description="The day.")
    as_role: Annotated[str | None, ROLE] = Field(
        default=None, description="In what role whoever confirmed it did so."
    )
