"""What travels on the wire about attendance, and how a pushed body is read event by event."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, StrictInt, TypeAdapter, ValidationError

from app.attendance.dress import undressed
from app.attendance.models import Called, Category, Doubt, Finding, Found, Session
from app.core.http import strict_json
from app.core.http.routing import UnsupportedMediaType
from app.core.http.strict_json import JsonRefused
from app.core.http.wire import (
    Code,
    Day,
    Input,
    Line,
    Moment,
    Permitted,
    Prose,
    RegisterNumber,
)
from app.core.problems import FieldError, Problem, printable

MAX_EVENTS: Final = 1000
MOST_UNREAD: Final = 100
LONGEST_NAME: Final = 200
MAX_EVENT_BYTES: Final = 64 * 1024
JSON: Final = "application/json"
CLOUDEVENT: Final = "application/cloudevents+json"
CLOUDEVENTS_BATCH: Final = "application/cloudevents-batch+json"

Source = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="The system that made the event, as a URI reference.",
        examples=["urn:school:jz-03:gate"],
    ),
]
EventId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Names the event within its source, for good.",
        examples=["2026-03-02/0815/17"],
    ),
]
FieldName = Annotated[str, Field(max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]
ResultStatus = Literal["accepted", "duplicate", "conflict", "unresolved", "rejected"]


class StudentById(Input):
    """A pupil by the id of the file."""

    child_id: UUID = Field(
        description="The child's id.", examples=["0199b1f0-0000-7000-8000-000000000001"]
    )


class StudentByNumber(Input):
    """A pupil by the number another system has given."""

    system: Code = Field(description="Whose number it is.", examples=["xueji"])
    number: RegisterNumber = Field(
        description="The number in that system; width and spaces make no difference.",
        examples=["G0000000000000000X"],
    )


class _Sent(Input):
    source: Source
    id: EventId


SchoolDay = Annotated[Day, Field(description="The day, in the Chinese calendar.")]
PartOfDay = Annotated[Session, Field(description="The part of the day.", examples=["whole_day"])]
SaidAt = Annotated[Moment, Field(description="When the system came to know.")]
ClassName = Annotated[
    Line,
    Field(
        description="Of a roll: the class, as the pupils' files name it.", examples=["三年级2班"]
    ),
]
Student = Annotated[
    StudentById | StudentByNumber, Field(description="Whom it is about; of a roll, nobody.")
]
Reason = Annotated[
    Code | None,
    Field(description="A reason code of the school, no free text.", examples=["sick"]),
]
Sequence = Annotated[
    StrictInt,
    Field(
        ge=0,
        le=2_147_483_647,
        description="For corrections: of two events on one session the higher sequence holds, "
        "then the later time, then the one received later. So does taking back a roll.",
    ),
]


class Statement(_Sent):
    """What a school system says of one pupil's session of one school day (EDU-01)."""

    student: Student
    school_day: SchoolDay
    session: PartOfDay
    category: Category
    reason: Reason = None
    time: SaidAt
    sequence: Sequence = 0
    as_sent: dict[str, Any] | None = None
    """What of it was set aside (`dress`), as it came; nobody sends it."""


class Roll(_Sent):
    """A class called in full: whoever the register has in it that day, when it is received, was
    there, except those of whom a statement says something, earlier or later. Or `withdrawn`: that
    takes the roll back.
    """

    class_name: ClassName
    school_day: SchoolDay
    session: PartOfDay
    category: Called
    time: SaidAt
    sequence: Sequence = 0


class AttendanceEvent(_Sent):
    """What a school system says of one pupil's session of one school day; or, as `roll`, that a
    class was called in full: whoever the register has in it that day, when it is received, was
    there, except those of whom another event says something, earlier or later (EDU-01).
    """

    student: Student | None = None
    class_name: ClassName | None = None
    school_day: SchoolDay
    session: PartOfDay
    category: Literal[
        "present", "excused", "unexcused", "late", "left_early", "withdrawn", "roll"
    ] = Field(
        description="What happened; `withdrawn` takes back what was said before, of a pupil or,"
        " with `class_name` and no student, by a roll; `roll` calls a class.",
        examples=["unexcused"],
    )
    reason: Reason = None
    time: SaidAt
    sequence: Sequence = 0


class AttendanceBatch(Input):
    """Up to 1,000 events, of pupils or of classes."""

    judged_in_parts: ClassVar[bool] = True
    events: list[AttendanceEvent] = Field(
        max_length=MAX_EVENTS, description="The events, each judged by itself."
    )


class EventResult(BaseModel):
    """What became of one event."""

    index: int = Field(ge=0, lt=MAX_EVENTS, description="Its place in the request.")
    source: Source | None = Field(description="Its source, if it could be read.")
    id: EventId | None = Field(description="Its id, if it could be read.")
    status: ResultStatus = Field(
        description="accepted: stored; duplicate: stored before with the same content; "
        "conflict: its id is taken by other content; one about nobody the school has is kept all "
        "the same; unresolved: kept, and stored as soon as it is known which pupil it is about; "
        "rejected: it breaks a rule."
    )
    code: Code = Field(
        description="applied: it set the session; superseded: a newer event had set it; "
        "class_unknown: no pupil is enrolled in such a class that day; too_far_ahead: kept, but"
        " its day lies over 31 days ahead; no_school_then: of a roll, whoever sent it was at no"
        " school on its day; otherwise the rule that spoke.",
        examples=["applied"],
    )
    detail: str | None = Field(
        max_length=500, pattern=r"^[^\x00]*$", description="What is wrong, for a person."
    )
    pointer: str | None = Field(
        max_length=300, pattern=r"^[\x20-\x7e]*$", description="Where it is wrong."
    )
    doubt: Doubt | None = Field(
        description="Stored, but marked. clock: its time cannot be, and when it was received"
        " counts; day_ahead: its day has not come, and it does not count before; long_ago: its day"
        " lies over 400 days back, and of itself opens no alert."
    )
    unread: list[FieldName] = Field(
        max_length=MOST_UNREAD,
        description="Fields that are kept as they were sent, unread; long names are cut.",
    )
    spoke_for: int | None = Field(
        ge=0,
        le=2_147_483_647,
        description="Of a roll: of how many pupils it said, then, that they were there.",
    )


class BatchReceipt(BaseModel):
    """What became of a batch; as many results as events, in their order (I4)."""

    batch_id: UUID | None = Field(description="The stored batch; null for an empty one.")
    results: list[EventResult] = Field(max_length=MAX_EVENTS, description="One for each event.")


class StoredEvent(BaseModel):
    """An event as it was received."""

    event_ref: UUID = Field(description="Our id of the event.")
    child_id: UUID = Field(description="The child.")
    school_id: UUID = Field(description="The school that reported.")
    batch_id: UUID = Field(description="The batch that brought it.")
    source: Source
    id: EventId
    school_day: Day = Field(description="The day it is about.")
    session: Session = Field(description="The part of the day.")
    category: Category = Field(description="What it says.")
    reason: Code | None = Field(description="The school's reason code.")
    time: Moment = Field(description="When the system came to know.")
    sequence: int = Field(ge=0, le=2_147_483_647, description="Its sequence.")
    doubt: Doubt | None = Field(description="Why it is marked.")
    received_at: Moment = Field(description="When it was received.")
    as_sent: dict[str, Any] | None = Field(description="What of it was not read, as it was sent.")
    in_force: bool = Field(description="True if it is what is believed of the session now.")


class PresenceFindingCreate(Input):
    """What somebody found who looked where a child was that day."""

    finding: Finding = Field(
        description="here: it was at this school; elsewhere: it was not.", examples=["elsewhere"]
    )
    note: Prose = Field(description="Who looked, and how; kept encrypted, never in events.")


class PresenceDoubt(BaseModel):
    """A school said that a child was there on a day on which it was seen elsewhere."""

    id: UUID = Field(description="The doubt's id.")
    child_id: UUID = Field(description="The child.")
    school_id: UUID = Field(description="The school that said it was there, and must look.")
    school_day: Day = Field(description="The day.")
    seen_by_id: UUID | None = Field(
        description="The agency that saw it elsewhere; or the school at which it is enrolled, and"
        " which missed it, or which alone can say so: the child had left the other. Null if it had,"
        " and is enrolled nowhere that day."
    )
    opened_at: Moment = Field(description="Since when it is doubted.")
    finding: Found | None = Field(
        description="What was found; null: nobody looked yet; mistaken: another child was seen, or"
        " the register was put right."
    )
    found_at: Moment | None = Field(description="When that was recorded.")
    permitted: Permitted


class EnvelopeUnusable(Problem, status=422):
    """The body is not a batch of events at all (I4)."""

    title = "The body is not a batch of at most 1,000 attendance events"
    title_zh = "请求体不是有效的考勤事件批次(最多 1000 条)"


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event of a request, or the first rule that it breaks. `pointer` is where it stands."""

    pointer: str
    source: str | None
    id: str | None
    event: Statement | Roll | FieldError

    def error(self, field: str, code: str, detail: str) -> FieldError:
        """Find fault with a field of it."""
        return FieldError(f"{self.pointer}/{field}", code, detail)


_EVENT: Final = TypeAdapter(Statement)
_ROLL: Final = TypeAdapter(Roll)
_SOURCE: Final = TypeAdapter(Source)
_ID: Final = TypeAdapter(EventId)
_UNION_STEPS: Final = frozenset({"StudentById", "StudentByNumber"})


@cache
def cloudevent_schema() -> dict[str, Any]:
    """Load the JSON Schema a CloudEvent must meet, after CloudEvents 1.0.2, JSON format."""
    text = files("app.attendance").joinpath("data/cloudevent.schema.json").read_bytes()
    schema: dict[str, Any] = orjson.loads(text)
    return schema


def read_batch(media_type: str, body: Any) -> list[Incoming]:
    """Read a body of one of the three media types into events, each judged by itself (I1, I2).

    Raises UnsupportedMediaType, and EnvelopeUnusable if the body is no batch of the type's shape.
    """
    if media_type == JSON:
        if type(body) is not dict or body.keys() != {"events"}:  # nor twice the same
            raise EnvelopeUnusable.at("#", "envelope_invalid", 'Send {"events": [...]}.')
        events = _bounded(body["events"], "#/events")
        return [_judged(_read, event, f"#/events/{n}") for n, event in enumerate(events)]
    if media_type == CLOUDEVENTS_BATCH:
        events = _bounded(body, "#")
        return [_judged(_read_cloudevent, event, f"#/{n}") for n, event in enumerate(events)]
    if media_type == CLOUDEVENT:
        return [_judged(_read_cloudevent, body, "#")]
    raise UnsupportedMediaType(headers={"accept-post": f"{JSON}, {CLOUDEVENTS_BATCH}"})


def _bounded(events: Any, pointer: str) -> list[Any]:
    if not isinstance(events, list):
        raise EnvelopeUnusable.at(pointer, "envelope_invalid", "Send a list of events.")
    if len(events) > MAX_EVENTS:
        raise EnvelopeUnusable.at(pointer, "too_many_events", f"Send at most {MAX_EVENTS} events.")
    return events


def _judged(read: Callable[[Any, str], Incoming], event: Any, pointer: str) -> Incoming:
    """Read an event, unless it is no JSON that can be stored: that loses no other (I2, I4)."""
    try:
        strict_json.check(event, pointer)
    except JsonRefused as refused:
        detail = "The event is not JSON this service accepts."
        return _unread(refused.pointer, event, refused.code, detail)
    return read(event, pointer)


def _read(event: Any, pointer: str, envelope: Any = None) -> Incoming:
    envelope = event if envelope is None else envelope
    if len(orjson.dumps(envelope)) > MAX_EVENT_BYTES:
        return _unread(pointer, envelope, "event_too_large", "An event has at most 64 KiB.")
    try:
        read = _validated(event)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        steps = [step for step in error["loc"] if step not in _UNION_STEPS]
        detail = "The value does not meet the rule of this field."
        return _unread(pointer, envelope, error["type"].replace("-", "_"), detail, *steps)
    return Incoming(pointer, read.source, read.id, read)


def _validated(event: Any) -> Statement | Roll:
    """Read an event as it came or, if that fails, without its dress. Raises ValidationError."""
    if isinstance(event, dict) and "as_sent" not in event:
        try:
            return (_ROLL if _of_class(event) else _EVENT).validate_python(event)
        except ValidationError:
            pass
    plain, aside = undressed(event) if isinstance(event, dict) else (event, {})
    if _of_class(plain):
        # A roll keeps nothing aside and gives no reason: what is left over refuses it.
        left = {name: said for name, said in aside.items() if name not in plain}
        given = {name: said for name, said in plain.items() if (name, said) != ("reason", None)}
        return _ROLL.validate_python({**given, **left})
    return _EVENT.validate_python({**plain, "as_sent": aside} if aside else plain)


def _of_class(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    of_nobody = event.get("student") is None and "class_name" in event
    return event.get("category") == "roll" or (event.get("category") == "withdrawn" and of_nobody)


def _read_cloudevent(envelope: Any, pointer: str) -> Incoming:
    broken = next(Draft202012Validator(cloudevent_schema()).iter_errors(envelope), None)
    if broken is not None:
        detail = "The event does not meet the CloudEvents schema."
        return _unread(pointer, envelope, "cloudevent_invalid", detail, *broken.absolute_path)
    data = envelope["data"]
    context = {name: envelope[name] for name in ("source", "id")}
    if envelope.get("time") is not None:
        context["time"] = envelope["time"]
    if any(data.get(name, value) != value for name, value in context.items()):
        detail = "The data contradict the event's own source, id or time."
        return _unread(f"{pointer}/data", envelope, "attributes_differ", detail)
    return _read({**data, **context}, f"{pointer}/data", envelope)


def _unread(pointer: str, envelope: Any, code: str, detail: str, *below: str | int) -> Incoming:
    """Refuse an event for what stands at the pointer, or some steps below it."""
    said = envelope if isinstance(envelope, dict) else {}
    origin = _if_valid(_SOURCE, said.get("source")), _if_valid(_ID, said.get("id"))
    refusal = FieldError(printable("/".join([pointer, *map(str, below)])), code, detail)
    return Incoming(pointer, *origin, refusal)


def _if_valid(adapter: TypeAdapter[str], value: Any) -> str | None:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None
