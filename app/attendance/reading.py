"""How a pushed body is read, event by event: one that cannot be read loses no other."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from app.attendance.dress import BESIDE, OTHER_TIME, of_two, origin, same_name, undressed
from app.attendance.schemas import (
    CLOUDEVENT,
    CLOUDEVENTS_BATCH,
    MAX_EVENT_BYTES,
    MAX_EVENTS,
    EventId,
    Roll,
    Source,
    Statement,
    StudentById,
)
from app.core.http import strict_json
from app.core.http.details import words_of
from app.core.http.strict_json import JsonRefused
from app.core.problems import FieldError, Problem, pointer_to


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
_Reader = Callable[[Any, str, Mapping[str, Any]], Incoming]
"""Reads an event at a pointer, of which some was replaced (`strict_json.storable`)."""

_AGAIN: Final = re.compile(r" \(\d+\)$")
_ATTRIBUTES: Final = frozenset(("specversion", "type", "source", "id", "data"))
_TYPE: Final = "cn.tonghu.attendance.v1"
_URI: Final = re.compile(r"[!-~]{1,200}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_ATTRIBUTE: Final = re.compile(r"[a-z0-9]{1,40}")
_MOST_DATA: Final = 20
"""These say what `cloudevent_schema` does; a test holds them to it."""
_SAYS_ALL: Final = frozenset(
    ("source", "id", "data", "student", "student.child_id", "school_day", "session", "category")
)
_SAYS_WHOM: Final = _SAYS_ALL | {"student.system", "student.number"}
_OF_A_CLOCK: Final = frozenset(("time", "sequence"))


@cache
def cloudevent_schema() -> dict[str, Any]:
    """Load the JSON Schema a CloudEvent must meet, after CloudEvents 1.0.2, JSON format."""
    text = files("app.attendance").joinpath("data/cloudevent.schema.json").read_bytes()
    schema: dict[str, Any] = orjson.loads(text)
    return schema


def read_batch(media_type: str, body: Any, *, checked: bool = False) -> list[Incoming]:
    """Read a body into events, each judged by itself (I1, I2): by its shape, whatever it is called.
    What stands beside the events is kept with each, unread. `checked`: all of it is JSON that can
    be stored (`strict_json.plain`). Raises EnvelopeUnusable if it is no batch of events.
    """
    if type(body) is dict and _is_batch(body):  # nor twice the same
        beside = {f"{BESIDE}{name}": said for name, said in body.items() if name != "events"}
        events = [_with(beside, each) for each in _bounded(body["events"], "#/events")]
        judged = _read_checked if checked else partial(_judged, _read)
        return [judged(event, f"#/events/{n}") for n, event in enumerate(events)]
    if media_type == CLOUDEVENT or _is_cloudevent(body):
        return [_judged(_read_cloudevent, body, "#")]
    first = body[0] if isinstance(body, list) and body else None
    if media_type == CLOUDEVENTS_BATCH or _is_cloudevent(first):
        events = _bounded(body, "#")
        return [_judged(_read_cloudevent, event, f"#/{n}") for n, event in enumerate(events)]
    raise EnvelopeUnusable.at("#", "envelope_invalid", 'Send {"events": [...]}.')


_MOST_BESIDE: Final = 2048
"""Characters that may stand beside the events of a batch: each of them keeps it."""


def _is_batch(body: dict[str, Any]) -> bool:
    """Tell whether it is a batch of events, whatever little stands beside them."""
    if body.keys() == {"events"}:
        return True
    beside = [(name, said) for name, said in body.items() if name != "events"]
    small = len(str(beside)) <= _MOST_BESIDE
    return isinstance(body.get("events"), list) and not _is_cloudevent(body) and small


def _with(beside: Mapping[str, Any], event: Any) -> Any:
    if isinstance(event, dict):
        event.update(beside)  # itself: it may know what was said twice
    return event


def _is_cloudevent(said: Any) -> bool:
    return isinstance(said, dict) and {"specversion", "data"} <= said.keys()


def _bounded(events: Any, pointer: str) -> list[Any]:
    if not isinstance(events, list):
        raise EnvelopeUnusable.at(pointer, "envelope_invalid", "Send a list of events.")
    if len(events) > MAX_EVENTS:
        raise EnvelopeUnusable.at(pointer, "too_many_events", f"Send at most {MAX_EVENTS} events.")
    return events


def _read_checked(event: Any, pointer: str) -> Incoming:
    return _read(event, pointer, {})


def _judged(read: _Reader, event: Any, pointer: str) -> Incoming:
    """Read an event, also one that is no JSON that can be stored: what of it cannot is replaced and
    told beside it, unless whom it is about, which day or what would be guessed. It loses no other
    (I2, I4).
    """
    try:
        strict_json.check(event, pointer)
    except JsonRefused as refused:
        replaced: dict[str, Any] = {}
        found = read(strict_json.storable(event, replaced), pointer, replaced)
        if not isinstance(found.event, FieldError):
            return found
        told = "The event is not JSON this service accepts."
        return _unread(refused.pointer, event, refused.code, told)
    return read(event, pointer, {})


def _read(event: Any, pointer: str, replaced: Mapping[str, Any], envelope: Any = None) -> Incoming:
    envelope = event if envelope is None else envelope
    if len(orjson.dumps([envelope, replaced])) > MAX_EVENT_BYTES:
        return _unread(pointer, envelope, "event_too_large", "An event has at most 64 KiB.")
    try:
        read = _validated(event, replaced)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False, include_input=False)[0]
        steps = [step for step in error["loc"] if step not in _UNION_STEPS]
        return _unread(pointer, envelope, error["type"].replace("-", "_"), words_of(error), *steps)
    if _guessed(event, read, replaced):
        return _unread(pointer, envelope, "ambiguous", "What it says would have to be guessed.")
    return Incoming(pointer, read.source, read.id, read)


def _validated(event: Any, replaced: Mapping[str, Any]) -> Statement | Roll:
    """Read an event as it came or, if that fails, without its dress. Raises ValidationError."""
    if isinstance(event, dict) and "as_sent" not in event and not replaced:
        try:
            return (_ROLL if _of_class(event) else _EVENT).validate_python(event)
        except ValidationError:
            pass
    plain, aside = undressed(event) if isinstance(event, dict) else (event, {})
    if replaced:
        aside = {"characters": replaced, **aside}
    if _of_class(plain):
        given = {name: said for name, said in plain.items() if name in Roll.model_fields}
        left = {name: event[name] for name in plain if name not in given and event.get(name)}
        return _ROLL.validate_python({**given, "as_sent": {**aside, **left} or None})
    return _EVENT.validate_python({**plain, "as_sent": aside} if aside else plain)


def _guessed(event: Any, read: Statement | Roll, replaced: Mapping[str, Any]) -> bool:
    """Tell whether something that an event cannot be without was replaced, or said before in
    another way than last. Of a roll, which all that is unread silences: anything
    but its clock.
    """
    for field, said in replaced.items():
        name, again = _AGAIN.subn("", field)
        if isinstance(read, Roll):
            needed = bool(again) or name not in _OF_A_CLOCK
        else:
            needed = name in (_SAYS_ALL if isinstance(read.student, StudentById) else _SAYS_WHOM)
        if needed and not (again and _standing(event, name) == said):
            return True
    return False


def _standing(event: Any, name: str) -> Any:
    for step in name.split("."):
        event = event.get(step) if isinstance(event, dict) else None
    return event


def _of_class(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    of_nobody = event.get("student") is None and "class_name" in event
    return event.get("category") == "roll" or (event.get("category") == "withdrawn" and of_nobody)


def _read_cloudevent(envelope: Any, pointer: str, replaced: Mapping[str, Any]) -> Incoming:
    """Read a CloudEvent: its own source and id name it. Data that say them otherwise name another
    event, which sent by itself would be a second; another time is kept aside.
    """
    plain = {**envelope, **origin(envelope)} if isinstance(envelope, dict) else envelope
    broken = None if _meets(plain) else _broken(plain)
    if broken is not None:
        detail = "The event does not meet the CloudEvents schema."
        return _unread(pointer, envelope, "cloudevent_invalid", detail, *broken.absolute_path)
    data = plain["data"]
    if not all(same_name(data.get(name), plain[name]) for name in ("source", "id")):
        detail = "The data contradict the event's own source or id."
        return _unread(f"{pointer}/data", envelope, "attributes_differ", detail)
    said, other = of_two(plain.get("time"), data.get("time"))
    event = {**data, "source": plain["source"], "id": plain["id"]}
    event |= {} if said is None else {"time": said}
    event |= {} if other is None else {OTHER_TIME: other}
    within = {field.removeprefix("data."): was for field, was in replaced.items()}
    return _read(event, f"{pointer}/data", within, envelope)


def _meets(said: Any) -> bool:
    """Tell whether an event plainly meets all of the schema that refuses one: most do, and the
    schema takes a hundred microseconds for each.
    """
    return (
        isinstance(said, dict)
        and said.get("specversion") == "1.0"
        and said.get("type") == _TYPE
        and _plainly(_URI, said.get("source"))
        and _plainly(_NAME, said.get("id"))
        and isinstance(said.get("data"), dict)
        and len(said["data"]) <= _MOST_DATA
        and all(map(_ATTRIBUTE.fullmatch, said))
    )


def _plainly(form: re.Pattern[str], said: Any) -> bool:
    return isinstance(said, str) and form.fullmatch(said) is not None


def _broken(said: Any) -> Any:
    """Return the first rule of the schema that an event breaks and is refused for."""
    errors = Draft202012Validator(cloudevent_schema()).iter_errors(said)
    return next((each for each in errors if not _beside(each.absolute_path)), None)


def _beside(path: Sequence[str | int]) -> bool:
    """Tell whether it is an attribute that says nothing of attendance: its form refuses nothing."""
    return len(path) > 0 and path[0] not in _ATTRIBUTES


def _unread(pointer: str, envelope: Any, code: str, detail: str, *below: str | int) -> Incoming:
    """Refuse an event for what stands at the pointer, or some steps below it."""
    said = envelope if isinstance(envelope, dict) else {}
    origin = _if_valid(_SOURCE, said.get("source")), _if_valid(_ID, said.get("id"))
    refusal = FieldError(pointer_to(*below, within=pointer), code, detail)
    return Incoming(pointer, *origin, refusal)


def _if_valid(adapter: TypeAdapter[str], value: Any) -> str | None:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None
