"""Facts a feature announces: a row in the transaction that made it true (design idea 4, D8).

A feature defines its events in `events.py`, publishes them in `operations.py`; higher features
answer with handlers in `jobs.py`. Payloads carry ids and codes only, never personal data.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field as TableField
from sqlmodel import SQLModel

from app.core.data import backups, distribution, retention, rls
from app.core.data.columns import Instant
from app.core.data.db import Tx
from app.core.data_files import unknown
from app.core.ids import new_id
from app.core.jobs import bodies, queue

CODE: Final = WithJsonSchema({"type": "string", "maxLength": 40, "pattern": bodies.WORD})
"""For a field that is a code: a word on the wire, since a receiver must take one it does not know
yet, and a closed list to the rules that count by it.
"""

CODE_OR_NONE: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "maxLength": 40, "pattern": bodies.WORD}, {"type": "null"}]}
)
"""Likewise, where there may be none."""

ROLE: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "maxLength": 40, "pattern": "^[a-z_]+$"}, {"type": "null"}]}
)
"""For a field that is the role in which somebody did it; null if that was not kept."""

CHANNEL: Final = "tonghu_events"
"""NOTIFY channel on which whoever hands out events listens."""
_HANDED_OUT: Final = text("position > 0")
_FOR_ALL: Final = text("position > 0 AND told_to IS NULL")
_kinds: dict[str, type["Event"]] = {}


class BadEvent(TypeError):
    """An event's class does not say its subject, could say more than ids and codes, another has
    its wire name, or who waits for it calls it by none.
    """


class Event(BaseModel):
    """Base of all events. Subclasses set `wire_name` and `subject` and add their ids.

    `region_code`: where it happened (12 digits): who may be told. `home_county`: the county that
    opened the child's file. `subject_id`: what it is about; deliveries keep order per subject.
    """

    model_config = ConfigDict(frozen=True)
    wire_name: ClassVar[str]
    subject: ClassVar[str]
    """What `subject_id` is the id of, in a word: a rule may only match events about one kind."""
    shields: ClassVar[bool] = True
    """Whether those that `told_to` leaves out may not know of the duties either (AZ-8). False if
    each rule says by itself who sees them, whoever was there to be told.
    """

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Make the event known by its wire name, which no other may have. Raises BadEvent."""
        if "wire_name" in cls.__dict__ and cls.__module__.startswith("app."):
            if not hasattr(cls, "subject"):
                raise BadEvent(f"{cls.wire_name} does not say what it is about: set `subject`")
            if faults := bodies.says_too_much(cls):
                raise BadEvent(f"{cls.wire_name} says ids, codes and times only: {faults[0]}")
            if _kinds.setdefault(cls.wire_name, cls) is not cls:
                raise BadEvent(f"two events are called {cls.wire_name}")

    event_id: UUID = Field(default_factory=new_id, exclude=True)
    subject_id: UUID = Field(description="The resource the event is about.")
    region_code: bodies.Place = Field(description="Region concerned, 12-digit division code.")
    home_county: bodies.Place = Field(
        description="County that opened the file, 12-digit division code."
    )
    told_to: tuple[UUID, ...] | None = Field(
        default=None,
        exclude=True,
        description="The only agencies that may be told; none given: those of the region (AZ-8).",
    )


def kinds() -> Mapping[str, type[Event]]:
    """Return every kind of event that the loaded packages announce, by wire name."""
    return _kinds


class EventRow(SQLModel, table=True):
    """An announced fact, as stored.

    `sequence`: its number among the facts of its subject. `n`: taken under the subject's lock, so
    in the order in which they are committed. `position`: its place in the feed, without a gap;
    null: not handed out yet; 0: handed out before there were places. `place`: where it happened, by
    the code of when it was handed out.

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


AnyEvent = TypeVar("AnyEvent", bound=Event)
Handler = Callable[[Tx, AnyEvent], Awaitable[None]]

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
retention.for_ever(
    "subject_sequences", "numbers of a subject that began anew would be taken for repetitions"
)

_handlers: dict[str, list[tuple[str, Callable[[Any], bool]]]] = defaultdict(list)


def on(
    kind: type[AnyEvent], concerning: Callable[[AnyEvent], bool] = lambda _: True
) -> Callable[[Handler[AnyEvent]], Handler[AnyEvent]]:
    """Run the decorated job for each event of a kind: in its own transaction, at least once.
    `concerning`: for which of them alone; no job is queued for the others.
    """

    def register(handler: Handler[AnyEvent]) -> Handler[AnyEvent]:
        async def run(tx: Tx, event_id: UUID) -> None:
            data = await tx.connection.fetchval("SELECT data FROM events WHERE id = $1", event_id)
            await handler(tx, kind.model_validate({"event_id": event_id, **data}))

        _handlers[kind.wire_name].append((_job(handler, run), concerning))
        return handler

    return register


def _job(handler: Callable[..., Any], run: Callable[[Tx, UUID], Awaitable[None]]) -> str:
    """Register a job named after a handler, which `run` calls for one event; return the name."""
    name = f"{handler.__module__.split('.')[1]}.{handler.__name__}"
    queue.job(name)(lambda tx, payload: run(tx, UUID(payload["event"])))
    return name


@dataclass(frozen=True, slots=True)
class Announced:
    """An event as stored, for a package that stands below the one that defines its class."""

    event_id: UUID
    wire_name: str
    subject_id: UUID
    region_code: int
    home_county: int
    data: dict[str, Any]
    told_to: tuple[UUID, ...] | None
    occurred_at: datetime


AnnouncedHandler = Callable[[Tx, Announced], Awaitable[None]]


def on_wire_names(*wire_names: str) -> Callable[[AnnouncedHandler], AnnouncedHandler]:
    """Run the decorated job for each event of these names, whoever defines them."""

    def register(handler: AnnouncedHandler) -> AnnouncedHandler:
        async def run(tx: Tx, event_id: UUID) -> None:
            row = await tx.connection.fetchrow(
                "SELECT id AS event_id, wire_name, subject_id, region_code, home_county, data,"
                " told_to, occurred_at FROM events WHERE id = $1",
                event_id,
            )
            told_to = row["told_to"] and tuple(map(UUID, row["told_to"]))
            await handler(tx, Announced(**{**row, "told_to": told_to}))

        name = _job(handler, run)
        for wire_name in wire_names:
            _handlers[wire_name].append((name, lambda _: True))
        return handler

    return register


Readers = Callable[[Mapping[str, Any]], Collection[str] | None]
_readers: dict[str, Readers] = {}


def read_by(package: str) -> Callable[[Readers], Readers]:
    """Let the decorated function say which roles are told of an event of a package, by its data, if
    not all who read the package's resources (None). Whoever an event names hears of it anyway.
    """

    def register(readers: Readers) -> Readers:
        return _readers.setdefault(package, readers)

    return register


def readers_of(wire_name: str, data: Mapping[str, Any]) -> Collection[str] | None:
    """Return the roles that alone are told of an event that does not name them; None: all."""
    readers = _readers.get(wire_name.partition(".")[0])
    return None if readers is None else readers(data)


def check() -> None:
    """Raise BadEvent if a handler waits for what nobody announces. To be asked once every package
    is imported.
    """
    for wire_name, names in _handlers.items():
        if names and wire_name not in _kinds:
            raise BadEvent(f"{names[0][0]}: {unknown('event', wire_name, _kinds)}")


def _listed(agencies: Sequence[UUID]) -> str:
    return orjson.dumps([str(agency) for agency in agencies]).decode()


# `said` has the events and their `turn` among those of one subject. Subjects in order: two that
# publish about the same do not wait for each other in a circle.
COUNTED: Final = """
counted AS (
    INSERT INTO subject_sequences AS s (subject_id, last)
    SELECT subject_id, max(turn) FROM said GROUP BY subject_id ORDER BY subject_id
    ON CONFLICT (subject_id) DO UPDATE SET last = s.last + excluded.last
    RETURNING subject_id, last
), numbered AS (
    SELECT said.*, last - max(turn) OVER (PARTITION BY subject_id) + turn AS sequence
    FROM said JOIN counted USING (subject_id)
)
"""

# Sorted: every subject is held before the first `n` is taken. One statement with the jobs: what a
# write waits for is its trips.
_PUBLISH: Final = f"""
WITH said AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY subject_id ORDER BY turn_of_all) AS turn
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::jsonb[],
        $7::jsonb[]) WITH ORDINALITY
    AS e (id, wire_name, subject_id, region_code, home_county, data, told_to, turn_of_all)
), {COUNTED}, added AS (
    INSERT INTO events (id, wire_name, subject_id, region_code, home_county, data, told_to,
        occurred_at, sequence)
    SELECT id, wire_name, subject_id, region_code, home_county, data, told_to, $8, sequence
    FROM numbered ORDER BY turn_of_all RETURNING id, sequence
), queued AS (
    INSERT INTO jobs (name, payload)
    SELECT name, jsonb_build_object('event', event)
    FROM unnest($9::text[], $10::uuid[]) AS w (name, event)
)
SELECT id, sequence FROM added
"""


async def publish(tx: Tx, *events: Event) -> dict[UUID, int]:
    """Store events and queue every handler that waits for them, in the caller's transaction, which
    holds their subjects until its end. Return the number of each among those of its subject.
    """
    if not events:
        return {}
    waiting = [
        (name, event.event_id)
        for event in events
        for name, concerning in _handlers[event.wire_name]
        if concerning(event)
    ]
    rows = await tx.connection.fetch(
        _PUBLISH,
        [event.event_id for event in events],
        [event.wire_name for event in events],
        [event.subject_id for event in events],
        [event.region_code for event in events],
        [event.home_county for event in events],
        [event.model_dump_json() for event in events],
        [None if event.told_to is None else _listed(event.told_to) for event in events],
        tx.now,
        [name for name, _ in waiting],
        [event_id for _, event_id in waiting],
    )
    tx.wakes |= {CHANNEL, queue.CHANNEL}
    return {row["id"]: row["sequence"] for row in rows}
