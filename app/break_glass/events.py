"""What is announced of a file opened in an emergency. Ids, codes and times only."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.break_glass.models import Propriety
from app.core.jobs.bodies import Code
from app.core.jobs.events import CODE, Event


class _AboutBreakGlass(Event):
    subject: ClassVar[str] = "break_glass"
    child_id: UUID = Field(description="The child.")
    by_agency_id: UUID = Field(description="The agency whose person opened the file.")
    by_role: Code = Field(description="In what role: a code.")
    known_to: tuple[UUID, ...] = Field(
        max_length=1, description="That agency, told wherever the child lives."
    )


class BreakGlassOpened(_AboutBreakGlass):
    """A child's file was opened in an emergency: to whom looks after the child, and who supervises.
    The subject is the opening.
    """

    wire_name: ClassVar[str] = "break_glass.opened"
    ends_at: datetime = Field(description="Until when it is open.")
    stored_alone: bool = Field(
        description="Whether its file may only be stored (个人信息保护法 47)."
    )


class BreakGlassEnded(_AboutBreakGlass):
    """The file is not open any more."""

    wire_name: ClassVar[str] = "break_glass.ended"


class BreakGlassReviewed(_AboutBreakGlass):
    """Another person said whether it was proper."""

    wire_name: ClassVar[str] = "break_glass.reviewed"
    verdict: Annotated[Propriety, CODE] = Field(description="`proper`, or `misuse`: a code.")
