"""From absence to return to school: one open alert per child, and what was done about it."""

from datetime import date, datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.core.data import rls
from app.core.data.columns import Instant
from app.core.ids import new_id

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
CloseReason = Literal["attended", "recorded", "excused"]
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
ReturnKind = Literal["same_school", "other_school", "vocational_school", "home_teaching"]


def _one_of(column: str, values: Any) -> CheckConstraint:
    return CheckConstraint(f"{column} IN {get_args(values)}", name=column)


def _below_child(*more: Any) -> tuple[Any, ...]:
    child = ForeignKeyConstraint(
        ["home_county", "child_id"], ["children.home_county", "children.id"], name="child"
    )
    return (child, *more)


def _below_alert(*more: Any) -> tuple[Any, ...]:
    alert = ForeignKeyConstraint(
        ["home_county", "alert_id"],
        ["dropout_alerts.home_county", "dropout_alerts.id"],
        name="alert",
    )
    return _below_child(alert, *more)


class DropoutAlert(SQLModel, table=True):
    """One child away from school. `region_code`: where the child lived when the alert opened."""

    __tablename__ = "dropout_alerts"
    __table_args__: Any = _below_child(
        _one_of("state", State),
        CheckConstraint(f"(state IN {DONE}) = (ended_on IS NOT NULL)", name="ended"),
        CheckConstraint(
            "(state = 'returned') = (returned_on IS NOT NULL)",
            name="returned",
        ),
        Index("uq_dropout_alerts_home_county_id", "home_county", "id", unique=True),
        Index(
            "uq_dropout_alerts_open",
            "home_county",
            "child_id",
            unique=True,
            postgresql_where=text(f"state NOT IN {DONE}"),
        ),
        Index("ix_dropout_alerts_school_id_id", "school_id", "id"),
        Index("ix_dropout_alerts_child_id", "child_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    child_id: UUID
    region_code: int = Field(sa_type=BigInteger)
    school_id: UUID = Field(foreign_key="agencies.id")
    state: str
    opened_on: date
    first_absent_day: date
    last_absent_day: date
    unexcused_days: int
    registered_on: date | None = None
    ended_on: date | None = None
    end_reason: str | None = None
    returned_on: date | None = None
    return_kind: str | None = None
    version: int = 1
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class Persuasion(SQLModel, table=True):
    """One attempt of the school to bring the child back (EDU-03). The note is encrypted."""

    __tablename__ = "dropout_persuasions"
    __table_args__: Any = _below_alert(
        _one_of("by", By),
        _one_of("method", Method),
        _one_of("outcome", Outcome),
        Index("ix_dropout_persuasions_alert_id", "alert_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    child_id: UUID
    alert_id: UUID
    persuaded_on: date
    by: str
    method: str
    outcome: str
    final: bool
    note_sealed: bytes | None = None
    recorded_by: str
    recorded_at: datetime = Field(sa_type=Instant)


class WrittenReport(SQLModel, table=True):
    """The school's report to education and township (EDU-04, EDU-05); once per alert."""

    __tablename__ = "dropout_written_reports"
    __table_args__: Any = _below_alert(
        _one_of("cause", Cause),
        _one_of("whereabouts", Whereabouts),
        Index("uq_dropout_written_reports_alert_id", "home_county", "alert_id", unique=True),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    child_id: UUID
    alert_id: UUID
    number: str
    cause: str
    whereabouts: str
    summary_sealed: bytes | None = None
    sent_by: str
    sent_at: datetime = Field(sa_type=Instant)


class ReportReceipt(SQLModel, table=True):
    """One addressee of a written report, and when it confirmed to have it."""

    __tablename__ = "dropout_report_receipts"
    __table_args__: Any = _below_alert(
        _one_of("kind", Addressee),
        Index(
            "uq_dropout_report_receipts_alert_agency",
            "home_county",
            "alert_id",
            "agency_id",
            unique=True,
        ),
        Index("ix_dropout_report_receipts_agency_id_alert_id", "agency_id", "alert_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    child_id: UUID
    alert_id: UUID
    school_id: UUID
    agency_id: UUID = Field(foreign_key="agencies.id")
    kind: str
    received_at: datetime | None = Field(default=None, sa_type=Instant)
    received_by: str | None = None


class Measure(SQLModel, table=True):
    """What education or township did to bring the child back (EDU-07). The note is encrypted."""

    __tablename__ = "dropout_measures"
    __table_args__: Any = _below_alert(
        _one_of("kind", MeasureKind),
        Index("ix_dropout_measures_alert_id", "alert_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    child_id: UUID
    alert_id: UUID
    agency_id: UUID = Field(foreign_key="agencies.id")
    kind: str
    ordered_on: date
    note_sealed: bytes | None = None
    ordered_by: str
    recorded_at: datetime = Field(sa_type=Instant)


# Whoever was written to sees the alert even if the child lives outside its region; receipts do not
# look at alerts in turn, or the two policies would call each other without end.
rls.protect(
    "dropout_report_receipts",
    using=f"agency_id = {rls.AGENCY} OR school_id = {rls.AGENCY} OR "
    + rls.CHILD_VISIBLE.format(table="dropout_report_receipts"),
    privileges="SELECT, INSERT, UPDATE",
)
rls.protect(
    "dropout_alerts",
    using=f"school_id = {rls.AGENCY} OR "
    + rls.CHILD_VISIBLE.format(table="dropout_alerts")
    + " OR EXISTS (SELECT 1 FROM dropout_report_receipts r"
    f" WHERE r.agency_id = {rls.AGENCY} AND r.alert_id = dropout_alerts.id)",
    privileges="SELECT, INSERT, UPDATE",
)
for _table in ("dropout_persuasions", "dropout_written_reports", "dropout_measures"):
    rls.protect(
        _table,
        using=f"EXISTS (SELECT 1 FROM dropout_alerts a WHERE a.home_county = {_table}.home_county"
        f" AND a.id = {_table}.alert_id)",
        privileges="SELECT, INSERT",
    )
