"""How events are stored, numbered, and placed in the feed."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field as TableField
from sqlmodel import SQLModel

from app.core.data import backups, distribution, retention, rls, sealed
from app.core.data.columns import Instant
from app.core.jobs import case_codes

_HANDED_OUT: Final = text("position > 0")
_FOR_ALL: Final = text("position > 0 AND told_to IS NULL")


class EventRow(SQLModel, table=True):
    """An announced fact, as stored.

    `sequence`: its number among the facts of its subject. `n`: taken under the subject's lock, so
    in the order in which they are committed. `position`: its place in the feed, without a gap;
    null: not handed out yet; 0: handed out before there were places. `place`: where it happened, by
    the code of when it was handed out.

    `data`: all it says but what tells of a case, which is in `codes_sealed` (`case_codes`).
    `told_to`: ids of the only agencies whose feeds and endpoints may get it, null for all that
    serve the region. Our own handlers always get it.
    """

    __tablename__ = "events"
    __table_args__: Any = (
        Index("ix_events_waiting", "n", "id", postgresql_where=text("position IS NULL")),
        Index("uq_events_position", "position", unique=True, postgresql_where=_HANDED_OUT),
        Index("ix_events_place_position", "place", "position", postgresql_where=_FOR_ALL),
        Index(
            "ix_events_county_position",
            text("(place / 1000000)"),
            "position",
            postgresql_include=["place"],
            postgresql_where=_FOR_ALL,
        ),
    )

    id: UUID = TableField(primary_key=True)
    wire_name: str
    subject_id: UUID = TableField(index=True)
    region_code: int = TableField(sa_type=BigInteger)
    home_county: int = TableField(sa_type=BigInteger)
    data: dict[str, Any] = TableField(sa_type=JSONB)
    codes_sealed: bytes | None = None
    told_to: list[str] | None = TableField(default=None, sa_type=JSONB(none_as_null=True))
    occurred_at: datetime = TableField(sa_type=Instant)
    n: int = TableField(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    sequence: int | None = TableField(default=None, sa_type=BigInteger)
    position: int | None = TableField(default=None, sa_type=BigInteger)
    place: int | None = TableField(default=None, sa_type=BigInteger)


class SubjectSequence(SQLModel, table=True):
    """The number of the latest fact about a subject. Who counts it up holds its row until the end
    of the transaction: numbers are committed in their own order.
    """

    __tablename__ = "subject_sequences"
    subject_id: UUID = TableField(primary_key=True)
    last: int = TableField(sa_type=BigInteger)


class EventFeed(SQLModel, table=True):
    """The last place given out in the feed: one row, held by whoever hands out."""

    __tablename__ = "event_feed"
    __table_args__: Any = (CheckConstraint("id = 1", name="one"),)
    id: int = TableField(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    last: int = TableField(sa_type=BigInteger)


class NamedInEvent(SQLModel, table=True):
    """An agency that an event names, wherever it happened, by its place in the feed. `relation`:
    of which roles' endpoints and feeds alone that is true; `any`: of all (AZ-3, AZ-8).
    """

    __tablename__ = "event_named"
    __table_args__: Any = (
        Index("ix_event_named_position", "position"),
        CheckConstraint("relation IN ('any', 'enrolled', 'none')", name="relation"),
    )
    agency_id: UUID = TableField(primary_key=True)
    position: int = TableField(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    relation: str = TableField(primary_key=True)
    event_id: UUID


distribution.in_one_place(
    "one order of all facts, given by one transaction at a time (ADR 32)",
    *("events", "subject_sequences", "event_feed", "event_named"),
)
rls.allow("events", "SELECT, INSERT, UPDATE (place, position, sequence), DELETE")
rls.allow("subject_sequences", "SELECT, INSERT, UPDATE")
rls.allow("event_feed", "SELECT, INSERT, UPDATE")
rls.allow("event_named", "SELECT, INSERT, DELETE")
retention.keep(
    "events",
    by="occurred_at",
    taking="DELETE FROM event_named n USING gone WHERE n.position = gone.position",
)
retention.unless("events", "not handed out yet", "k.position IS NULL")
retention.unless(
    "events",
    "a job about it waits or is held",
    "k.id = ANY (ARRAY(SELECT (payload ->> 'event')::uuid FROM jobs WHERE payload ? 'event'))",
)
backups.once_restored(
    "facts told since took the next numbers: those to come begin a million later",
    "UPDATE subject_sequences SET last = last + 1000000",
)
backups.once_restored(
    "who reads the feed may be further on than it is: it goes on a million places later",
    "UPDATE event_feed SET last = last + 1000000",
)
sealed.by_value("events", {"codes_sealed": case_codes.PLACE})
retention.for_ever(
    "subject_sequences", "numbers of a subject that began anew would be taken for repetitions"
)
