"""What a visit announces. Codes only: what was written stays behind the API."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import Event


class _AboutVisit(Event):
    child_id: UUID = Field(description="The child visited.")
    visited_on: date = Field(description="Day of the visit.")
    visitor_type: str = Field(max_length=40, description="Who visited: a code.")
    channel: str = Field(max_length=40, description="`in_person`, `phone` or `video`.")
    abnormal: bool = Field(description="Whether anything abnormal was found.")


class VisitRecorded(_AboutVisit):
    """A child was visited. The subject is the visit."""

    wire_name: ClassVar[str] = "visits.visit_recorded"


class VisitCorrected(_AboutVisit):
    """A visit was corrected; this is what it says now."""

    wire_name: ClassVar[str] = "visits.visit_corrected"


class AbnormalFinding(Event):
    """A visit found something abnormal (VIS-03). The subject is the visit."""

    wire_name: ClassVar[str] = "visits.abnormal_finding"

    child_id: UUID = Field(description="The child visited.")
    visited_on: date = Field(description="Day of the visit.")
    types: list[str] = Field(max_length=40, description="Kinds of abnormality: codes.")
    refer_to: list[str] = Field(
        max_length=20, description="Kinds of agency the visitor asks to act (VIS-08)."
    )
