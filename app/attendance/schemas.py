"""What travels on the wire about attendance."""

from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StrictInt

from app.attendance.models import Called, Category, Doubt, Finding, Found, Session
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

MAX_EVENTS: Final = 1000
MOST_UNREAD: Final = 100
LONGEST_NAME: Final = 200
MAX_EVENT_BYTES: Final = 64 * 1024
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
    as_sent: dict[str, Any] | None = None
    """What of it was set aside (`dress`), as it came; nobody sends it."""


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

    evidence: ClassVar[bool] = True
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
        "conflict: its id is taken by other content, which counts; this one is kept beside it; "
        "unresolved: kept, and stored as soon as it is known which pupil it is about; "
        "rejected: it breaks a rule."
    )
    code: Code = Field(
        description="applied: it set the session; superseded: a newer event had set it; "
        "class_unknown: no pupil is enrolled in such a class that day; says_more: of a roll, kept, "
        "but what of it is unread may name who was missing, so it says of nobody that they were "
        "there; too_far_ahead: kept, but"
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


class BatchCounts(BaseModel):
    """Of how many events of a batch became what."""

    accepted: int = Field(ge=0, le=MAX_EVENTS, description="Stored.")
    duplicate: int = Field(ge=0, le=MAX_EVENTS, description="Stored before.")
    conflict: int = Field(ge=0, le=MAX_EVENTS, description="Their id is taken.")
    unresolved: int = Field(ge=0, le=MAX_EVENTS, description="Kept: it is not known of whom.")
    rejected: int = Field(ge=0, le=MAX_EVENTS, description="They break a rule.")


class BatchReceipt(BaseModel):
    """What became of a batch, in the order of its events (I4). Also whole under its `Location`."""

    batch_id: UUID | None = Field(description="The stored batch; null for an empty one.")
    results: list[EventResult] = Field(
        max_length=MAX_EVENTS,
        description="One for each event. If `return=minimal` was preferred, none for the rest: what"
        " was stored, now or before, with nothing more to say of it.",
    )
    counts: BatchCounts = Field(description="Of all events.")
    rest_sha256: str = Field(
        min_length=64,
        max_length=64,
        pattern="^[0-9a-f]{64}$",
        description="Names the rest: SHA-256, in hexadecimal, of the JSON array of their"
        " `[source, id]`, in order, without spaces, in UTF-8 and escaping only what must be (RFC"
        " 8785); both as results spell them:"
        " without spaces around, a number as its digits, and in a source all outside `!` to `~`"
        " percent-encoded as UTF-8.",
    )


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
    as_sent: dict[str, Any] | None = Field(
        description="What of it was not read, as it was sent; `characters`: what of that cannot be"
        " stored was replaced, or said before in another way, and where; `data.time`: the time of"
        " the data, if it is not that of their envelope."
    )
    also_said: list[dict[str, Any]] = Field(
        max_length=20,
        description="What the school said otherwise under its source and id, as you read it if you"
        " are of that school: kept, not counted.",
    )
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
    asked_id: UUID | None = Field(
        description="The office that must look in its place, where the school must not know."
    )
    overseer_id: UUID | None = Field(
        description="The education authority above the school, which sees to it that they look,"
        " wherever the child lives; null: none is registered."
    )
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
