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

from app.core.data import former, keys, resealing
from app.core.data.crypto import Keyring
from app.core.data.db import Tx
from app.core.data.envelopes import Erased, Owner
from app.core.data_files import unknown
from app.core.ids import new_id
from app.core.jobs import bodies, case_codes, event_rows, queue  # noqa: F401  its tables

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
    of_case: ClassVar[frozenset[str]] = frozenset()
    """The fields that tell of a case, which are sealed (`case_codes`)."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Make the event known by its wire name, which no other may have. Raises BadEvent."""
        if "wire_name" in cls.__dict__ and cls.__module__.startswith("app."):
            if not hasattr(cls, "subject"):
                raise BadEvent(f"{cls.wire_name} does not say what it is about: set `subject`")
            if faults := bodies.says_too_much(cls):
                raise BadEvent(f"{cls.wire_name} says ids, codes and times only: {faults[0]}")
            cls.of_case = case_codes.fields_of(cls)
            if cls.of_case and not (
                cls.subject in case_codes.OWNERS or "child_id" in cls.model_fields
            ):
                raise BadEvent(f"{cls.wire_name} tells of a case, and not whose: `child_id`")
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

    def owner(self) -> Owner | None:
        """Return under whose key that is which tells of a case; None: nothing does."""
        if not self.of_case:
            return None
        return case_codes.owner(self.subject, self.subject_id, getattr(self, "child_id", None))


def kinds() -> Mapping[str, type[Event]]:
    """Return every kind of event that the loaded packages announce, by wire name."""
    return _kinds


AnyEvent = TypeVar("AnyEvent", bound=Event)
Handler = Callable[[Tx, AnyEvent], Awaitable[None]]

_handlers: dict[str, list[tuple[str, Callable[[Any], bool]]]] = defaultdict(list)


def on(
    kind: type[AnyEvent], concerning: Callable[[AnyEvent], bool] = lambda _: True
) -> Callable[[Handler[AnyEvent]], Handler[AnyEvent]]:
    """Run the decorated job for each event of a kind: in its own transaction, at least once.
    `concerning`: for which of them alone; no job is queued for the others.
    """

    def register(handler: Handler[AnyEvent]) -> Handler[AnyEvent]:
        async def run(tx: Tx, event_id: UUID) -> None:
            sql = "SELECT id, data, codes_sealed FROM events WHERE id = $1"
            data = await _said(tx, await tx.connection.fetchrow(sql, event_id))
            if data is not None:
                await handler(tx, kind.model_validate({"event_id": event_id, **data}))

        _handlers[kind.wire_name].append((_job(handler, run), concerning))
        return handler

    return register


async def _said(tx: Tx, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a stored event says; None if whose it is was erased, whom nothing follows for."""
    await keys.of_rows(tx, [row])
    try:
        return case_codes.opened(tx.keyring, row)
    except Erased:
        return None


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


_AS_STORED: Final = ("wire_name", "subject_id", "region_code", "home_county", "occurred_at")
AnnouncedHandler = Callable[[Tx, Announced], Awaitable[None]]


def on_wire_names(*wire_names: str) -> Callable[[AnnouncedHandler], AnnouncedHandler]:
    """Run the decorated job for each event of these names, whoever defines them."""

    def register(handler: AnnouncedHandler) -> AnnouncedHandler:
        async def run(tx: Tx, event_id: UUID) -> None:
            row = await tx.connection.fetchrow(
                "SELECT id, wire_name, subject_id, region_code, home_county, data, codes_sealed,"
                " told_to, occurred_at FROM events WHERE id = $1",
                event_id,
            )
            data = await _said(tx, row)
            if data is not None:
                told_to = row["told_to"] and tuple(map(UUID, row["told_to"]))
                plain = {name: row[name] for name in _AS_STORED}
                await handler(tx, Announced(event_id=event_id, data=data, told_to=told_to, **plain))

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
_FORMER: Final = former.MAY_RUN.format("$13")
_PUBLISH: Final = f"""
WITH said AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY subject_id ORDER BY turn_of_all) AS turn
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::jsonb[],
        $7::jsonb[], $11::jsonb[], $12::bytea[]) WITH ORDINALITY
    AS e (id, wire_name, subject_id, region_code, home_county, data, told_to, all_data, sealed,
        turn_of_all)
), {COUNTED}, added AS (
    INSERT INTO events (id, wire_name, subject_id, region_code, home_county, data, codes_sealed,
        told_to, occurred_at, sequence)
    SELECT id, wire_name, subject_id, region_code, home_county,
        CASE WHEN {_FORMER} THEN coalesce(all_data, data) ELSE data END,
        CASE WHEN NOT {_FORMER} THEN sealed END, told_to, $8, sequence
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
    await case_codes.load(tx, [event.owner() for event in events])
    rows = await tx.connection.fetch(
        _PUBLISH,
        [event.event_id for event in events],
        [event.wire_name for event in events],
        [event.subject_id for event in events],
        [event.region_code for event in events],
        [event.home_county for event in events],
        [event.model_dump_json(exclude={*event.of_case}) for event in events],
        [None if event.told_to is None else _listed(event.told_to) for event in events],
        tx.now,
        [name for name, _ in waiting],
        [event_id for _, event_id in waiting],
        [event.model_dump_json() if event.of_case else None for event in events],
        [_codes(tx, event) for event in events],
        former.gone_since(tx),
    )
    tx.wakes |= {CHANNEL, queue.CHANNEL}
    return {row["id"]: row["sequence"] for row in rows}


def _codes(tx: Tx, event: Event) -> bytes | None:
    if not event.of_case:
        return None
    said = event.model_dump_json(include={*event.of_case})
    return tx.keyring.seal(case_codes.PLACE, event.event_id, said, event.owner())


def owner_in(wire_name: str, subject_id: UUID, data: Mapping[str, Any]) -> Owner | None:
    """Return under whose key that is which an event of this name tells of a case."""
    kind = _kinds.get(wire_name)
    if kind is None or not kind.of_case:
        return None
    return case_codes.owner(kind.subject, subject_id, data.get("child_id"))


def _owner_of(_: Keyring, row: Mapping[str, Any]) -> Owner | None:
    return owner_in(row["wire_name"], row["subject_id"], row["data"])


def _anew(tx: Tx, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the codes of a stored event sealed, and its data without them."""
    of = _owner_of(tx.keyring, row)
    if of is None:
        return {}
    data = case_codes.opened(tx.keyring, row)
    codes = {name: data.pop(name) for name in _kinds[row["wire_name"]].of_case if name in data}
    sealed = tx.keyring.seal(case_codes.PLACE, row["id"], orjson.dumps(codes), of)
    return {"data": orjson.dumps(data).decode(), "codes_sealed": sealed}


resealing.IN_PLAIN.append(resealing.InPlain("events", "codes_sealed", _owner_of, _anew))
