"""What the chain from absence to return announces: ids and codes only."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.events import Event


class _AboutAlert(Event):
    subject: ClassVar[str] = "alert"
    child_id: UUID = Field(description="The child.")
    school_id: UUID = Field(description="The school that keeps the alert.")
    known_to: tuple[UUID, ...] = Field(
        default=(),
        max_length=100,
        description="The schools that keep and kept it, and the education authorities of their"
        " counties: told wherever the child lives.",
    )


def about(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every event says of the alert in a row of `dropout_alerts`."""
    return {
        "subject_id": alert["id"],
        "region_code": alert["opened_in"],
        "home_county": alert["home_county"],
        "child_id": alert["child_id"],
        "school_id": alert["school_id"],
        "known_to": alert["known_to"],
    }


class AlertOpened(_AboutAlert):
    """A child missed school without leave long enough to look after it (EDU-01)."""

    wire_name: ClassVar[str] = "dropout_alerts.alert_opened"
    unexcused_days: int = Field(ge=1, le=10_000, description="School days missed without leave.")


class ChildRegistered(_AboutAlert):
    """The child entered the dropout register (EDU-02)."""

    wire_name: ClassVar[str] = "dropout_alerts.child_registered"


class RegisterEntered(_AboutAlert):
    """The school said why the child stays away and where it is (EDU-02)."""

    wire_name: ClassVar[str] = "dropout_alerts.register_entered"


class ParentsSpokenTo(_AboutAlert):
    """The school spoke to the parents or whoever looks after the child of why it is away (EDU-01),
    by itself or in trying to have the child back.
    """

    wire_name: ClassVar[str] = "dropout_alerts.parents_spoken_to"
    spoken_on: date = Field(description="The day.")


class PersuasionRecorded(_AboutAlert):
    """The school tried to have the child back (EDU-03), whatever came of it."""

    wire_name: ClassVar[str] = "dropout_alerts.persuasion_recorded"
    persuaded_on: date = Field(description="The day.")


class PersuasionFailed(_AboutAlert):
    """The school could not persuade the child to return (EDU-03)."""

    wire_name: ClassVar[str] = "dropout_alerts.persuasion_failed"


class WrittenReportOwed(_AboutAlert):
    """Where the school is, it writes as soon as it finds the absence (EDU-06)."""

    wire_name: ClassVar[str] = "dropout_alerts.written_report_owed"


class WrittenReportNotOwed(_AboutAlert):
    """The school that keeps it now first persuades (EDU-04)."""

    wire_name: ClassVar[str] = "dropout_alerts.written_report_not_owed"


class WrittenReportSent(_AboutAlert):
    """Education and township were written to (EDU-04, EDU-05)."""

    wire_name: ClassVar[str] = "dropout_alerts.written_report_sent"
    addressees: tuple[UUID, ...] = Field(
        max_length=10, description="The agencies that must confirm to have it."
    )


class WrittenReportAddressed(_AboutAlert):
    """The child is at a school, or lives, elsewhere now: what was written goes to those there too.

    Those who have the report already keep it, and what they owe.
    """

    wire_name: ClassVar[str] = "dropout_alerts.written_report_addressed"
    addressees: tuple[UUID, ...] = Field(
        max_length=10, description="The agencies that must confirm to have it as well."
    )


class WrittenReportReceived(_AboutAlert):
    """One of the addressees confirmed to have the written report."""

    wire_name: ClassVar[str] = "dropout_alerts.written_report_received"
    agency_id: UUID = Field(description="The addressee.")
    all_received: bool = Field(description="True if every addressee has confirmed.")


class MeasureOrdered(_AboutAlert):
    """Education or township acted to bring the child back (EDU-07)."""

    wire_name: ClassVar[str] = "dropout_alerts.measure_ordered"
    agency_id: UUID = Field(description="Who acted.")


class _AboutReceipt(Event):
    subject: ClassVar[str] = "receipt"
    child_id: UUID = Field(description="The child.")
    alert_id: UUID = Field(description="The alert.")
    agency_id: UUID = Field(description="The addressee of the written report.")


class AnswerOwed(_AboutReceipt):
    """An addressee has a written report to answer by what it does (EDU-07). The subject is the
    receipt, one for each addressee.
    """

    wire_name: ClassVar[str] = "dropout_alerts.answer_owed"


class AnswerOwedAgain(_AboutReceipt):
    """The alert goes on that had ended: the addressee owes what it did not do (EDU-07)."""

    wire_name: ClassVar[str] = "dropout_alerts.answer_owed_again"


class AnswerGiven(_AboutReceipt):
    """That addressee acted to bring the child back, and its orders say all (EDU-07)."""

    wire_name: ClassVar[str] = "dropout_alerts.answer_given"


class AnswerNotOwed(_AboutReceipt):
    """The child is back, or was not away: no addressee owes anything any more."""

    wire_name: ClassVar[str] = "dropout_alerts.answer_not_owed"


class _AboutOrder(Event):
    subject: ClassVar[str] = "measure"
    child_id: UUID = Field(description="The child.")
    alert_id: UUID = Field(description="The alert.")
    agency_id: UUID = Field(description="Who ordered it.")


class BackOrdered(_AboutOrder):
    """The child must be back at school by a day, as an office ordered, and is not yet (EDU-07)."""

    wire_name: ClassVar[str] = "dropout_alerts.back_ordered"
    due_at: datetime = Field(description="The end of that day.")
    back: bool = Field(default=False, description="False.")


class BackAsOrdered(_AboutOrder):
    """The child is back at school, in time or late (EDU-07)."""

    wire_name: ClassVar[str] = "dropout_alerts.back_as_ordered"
    back: bool = Field(default=True, description="True.")


class OrderVoid(_AboutOrder):
    """It was no absence without leave after all: nobody must be back."""

    wire_name: ClassVar[str] = "dropout_alerts.order_void"


class ChildReturned(_AboutAlert):
    """The child is back at school."""

    wire_name: ClassVar[str] = "dropout_alerts.child_returned"


class AlertClosed(_AboutAlert):
    """It was no absence without leave after all."""

    wire_name: ClassVar[str] = "dropout_alerts.alert_closed"
    reason: Code = Field(description="Why: `excused`, or `struck_off` by a named person.")


class AlertAmended(_AboutAlert):
    """Absences of a written report were excused or withdrawn afterwards (I6)."""

    wire_name: ClassVar[str] = "dropout_alerts.alert_amended"
    unexcused_days: int = Field(
        ge=0, le=10_000, description="School days missed without leave that remain."
    )


class AlertReopened(_AboutAlert):
    """What had ended it by itself was taken back, or the child was found elsewhere on the day of
    its recorded return: the absence goes on, and so does the alert.
    """

    wire_name: ClassVar[str] = "dropout_alerts.alert_reopened"


class AlertHandedOver(_AboutAlert):
    """The child is enrolled at another school, which keeps the alert from now on, as it stands."""

    wire_name: ClassVar[str] = "dropout_alerts.alert_handed_over"
    from_school_id: UUID = Field(description="The school that kept it until now.")


class AlertDoubted(_AboutAlert):
    """What is known now would not have registered the child, or opened the alert: a named person
    must decide.
    """

    wire_name: ClassVar[str] = "dropout_alerts.alert_doubted"
    unexcused_days: int = Field(
        ge=0, le=10_000, description="School days missed without leave that remain."
    )


class DoubtSettled(_AboutAlert):
    """A named person looked at a doubt."""

    wire_name: ClassVar[str] = "dropout_alerts.doubt_settled"
    decision: Code = Field(description="`stands` or `struck_off`.")
