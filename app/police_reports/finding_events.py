"""What somebody found and has to report to the police, or no more (REP-01)."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.events import Event


class _AboutFinding(Event):
    subject: ClassVar[str] = "visit"
    child_id: UUID = Field(description="The child visited.")


class ReportOwed(_AboutFinding):
    """An agency found what it must report to the police, and has not (REP-01). The subject is the
    visit that found it, or the change of a file or the answer that says it. Told to that agency
    alone.
    """

    wire_name: ClassVar[str] = "police_reports.report_owed"
    shields: ClassVar[bool] = False
    agency_id: UUID = Field(description="The agency that found it.")
    report_id: UUID | None = Field(
        description="The report after which that is so: it is not of this child, or not of this."
    )
    in_confidence: bool = Field(
        default=False, description="Whether nobody but that agency may know that it found it."
    )
    found: list[Code] = Field(
        default=[], max_length=14, description="What it found: codes of `report_situations`."
    )
    made: bool = Field(default=False, description="False.")


class ReportMade(_AboutFinding):
    """The agency reported all of it. Told to nobody: who hears of a report is told of that."""

    wire_name: ClassVar[str] = "police_reports.report_made"
    shields: ClassVar[bool] = False
    report_id: UUID = Field(description="The report.")
    made: bool = Field(default=True, description="True.")


class ReportNotOwed(_AboutFinding):
    """The visit found nothing that its agency must report, or is none of this child."""

    wire_name: ClassVar[str] = "police_reports.report_not_owed"
    shields: ClassVar[bool] = False
