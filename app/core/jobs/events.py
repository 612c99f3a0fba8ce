"""Facts a feature announces: a row in the transaction that made it true (design idea 4, D8).

A feature defines its events in `events.py`, publishes them in `operations.py`; higher features
answer with handlers in `jobs.py`. Payloads carry ids and codes only, never personal data.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field as TableField
from sqlmodel import SQLModel

from app.core.data import rls
from app.core.data.columns import OF_TRANSACTION, Instant
from app.core.data.db import Tx
from app.core.data_files import unknown
from app.core.ids import new_id
from app.core.jobs import queue

CODE: Final = WithJsonSchema({"type": "string", "maxLength": 40})
"""For a field that is a code: a word on the wire, since a receiver must take one it does not know
yet, and a closed list to the rules that count by it.
"""

ROLE: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "maxLength": 40, "pattern": "^[a-z_]+$"}, {"type": "null"}]}
)
"""For a field that is the role in which somebody did it; null if that was not kept."""

_kinds: dict[str, type["Event"]] = {}


class BadEvent(TypeError):
    """An event's class does not say its subject, another has its wire name, or who waits for it
    calls it by none.
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
        """Make the event known by its wire name, which no other may have."""
        if "wire_name" in cls.__dict__ and cls.__module__.startswith("app."):
            if not hasattr(cls, "subject"):
                raise BadEvent(f"{cls.wire_name} does not say what it is about: set `subject`")
            if _kinds.setdefault(cls.wire_name, cls) is not cls:
                raise BadEvent(f"two events are called {cls.wire_name}")

    event_id: UUID = Field(default_factory=new_id, exclude=True)
    subject_id: UUID = Field(description="The resource the event is about.")
    region_code: int = Field(
        ge=0, lt=10**12, description="Region concerned, 12-digit division code."
    )
    home_county: int = Field(
        ge=0, lt=10**12, description="County that opened the file, 12-digit division code."
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
    """An announced fact, as stored. `committed_in` orders feeds safely (F4).

    `told_to`: ids of the only agencies whose feeds and endpoints may get it, null for all that
    serve the region. Our own handlers always get it.
    """

    __tablename__ = "events"
    id: UUID = TableField(primary_key=True)
    wire_name: str
    subject_id: UUID = TableField(index=True)
    region_code: int = TableField(sa_type=BigInteger)
    home_county: int = TableField(sa_type=BigInteger)
    data: dict[str, Any] = TableField(sa_type=JSONB)
    told_to: list[str] | None = TableField(default=None, sa_type=JSONB(none_as_null=True))
    occurred_at: datetime = TableField(sa_type=Instant)
    committed_in: int = TableField(index=True, sa_type=BigInteger, sa_column_kwargs=OF_TRANSACTION)


AnyEvent = TypeVar("AnyEvent", bound=Event)
Handler = Callable[[Tx, AnyEvent], Awaitable[None]]

rls.allow("events", "SELECT, INSERT")

_handlers: dict[str, list[str]] = defaultdict(list)
_for_every: list[str] = []


def on(kind: type[AnyEvent]) -> Callable[[Handler[AnyEvent]], Handler[AnyEvent]]:
    """Run the decorated job for each event of a kind: in its own transaction, at least once."""

    def register(handler: Handler[AnyEvent]) -> Handler[AnyEvent]:
        async def run(tx: Tx, event_id: UUID) -> None:
            data = await tx.connection.fetchval("SELECT data FROM events WHERE id = $1", event_id)
            await handler(tx, kind.model_validate({"event_id": event_id, **data}))

        _handlers[kind.wire_name].append(_job(handler, run))
        return handler

    return register


def _job(handler: Callable[..., Any], run: Callable[[Tx, UUID], Awaitable[None]]) -> str:
    """Register a job named after a handler, which `run` calls for one event; return the name."""
    name = f"{handler.__module__.split('.')[1]}.{handler.__name__}"
    queue.job(name)(lambda tx, payload: run(tx, UUID(payload["event"])))
    return name


def on_every_event(
    handler: Callable[[Tx, UUID], Awaitable[None]],
) -> Callable[[Tx, UUID], Awaitable[None]]:
    """Run the decorated job with the id of every event, whatever its kind (for fan-out)."""
    _for_every.append(_job(handler, handler))
    return handler


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
            _handlers[wire_name].append(name)
        return handler

    return register


def check() -> None:
    """Raise BadEvent if a handler waits for what nobody announces. To be asked once every package
    is imported.
    """
    for wire_name, names in _handlers.items():
        if names and wire_name not in _kinds:
            raise BadEvent(f"{names[0]}: {unknown('event', wire_name, _kinds)}")


def _listed(agencies: Sequence[UUID]) -> str:
    return orjson.dumps([str(agency) for agency in agencies]).decode()


async def publish(tx: Tx, *events: Event) -> None:
    """Store events and queue every handler that waits for them, in the caller's transaction."""
    if not events:
        return
    await tx.connection.execute(
        "INSERT INTO events"
        " (id, wire_name, subject_id, region_code, home_county, data, told_to, occurred_at)"
        " SELECT *, $8::timestamptz FROM UNNEST($1::uuid[], $2::text[], $3::uuid[],"
        " $4::bigint[], $5::bigint[], $6::jsonb[], $7::jsonb[])",
        [event.event_id for event in events],
        [event.wire_name for event in events],
        [event.subject_id for event in events],
        [event.region_code for event in events],
        [event.home_county for event in events],
        [event.model_dump_json() for event in events],
        [None if event.told_to is None else _listed(event.told_to) for event in events],
        tx.now,
    )
    await queue.enqueue_each(
        tx.connection,
        [
            (name, {"event": str(event.event_id)})
            for event in events
            for name in (*_handlers[event.wire_name], *_for_every)
        ],
    )
