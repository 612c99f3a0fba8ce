"""Attendance as schools push it: every event once, the slot it last set, the batch that brought it.

A slot is one child's session of one school day at one school; the newest event sets it (I6).
"""

from datetime import date, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, PrimaryKeyConstraint, Uuid, text
from sqlmodel import Field, SQLModel

from app.children.below import VISIBLE, BelowChild, below_child
from app.core.data import distribution, hiding, retention, rls, sealed
from app.core.data.columns import Instant, one_of
from app.core.ids import new_id

Category = Literal["present", "excused", "unexcused", "late", "left_early", "withdrawn"]
"""What an event says of a session. `withdrawn` takes back whatever was said before (I6)."""

Called = Literal["roll", "withdrawn"]
"""A class is called in full, or that is taken back."""

Session = Literal["whole_day", "morning", "afternoon"]

Doubt = Literal["clock", "day_ahead", "long_ago"]
"""Why a statement is marked: `clock`, its time cannot be; `day_ahead`, its day had not come when it
was received; `long_ago`, its day was over 400 days back.
"""


Finding = Literal["here", "elsewhere"]
Found = Literal["here", "elsewhere", "mistaken"]
"""`mistaken`: nothing is to be doubted: who was seen was another child, as who had said so says by
now, or the register has put right where the child was enrolled."""
"""Where a child was of whom two said that it was with them."""


class AttendanceBatch(SQLModel, table=True):
    """One accepted request; `answer`: what its receipt is written from, packed (`receipts`)."""

    __tablename__ = "attendance_batches"
    id: UUID
    agency_id: UUID = Field(foreign_key="agencies.id")
    caller: str
    answer: bytes
    received_at: datetime = Field(sa_type=Instant)
    __table_args__: Any = (
        PrimaryKeyConstraint("id", "agency_id"),
        Index("ix_attendance_batches_agency_id_received_at", "agency_id", "received_at"),
    )


class AttendanceEvent(BelowChild, table=True):
    """One event as received. (`agency_id`, `source`, `event_id`) names it for good; a school sees
    what it reported even of those who have left it.

    `as_sent_sealed`: what of it could not be read, as it was sent (JSON, encrypted).
    `content_sha256` tells a repetition from a contradiction. Neither batch nor agency is a foreign
    key: the batch is written last, the agency is the caller's own, and both would be looked up
    once per row of the busiest table.
    """

    __tablename__ = "attendance_events"
    __table_args__: Any = below_child(
        "attendance_events",
        one_of("category", get_args(Category)),
        one_of("session", get_args(Session)),
        one_of("doubt", get_args(Doubt)),
        Index(
            "uq_attendance_events_origin",
            "agency_id",
            "source",
            "event_id",
            "home_county",
            unique=True,
        ),
        Index("ix_attendance_events_child", "child_id", "school_day", "id"),
        privileges="SELECT, INSERT, DELETE",
        also=(rls.own("agency_id"),),
        check=VISIBLE,
    )

    id: UUID = Field(default_factory=new_id)
    agency_id: UUID
    batch_id: UUID
    source: str
    event_id: str
    content_sha256: bytes
    school_day: date
    session: str
    category: str
    reason: str | None = None
    happened_at: datetime = Field(sa_type=Instant)
    sequence: int
    doubt: str | None = None
    received_at: datetime = Field(sa_type=Instant)
    as_sent_sealed: bytes | None = None


class AttendanceRoll(SQLModel, table=True):
    """A class was called in full: who was enrolled in it that day, and of whom nothing else was
    said, was there. (`agency_id`, `source`, `event_id`) names it for good.

    `pupils`, `spoke_for`: how many the class had, and of how many nothing else was said, when it
    was received; `listed`: who they were. What is believed is worked out when it is asked: a later
    statement counts, and who turns out to have been in another class is left out; who turns out to
    have been in this one was not called. None: kept by the release before. One `withdrawn` takes
    back those of its class, day and session that were said before, by `sequence`, then by time.
    """

    __tablename__ = "attendance_rolls"
    __table_args__: Any = (
        PrimaryKeyConstraint("id", "agency_id"),
        one_of("session", get_args(Session)),
        one_of("doubt", get_args(Doubt)),
        one_of("category", get_args(Called)),
        Index("uq_attendance_rolls_origin", "agency_id", "source", "event_id", unique=True),
        Index("ix_attendance_rolls_class", "agency_id", "class_key", "school_day"),
        Index("ix_attendance_rolls_batch_id", "batch_id"),
    )

    id: UUID = Field(default_factory=new_id)
    agency_id: UUID
    batch_id: UUID
    source: str
    event_id: str
    content_sha256: bytes
    class_name: str
    class_key: str
    school_day: date
    session: str
    category: str = Field(default="roll", sa_column_kwargs={"server_default": "roll"})
    sequence: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    happened_at: datetime = Field(sa_type=Instant)
    doubt: str | None = None
    pupils: int
    spoke_for: int
    listed: list[UUID] | None = Field(default=None, sa_type=ARRAY(Uuid))
    received_at: datetime = Field(sa_type=Instant)
    as_sent_sealed: bytes | None = None
    """What of it was not read, as it was sent (JSON, encrypted)."""


class AttendanceContradiction(SQLModel, table=True):
    """An event or a roll under a source and id that an earlier one has, which says something else:
    the first stays what counts, this one is kept beside it (JSON, encrypted).
    """

    __tablename__ = "attendance_contradictions"
    __table_args__: Any = (
        Index(
            "uq_attendance_contradictions_said",
            *("agency_id", "source", "event_id", "content_sha256"),
            unique=True,
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    agency_id: UUID
    batch_id: UUID
    source: str
    event_id: str
    content_sha256: bytes
    said_sealed: bytes
    received_at: datetime = Field(sa_type=Instant)


class AttendanceSlot(BelowChild, table=True):
    """What is believed now of one child's session. `batch_id`: the batch that last changed it.
    `happened_at`: what it was said with; where the sender's clock cannot be, when it was received.
    """

    __tablename__ = "attendance_slots"
    __table_args__: Any = below_child(
        "attendance_slots",
        one_of("category", get_args(Category)),
        one_of("session", get_args(Session)),
        Index("ix_attendance_slots_batch_id", "batch_id"),
        key=("child_id", "school_day", "school_id", "session"),
        privileges="SELECT, INSERT, UPDATE",
        also=(rls.own("school_id"),),
        check=VISIBLE,
    )

    school_id: UUID
    school_day: date
    session: str
    category: str
    reason: str | None = None
    sequence: int
    happened_at: datetime = Field(sa_type=Instant)
    event_row_id: UUID
    batch_id: UUID
    updated_at: datetime = Field(sa_type=Instant)


class PresenceDoubt(BelowChild, hiding.HiddenRow, table=True):
    """A school said that a child was there on a day on which it was seen elsewhere, or missed at
    the school at which it is enrolled, or which the child had left by then: `seen_by_id`, the
    agency, or the school at which it is enrolled that day, if any. Somebody of the school looks:
    `finding`; of `asked_id`, if it is hidden from the school. `overseer_id`: the education
    authority above the school, wherever the child lives. The note is encrypted.
    """

    __tablename__ = "presence_doubts"
    __table_args__: Any = below_child(
        "presence_doubts",
        one_of("finding", get_args(Found)),
        CheckConstraint("(finding IS NULL) = (found_at IS NULL)", name="found"),
        Index(
            "uq_presence_doubts_said",
            "child_id",
            "school_id",
            "school_day",
            "home_county",
            unique=True,
        ),
        Index("ix_presence_doubts_school_id_id", "school_id", "id"),
        Index("ix_presence_doubts_pupil_of_id", "pupil_of", "id"),
        Index("ix_presence_doubts_region_code_id", "region_code", "id"),
        Index(
            "ix_presence_doubts_asked_id_id",
            "asked_id",
            "id",
            postgresql_where=text("asked_id IS NOT NULL"),
        ),
        Index(
            "ix_presence_doubts_overseer_id_id",
            "overseer_id",
            "id",
            postgresql_where=text("overseer_id IS NOT NULL"),
        ),
        Index("ix_presence_doubts_open", "id", postgresql_where=text("finding IS NULL")),
        privileges="SELECT, INSERT, UPDATE",
        hidden=hiding.hidden_row("presence_doubts", "id"),
        also=(rls.own("school_id"), rls.own("asked_id"), rls.own("overseer_id")),
    )

    id: UUID = Field(default_factory=new_id)
    school_id: UUID = Field(foreign_key="agencies.id")
    asked_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    overseer_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    school_day: date
    seen_by_id: UUID | None = Field(foreign_key="agencies.id")
    opened_at: datetime = Field(sa_type=Instant)
    finding: str | None = None
    note_sealed: bytes | None = None
    found_by: str | None = None
    found_at: datetime | None = Field(default=None, sa_type=Instant)


class PresenceSighting(BelowChild, table=True):
    """Who else saw a child, or has it with them, since a day; `until`: the last day, if known.
    `source_id`: the row that tells of it; told twice, it is one.

    Whom the source is hidden from learns nothing of what is doubted for it. `kept_from_id`: read by
    the release before. No list shows these rows.
    """

    __tablename__ = "presence_sightings"
    __table_args__: Any = below_child(
        "presence_sightings",
        Index(
            "uq_presence_sightings_source",
            "child_id",
            "source_id",
            "home_county",
            unique=True,
        ),
        privileges="SELECT, INSERT, DELETE",
    )

    id: UUID = Field(default_factory=new_id)
    source_id: UUID
    seen_by_id: UUID = Field(foreign_key="agencies.id")
    kept_from_id: UUID | None = None
    since: date
    until: date | None = None
    recorded_at: datetime = Field(sa_type=Instant)


class AttendanceDay(SQLModel, table=True):
    """A school's system was heard on this day. Of a child without a slot it says nothing."""

    __tablename__ = "attendance_days"
    agency_id: UUID = Field(primary_key=True)
    school_day: date = Field(primary_key=True)
    first_reported_at: datetime = Field(sa_type=Instant)


class SchoolCalendarDay(SQLModel, table=True):
    """A day that differs from Monday to Friday, for a region or for one school. The nearest wins:
    the school, then the region up the tree, then the nation's (`policy/data/public_holidays.yaml`).
    """

    __tablename__ = "school_calendar_days"
    __table_args__: Any = (
        Index(
            "uq_school_calendar_days_region",
            "region_code",
            "day",
            unique=True,
            postgresql_where=text("agency_id IS NULL"),
        ),
        Index(
            "uq_school_calendar_days_agency",
            "agency_id",
            "day",
            unique=True,
            postgresql_where=text("agency_id IS NOT NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    region_code: int = Field(sa_type=BigInteger)
    agency_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    day: date
    is_school_day: bool
    source: str


distribution.by("attendance_batches", "agency_id")
distribution.by("attendance_rolls", "agency_id")
distribution.by("attendance_days", "agency_id")
distribution.everywhere("school_calendar_days")
distribution.in_one_place("few, and deleted by where a row lies", "attendance_contradictions")
rls.protect(
    "attendance_batches",
    using=f"{rls.own('agency_id')} OR {rls.SYSTEM}",
    privileges="SELECT, INSERT",
)
rls.protect(
    "attendance_rolls",
    using=f"{rls.own('agency_id')} OR {rls.SYSTEM}",
    privileges="SELECT, INSERT",
)
rls.protect(
    "attendance_contradictions",
    using=f"{rls.own('agency_id')} OR {rls.SYSTEM}",
    privileges="SELECT, INSERT, DELETE",
)
rls.allow("attendance_days", "SELECT, INSERT")
rls.allow("school_calendar_days", "SELECT, INSERT, UPDATE, DELETE")

CONTRADICTED = (
    "SELECT e.child_id FROM attendance_events e WHERE e.agency_id = k.agency_id"
    " AND e.source = k.source AND e.event_id = k.event_id"
)
"""The child of whom an event speaks that the contradiction `k` stands beside."""
OF_CONTRADICTED = [
    f"= ANY (ARRAY({CONTRADICTED.replace('child_id', column)}))"
    for column in ("home_county", "child_id")
]
"""What the county that opened that child's file is, and what the child."""
retention.keep("attendance_contradictions", by="received_at")
retention.unless(
    "attendance_contradictions",
    "something is owed for the child that an event called for",
    "EXISTS (SELECT FROM duties d WHERE d.state IN ('open', 'overdue') AND d.period = ''"
    f" AND d.child_id = ANY (ARRAY({CONTRADICTED})))",
)
for _table in ("attendance_days", "attendance_events", "attendance_rolls", "presence_sightings"):
    retention.for_ever(_table, "who was at school, over all the years of it (EDU-01)")
retention.for_ever("attendance_batches", "a school's proof of what it sent and what became of it")
sealed.below_child("attendance_events", sealed.named("attendance_events", "as_sent_sealed"))
sealed.below_child("presence_doubts", sealed.named("presence_doubts", "note_sealed"))
sealed.under_service("attendance_rolls", sealed.named("attendance_rolls", "as_sent_sealed"))
sealed.under_service(
    "attendance_contradictions", sealed.named("attendance_contradictions", "said_sealed")
)
