"""From absence to return to school: one open alert per child, and what was done about it."""

from datetime import date, datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, Uuid, text
from sqlmodel import Field

from app.attendance.models import CONTRADICTED
from app.children.below import BelowChild, below_child
from app.core.data import retention, rls, sealed
from app.core.data.columns import Instant, one_of
from app.core.ids import new_id
from app.webhooks.models import keep_while

State = Literal[
    "absent",
    "registered",
    "persuading",
    "persuasion_failed",
    "written_report_sent",
    "measures",
    "returned",
    "closed",
]
"""Where an alert stands.

`absent`: days missed without leave reached the first threshold (EDU-01); `registered`: entered in
the dropout register (EDU-02); `persuading`: at least one attempt is recorded (EDU-03);
`persuasion_failed`: the school has given up; `written_report_sent`: education and township have
been written to (EDU-04, EDU-05); `measures`: one of them has acted (EDU-07); `returned`: the child
is back; `closed`: it was no absence without leave after all.
"""

DONE: Final = ("returned", "closed")
CloseReason = Literal["attended", "recorded", "excused", "struck_off", "continued"]
Doubt = Literal["fewer_days"]
"""Why a person must look at an alert: `fewer_days`, what is known now would not have registered the
child, or opened the alert: days were taken back, and nobody gave leave for them.
"""
StepKind = Literal[
    "handed_over", "doubted", "doubt_settled", "reopened", "continued", "entered", "spoken"
]
Decision = Literal["stands", "struck_off"]
"""What a person decided about a doubt."""
By = Literal["class_teacher", "teacher", "school_leader", "village_cadre", "relative", "other"]
Method = Literal["home_visit", "phone", "message", "meeting", "other"]
Outcome = Literal["returned", "promised", "refused", "unreachable"]
Cause = Literal[
    "poverty", "illness", "tired_of_school", "working", "family_care", "conflict", "moved", "other"
]
Whereabouts = Literal["at_home", "with_relatives", "working_away", "with_parents", "unknown"]
Addressee = Literal["education", "township_government"]
MeasureKind = Literal[
    "home_visit", "talk_with_guardian", "order_to_guardian", "aid", "legal_action", "other"
]
OrderField = Literal["order_number", "back_by"]
"""What an order says: the number of its paper, and by which day the child is back."""
ReturnKind = Literal["same_school", "other_school", "vocational_school", "home_teaching"]


# Whoever keeps or kept an alert, or was written to, sees it wherever the child is by now.
_KNOWN: Final = (rls.own("school_id"), f"{rls.AGENCY} = ANY (known_to)")
_OWN: Final = (*_KNOWN, f"{rls.AGENCY} = ANY (addressed)")


def _agencies() -> Any:
    return Field(
        default_factory=list, sa_type=ARRAY(Uuid), sa_column_kwargs={"server_default": "{}"}
    )


class _Kept(BelowChild):
    """`school_id` is the school that keeps the alert, `addressed` the agencies written to.
    `known_to`: the schools that keep and kept it, and the education authorities of their counties.
    """

    school_id: UUID
    addressed: list[UUID] = _agencies()
    known_to: list[UUID] = _agencies()


def _below_alert(table: str, *more: Any) -> tuple[Any, ...]:
    return below_child(
        table,
        *more,
        Index(f"ix_{table}_child_id", "child_id"),
        under=("dropout_alerts", "alert_id"),
        privileges="SELECT, INSERT, UPDATE (school_id, addressed, known_to)",
        also=_OWN,
    )


_NARROWED_BY: Final = ("state", "cause", "whereabouts")
"""What lists are narrowed by: for who sees many and asks for few of them."""


class DropoutAlert(_Kept, table=True):
    """One child away from school. `opened_in`: where the child lived when the alert opened.
    `handed_over_by`: the school that kept it before, if the child changed school meanwhile.
    `back_since`: a school says the child is there again, which takes nobody out of the register.
    `cause`, `whereabouts`: what the register says of why and where (EDU-02), the last word of it.
    """

    __tablename__ = "dropout_alerts"
    __table_args__: Any = below_child(
        "dropout_alerts",
        one_of("state", get_args(State)),
        one_of("doubt", get_args(Doubt)),
        one_of("cause", get_args(Cause)),
        one_of("whereabouts", get_args(Whereabouts)),
        CheckConstraint(f"(state IN {DONE}) = (ended_on IS NOT NULL)", name="ended"),
        CheckConstraint("(state = 'returned') = (returned_on IS NOT NULL)", name="returned"),
        Index(
            "uq_dropout_alerts_open",
            "home_county",
            "child_id",
            unique=True,
            postgresql_where=text(f"state NOT IN {DONE}"),
        ),
        Index("ix_dropout_alerts_open", "id", postgresql_where=text(f"state NOT IN {DONE}")),
        Index("ix_dropout_alerts_school_id_id", "school_id", "id"),
        Index("ix_dropout_alerts_pupil_of_id", "pupil_of", "id"),
        Index("ix_dropout_alerts_region_code_id", "region_code", "id"),
        Index("ix_dropout_alerts_handed_over_by_id", "handed_over_by", "id"),
        Index("ix_dropout_alerts_child_id", "child_id"),
        Index("ix_dropout_alerts_opened_in", "opened_in"),
        *(Index(f"ix_dropout_alerts_{each}_id", each, "id") for each in _NARROWED_BY),
        privileges="SELECT, INSERT, UPDATE",
        also=_OWN,
    )

    id: UUID = Field(default_factory=new_id)
    school_id: UUID = Field(foreign_key="agencies.id")
    opened_in: int = Field(sa_type=BigInteger)
    state: str
    opened_on: date
    first_absent_day: date
    last_absent_day: date
    unexcused_days: int
    registered_on: date | None = None
    ended_on: date | None = None
    end_reason: str | None = None
    returned_on: date | None = None
    stated_on: date | None = None
    return_kind: str | None = None
    handed_over_by: UUID | None = None
    doubt: str | None = None
    back_since: date | None = None
    cause: str | None = None
    whereabouts: str | None = None
    version: int = 1
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class Persuasion(_Kept, table=True):
    """One attempt of the school to bring the child back (EDU-03). The note is encrypted."""

    __tablename__ = "dropout_persuasions"
    __table_args__: Any = _below_alert(
        "dropout_persuasions",
        one_of("by", get_args(By)),
        one_of("method", get_args(Method)),
        one_of("outcome", get_args(Outcome)),
        Index("ix_dropout_persuasions_alert_id", "alert_id"),
    )

    id: UUID = Field(default_factory=new_id)
    alert_id: UUID
    persuaded_on: date
    stated_on: date | None = None
    by: str
    method: str
    outcome: str
    final: bool
    note_sealed: bytes | None = None
    recorded_by: str
    recorded_at: datetime = Field(sa_type=Instant)


class WrittenReport(_Kept, table=True):
    """The school's report to education and township (EDU-04, EDU-05); once per alert."""

    __tablename__ = "dropout_written_reports"
    __table_args__: Any = _below_alert(
        "dropout_written_reports",
        one_of("cause", get_args(Cause)),
        one_of("whereabouts", get_args(Whereabouts)),
        Index("uq_dropout_written_reports_alert_id", "alert_id", "home_county", unique=True),
    )

    id: UUID = Field(default_factory=new_id)
    alert_id: UUID
    number: str
    cause: str
    whereabouts: str
    summary_sealed: bytes | None = None
    sent_by: str
    sent_at: datetime = Field(sa_type=Instant)


class ReportReceipt(BelowChild, table=True):
    """One addressee of a written report, and when it confirmed to have it. Visible to that
    addressee and to whom the alert is known, whoever else was written to.
    """

    __tablename__ = "dropout_report_receipts"
    __table_args__: Any = below_child(
        "dropout_report_receipts",
        one_of("kind", get_args(Addressee)),
        Index(
            "uq_dropout_report_receipts_alert_agency",
            "alert_id",
            "agency_id",
            "home_county",
            unique=True,
        ),
        Index("ix_dropout_report_receipts_child_id", "child_id"),
        Index("ix_dropout_report_receipts_agency_id_alert_id", "agency_id", "alert_id"),
        under=("dropout_alerts", "alert_id"),
        privileges="SELECT, INSERT, UPDATE",
        also=(rls.own("agency_id"), *_KNOWN),
    )

    id: UUID = Field(default_factory=new_id)
    alert_id: UUID
    school_id: UUID
    known_to: list[UUID] = _agencies()
    agency_id: UUID = Field(foreign_key="agencies.id")
    kind: str
    received_at: datetime | None = Field(default=None, sa_type=Instant)
    received_by: str | None = None


class Measure(_Kept, table=True):
    """What education or township did to bring the child back (EDU-07). `back_by`: until when the
    child must be at school, as a paper says that has `order_number`. The note is encrypted.
    """

    __tablename__ = "dropout_measures"
    __table_args__: Any = _below_alert(
        "dropout_measures",
        one_of("kind", get_args(MeasureKind)),
        Index("ix_dropout_measures_alert_id", "alert_id"),
    )

    id: UUID = Field(default_factory=new_id)
    alert_id: UUID
    agency_id: UUID = Field(foreign_key="agencies.id")
    kind: str
    ordered_on: date
    stated_on: date | None = None
    order_number: str | None = None
    back_by: date | None = None
    note_sealed: bytes | None = None
    ordered_by: str
    recorded_at: datetime = Field(sa_type=Instant)


class AlertStep(_Kept, table=True):
    """What happened to an alert besides: it was handed over, doubted, the doubt settled; reopened,
    as what had ended it was taken back; another alert went on with its days; the school entered in
    the register why the child stays away and where it is; or spoke to the parents, on a day.

    `taken_by`: the subject of the caller, or `system`. The note is encrypted.
    """

    __tablename__ = "dropout_alert_steps"
    __table_args__: Any = _below_alert(
        "dropout_alert_steps",
        one_of("kind", get_args(StepKind)),
        one_of("decision", get_args(Decision)),
        one_of("cause", get_args(Cause)),
        one_of("whereabouts", get_args(Whereabouts)),
        one_of("method", get_args(Method)),
        Index("ix_dropout_alert_steps_alert_id", "alert_id"),
    )

    id: UUID = Field(default_factory=new_id)
    alert_id: UUID
    kind: str
    from_school_id: UUID | None = None
    to_school_id: UUID | None = None
    unexcused_days: int | None = None
    decision: str | None = None
    cause: str | None = None
    whereabouts: str | None = None
    spoken_on: date | None = None
    stated_on: date | None = None
    method: str | None = None
    note_sealed: bytes | None = None
    taken_by: str
    taken_at: datetime = Field(sa_type=Instant)


_OPEN: Final = f"EXISTS (SELECT FROM dropout_alerts a WHERE a.state NOT IN {DONE} AND {{}})"
retention.unless(
    "events",
    "an alert it is about, or of a child it names, is open",
    " OR ".join(
        _OPEN.format(about)
        for about in (
            "a.id = k.subject_id",
            "a.child_id IN (k.subject_id, (k.data ->> 'child_id')::uuid)",
        )
    ),
)
retention.unless(
    "attendance_contradictions",
    "an alert of the child is open",
    _OPEN.format(f"a.child_id = ANY (ARRAY({CONTRADICTED}))"),
)
keep_while("the alert it tells of is open", _OPEN.format("a.id = {}"))
for _table in (
    "dropout_alert_steps",
    "dropout_measures",
    "dropout_persuasions",
    "dropout_written_reports",
):
    retention.for_ever(_table, "the register of who left school, and what was done (EDU-02)")
for _table, _column in (
    ("dropout_persuasions", "note_sealed"),
    ("dropout_written_reports", "summary_sealed"),
    ("dropout_measures", "note_sealed"),
    ("dropout_alert_steps", "note_sealed"),
):
    sealed.below_child(_table, sealed.named(_table, _column))
