"""What happens to a report, told to its parties alone: ids and codes, never a person.

`subject_id` is the report; `told_to` always names the parties (of them who reported for
`ReportFiled` and `ResultTold` alone), so that neither the agency a report
speaks against nor another office of the region learns of it (AZ-8).
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.events import Event


class AboutReport(Event):
    subject: ClassVar[str] = "report"


class ReportFiled(AboutReport):
    """Somebody reported to the police (REP-01). Who and what is fetched by the parties.

    Said again, to them alone, to the police a report is passed on to.
    """

    wire_name: ClassVar[str] = "police_reports.report_filed"
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
    dispatch_due_at: datetime | None = Field(
        default=None, description="When officers must have gone out."
    )


class ReportUnrouted(AboutReport):
    """No police endpoint takes the report: a person must reach the police otherwise."""

    wire_name: ClassVar[str] = "police_reports.report_unrouted"
    reason: Literal["no_agency", "no_endpoint"] = Field(
        description="No police agency is registered for the place, or it has no endpoint."
    )


class ReportDelivered(AboutReport):
    """The system of the police has taken it."""

    wire_name: ClassVar[str] = "police_reports.report_delivered"


class ReportAcknowledged(AboutReport):
    """The police accepted it and gave it a reference (REP-07)."""

    wire_name: ClassVar[str] = "police_reports.report_acknowledged"
    police_agency_id: UUID | None = Field(
        default=None, description="The police agency that must tell the township."
    )


class ReportForwarded(AboutReport):
    """Another police agency is in charge now (高检发〔2020〕9号 Art. 8).

    Also said when a report that no agency was registered for has found one.
    """

    wire_name: ClassVar[str] = "police_reports.report_forwarded"
    police_agency_id: UUID = Field(description="The police agency in charge now.")
    acknowledge_due_at: datetime = Field(description="When they must have accepted it.")
    dispatch_due_at: datetime | None = Field(
        default=None, description="When officers must have gone out."
    )


class ReportDispatched(AboutReport):
    """Officers went out (REP-07)."""

    wire_name: ClassVar[str] = "police_reports.report_dispatched"


class HelpAsked(AboutReport):
    """The police ask who reported for help (REP-07). Told to those alone."""

    wire_name: ClassVar[str] = "police_reports.help_asked"
    reporter_agency_id: UUID = Field(description="The agency that reported.")
    given: bool = Field(default=False, description="False.")


class HelpGiven(AboutReport):
    """Who reported helps the police (REP-07). Told to the police in charge alone."""

    wire_name: ClassVar[str] = "police_reports.help_given"
    given: bool = Field(default=True, description="True.")


class ReportDisposed(AboutReport):
    """The police took measures (REP-08…13); what they are stays behind the API."""

    wire_name: ClassVar[str] = "police_reports.report_disposed"
    police_agency_id: UUID = Field(description="The police agency that must tell the township.")


class ParticularsOwed(AboutReport):
    """Of what the police did something is still to be said: a paper, a day, how it ended
    (REP-08…13).
    """

    wire_name: ClassVar[str] = "police_reports.particulars_owed"
    police_agency_id: UUID | None = Field(description="The police agency in charge.")
    said: bool = Field(default=False, description="False.")


class ParticularsGiven(AboutReport):
    """Of what the police did all is said. Told to nobody: what was done is read."""

    wire_name: ClassVar[str] = "police_reports.particulars_given"
    said: bool = Field(default=True, description="True.")


class ToldLate(AboutReport):
    """Somebody who is not in charge of it told late what they did: nobody owes or is spared
    anything by that.
    """

    wire_name: ClassVar[str] = "police_reports.told_late"
    step: Literal["acknowledged", "dispatched", "disposed", "assessed"] = Field(
        description="What they did."
    )


class TownshipNotified(AboutReport):
    """The police told the township (REP-14)."""

    wire_name: ClassVar[str] = "police_reports.township_notified"
    township_agency_id: UUID | None = Field(description="Who was told; null if none is registered.")


class TownshipNoticeVoid(AboutReport):
    """The township that was told is none of the child's, or must learn nothing of the report: the
    police tell the right one (REP-14).
    """

    wire_name: ClassVar[str] = "police_reports.township_notice_void"
    police_agency_id: UUID | None = Field(
        default=None, description="The police agency in charge, if one is."
    )


class NoticeOwed(AboutReport):
    """The police took measures that they have not told the township of (REP-14)."""

    wire_name: ClassVar[str] = "police_reports.notice_owed"
    police_agency_id: UUID | None = Field(description="The police agency in charge.")
    told: bool = Field(default=False, description="False.")


class NoticeGiven(AboutReport):
    """The police told the township of all measures taken so far (REP-14). Told to nobody."""

    wire_name: ClassVar[str] = "police_reports.notice_given"
    told: bool = Field(default=True, description="True.")


class TownshipNoticeReceived(AboutReport):
    """The township confirmed the notice (REP-14)."""

    wire_name: ClassVar[str] = "police_reports.township_notice_received"


class AssessmentRecorded(AboutReport):
    """The township assessed the child (REP-15)."""

    wire_name: ClassVar[str] = "police_reports.assessment_recorded"


class AssessmentOwed(AboutReport):
    """The police told an office, which has to assess the child (REP-15)."""

    wire_name: ClassVar[str] = "police_reports.assessment_owed"
    township_agency_id: UUID = Field(description="The office.")
    given: bool = Field(default=False, description="False.")


class AssessmentGiven(AboutReport):
    """The child was assessed by an office of its place, or of its home (REP-15)."""

    wire_name: ClassVar[str] = "police_reports.assessment_given"
    given: bool = Field(default=True, description="Whether civil affairs and the police took part.")


class AssessmentNotOwed(AboutReport):
    """Nobody is told of it any more, it was replaced, or two people closed it unassessed."""

    wire_name: ClassVar[str] = "police_reports.assessment_not_owed"


class ServicesArranged(AboutReport):
    """The township arranged services for the child (REP-16, REP-17)."""

    wire_name: ClassVar[str] = "police_reports.services_arranged"


class ServicesOwed(AboutReport):
    """The child was not found well (REP-16). Told to the offices that protect it alone."""

    wire_name: ClassVar[str] = "police_reports.services_owed"
    assessor_agency_id: UUID | None = Field(description="Who assessed it, or is in charge since.")
    given: bool = Field(default=False, description="False.")


class ServicesGiven(AboutReport):
    """Since the assessment services were arranged, or it was said why none. Told to nobody."""

    wire_name: ClassVar[str] = "police_reports.services_given"
    given: bool = Field(default=True, description="True.")


class ServicesNotOwed(AboutReport):
    """The child is well, to be assessed anew, or the case is over. Told to nobody."""

    wire_name: ClassVar[str] = "police_reports.services_not_owed"


class ClosureProposed(AboutReport):
    """Somebody would close it unassessed or unanswered; a second person has to agree."""

    wire_name: ClassVar[str] = "police_reports.closure_proposed"


class ReportClosed(AboutReport):
    """Nothing more is to be done."""

    wire_name: ClassVar[str] = "police_reports.report_closed"


class ReportReopened(AboutReport):
    """A new fact came after it was closed: somebody has to act again."""

    wire_name: ClassVar[str] = "police_reports.report_reopened"
    police_agency_id: UUID | None = Field(
        default=None, description="The police agency in charge; null while there is none."
    )
    state: Code = Field(description="Where it stands now; what follows is owed.")


class ResultTold(AboutReport):
    """Told to who reported alone: what became of the report (未成年人保护法 Art. 11)."""

    wire_name: ClassVar[str] = "police_reports.result_told"
    result: Literal["accepted", "handled", "ended"] = Field(
        description="The police accepted it; all that was reported has its answer; it is closed."
    )
    outcome: Literal["child_safe", "long_term_care", "unfounded", "moved_away"] | None = Field(
        description="How it ended, once it has."
    )


class ChildIdentified(AboutReport):
    """The child of the report is known now: the offices of where it lives have a part in it."""

    wire_name: ClassVar[str] = "police_reports.child_identified"


class ChildDescribed(AboutReport):
    """Somebody said who the child is; the office of the place finds its file, or opens one."""

    wire_name: ClassVar[str] = "police_reports.child_described"


class IdentificationWithdrawn(AboutReport):
    """It is not about the child on whose file it hung: what was told of it was wrong. Told to all
    who were told, too.
    """

    wire_name: ClassVar[str] = "police_reports.identification_withdrawn"


class SuspectNamed(AboutReport):
    """It is clear now whom the words of the reporter mean: the offices of place and home that they
    do not mean have a part in it.
    """

    wire_name: ClassVar[str] = "police_reports.suspect_named"


class SuspectWithdrawn(AboutReport):
    """Whom the words of the reporter mean was wrong: it is open again, or a correction says it."""

    wire_name: ClassVar[str] = "police_reports.suspect_withdrawn"


class ChildMoved(AboutReport):
    """The child lives elsewhere now: the offices there have a part in it beside those before."""

    wire_name: ClassVar[str] = "police_reports.child_moved"


class ReportsJoined(AboutReport):
    """Several reports are about one event. Each keeps its own deadlines and its proof."""

    wire_name: ClassVar[str] = "police_reports.reports_joined"
    incident_id: UUID = Field(description="The event, by the id of one of its reports.")


class ReportSeparated(AboutReport):
    """It is not about the event it was joined with; told to who was told that it was."""

    wire_name: ClassVar[str] = "police_reports.report_separated"
    incident_id: UUID = Field(
        description="The event it does not belong to, by the id of one of its reports."
    )


class ReportSuperseded(AboutReport):
    """A corrected report took its place; this one stays as it was."""

    wire_name: ClassVar[str] = "police_reports.report_superseded"
    superseded_by: UUID = Field(description="The report that took its place.")


class ReportRelieved(AboutReport):
    """The report that took its place has reached the police: nothing is owed for this one."""

    wire_name: ClassVar[str] = "police_reports.report_relieved"


class AcknowledgementOverdue(AboutReport):
    """The police have not accepted it in time (REP-07, `report.acknowledge_within_minutes`)."""

    wire_name: ClassVar[str] = "police_reports.acknowledgement_overdue"


class DeliveryOverdue(AboutReport):
    """It has not reached the police's system in time (`report.deliver_alarm_minutes`)."""

    wire_name: ClassVar[str] = "police_reports.delivery_overdue"
