"""What is announced of how much somebody reads. Ids, codes and times only."""

from datetime import date
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import Field

from app.access.roles import Purpose
from app.core.jobs.events import CODE, Event

NAMED: Final = "audit.reading_budget_crossed"
"""Told to whoever reads the audit."""


class ReadingBudgetCrossed(Event):
    """A caller was shown more children, or asked for more from elsewhere, for one purpose on one
    day than is usual. Told to its agency and who supervises the place. The subject is the alarm.
    """

    wire_name: ClassVar[str] = NAMED
    subject: ClassVar[str] = "reading_alarm"
    by_agency_id: UUID = Field(description="The agency of the caller.")
    by_role: str = Field(max_length=40, description="In what role: a code.")
    purpose: Annotated[Purpose, CODE] = Field(description="For what purpose: a code.")
    day: date = Field(description="On what day, in China.")
    mark: Annotated[Literal["alarm", "refuse"], CODE] = Field(
        description="Which mark was crossed: from `refuse` on no more is shown that day."
    )
    known_to: tuple[UUID, ...] = Field(
        max_length=1, description="The agency of the caller, told wherever it is."
    )
