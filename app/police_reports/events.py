"""What happens to a report, told to its parties alone: ids and codes, never a person.

`subject_id` is the report; `told_to` always names the parties, so that neither the agency a report
speaks against nor another office of the region learns of it (AZ-8).
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import Event


class ReportFiled(Event):
    """Somebody reported to the police (REP-01). Who and what is fetched by the parties."""

    wire_name: ClassVar[str] = "police_reports.report_filed"
    subject: ClassVar[str] = "report"

    report_id: UUID = Field(description="The report.")
    fetch: str = Field(
        max_length=60,
        pattern=r"^/v1/police-reports/[0-9a-f-]{36}$",
        description="Path to read the report at, with your own token.",
    )
    supersedes: UUID | None = Field(description="The report this one corrects.")
    police_agency_id: UUID | None = Field(
        description="The police agency in charge; null while none is registered for the place."
    )
    urgency: Literal["immediate", "urgent", "standard"] = Field(
        description="How fast the police must act."
    )
    acknowledge_due_at: datetime = Field(description="When the police must have accepted it.")


class ReportUnrouted(Event):
    """No police endpoint takes the report: a person must reach the police otherwise."""

    wire_name: ClassVar[str] = "police_reports.report_unrouted"
    subject: ClassVar[str] = "report"

    reason: Literal["no_agency", "no_endpoint"] = Field(
        description="No police agency is registered for the place, or it has no endpoint."
    )


class ReportDelivered(Event):
    """The system of the police has taken it."""

    wire_name: ClassVar[str] = "police_reports.report_delivered"
    subject: ClassVar[str] = "report"


class ReportAcknowledged(Event):
    """The police accepted it and gave it a reference (REP-07)."""

    wire_name: ClassVar[str] = "police_reports.report_acknowledged"
    subject: ClassVar[str] = "report"


class ReportForwarded(Event):
    """Another police agency is in charge now (高检发〔2020〕9号 Art. 8).

    Also said when a report that no agency was registered for has found one.
    """

    wire_name: ClassVar[str] = "police_reports.report_forwarded"
    subject: ClassVar[str] = "report"

    police_agency_id: UUID = Field(description="The police agency in charge now.")


class ReportDispatched(Event):
    """Officers went out (REP-07)."""

    wire_name: ClassVar[str] = "police_reports.report_dispatched"
    subject: ClassVar[str] = "report"


class ReportDisposed(Event):
    """The police took measures (REP-08…13); what they are stays behind the API."""

    wire_name: ClassVar[str] = "police_reports.report_disposed"
    subject: ClassVar[str] = "report"

    police_agency_id: UUID = Field(description="The police agency that must tell the township.")


class TownshipNotified(Event):
    """The police told the township (REP-14)."""

    wire_name: ClassVar[str] = "police_reports.township_notified"
    subject: ClassVar[str] = "report"

    township_agency_id: UUID | None = Field(description="Who was told; null if none is registered.")


class TownshipNoticeReceived(Event):
    """The township confirmed the notice (REP-14)."""

    wire_name: ClassVar[str] = "police_reports.township_notice_received"
    subject: ClassVar[str] = "report"


class AssessmentRecorded(Event):
    """The township assessed the child (REP-15)."""

    wire_name: ClassVar[str] = "police_reports.assessment_recorded"
    subject: ClassVar[str] = "report"


class ServicesArranged(Event):
    """The township arranged services for the child (REP-16, REP-17)."""

    wire_name: ClassVar[str] = "police_reports.services_arranged"
    subject: ClassVar[str] = "report"


class ReportClosed(Event):
    """Nothing more is to be done."""

    wire_name: ClassVar[str] = "police_reports.report_closed"
    subject: ClassVar[str] = "report"


class ReportSuperseded(Event):
    """A corrected report took its place; this one stays as it was."""

    wire_name: ClassVar[str] = "police_reports.report_superseded"
    subject: ClassVar[str] = "report"

    superseded_by: UUID = Field(description="The report that took its place.")


class AcknowledgementOverdue(Event):
    """The police have not accepted it in time (REP-07, `report.acknowledge_within_minutes`)."""

    wire_name: ClassVar[str] = "police_reports.acknowledgement_overdue"
    subject: ClassVar[str] = "report"


class DeliveryOverdue(Event):
    """It has not reached the police's system in time (`report.deliver_alarm_minutes`)."""

    wire_name: ClassVar[str] = "police_reports.delivery_overdue"
    subject: ClassVar[str] = "report"
