"""What a confirmation announces."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.events import ROLE, Event


class FileConfirmed(Event):
    """Somebody confirmed that a child's file says how it is, or said that it does not (REG-03)."""

    wire_name: ClassVar[str] = "confirmations.file_confirmed"
    subject: ClassVar[str] = "confirmation"

    child_id: UUID = Field(description="The child.")
    confirmed_on: date = Field(description="The day.")
    as_it_is: bool = Field(default=True, description="Whether the file says how it is.")
    on_paper: bool = Field(
        default=False, description="Whether it is said that a file on paper says the same."
    )
    as_role: Annotated[Code | None, ROLE] = Field(
        default=None, description="In what role whoever confirmed it did so."
    )


class _AboutChange(Event):
    subject: ClassVar[str] = "confirmation"

    child_id: UUID = Field(description="The child.")


class ChangeFound(_AboutChange):
    """Somebody found that the family, the guardian, school or another part of a file is otherwise
    by now, and did not enter it (REG-11). The subject is the confirmation that says so. Said again
    if it was not entered after all.
    """

    wire_name: ClassVar[str] = "confirmations.change_found"


class ConfirmationReplaced(_AboutChange):
    """Another of the same agency took the place of a confirmation: what it said is said no more.
    The subject is the one replaced.
    """

    wire_name: ClassVar[str] = "confirmations.confirmation_replaced"

    confirmed_on: date = Field(description="The day the one replaced was about.")


class ChangeEntered(_AboutChange):
    """All of what was found otherwise was changed in the file since, and confirmed by whoever
    writes it. The subject is the confirmation that found it.
    """

    wire_name: ClassVar[str] = "confirmations.change_entered"
