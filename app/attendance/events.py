"""What attendance announces."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from app.attendance.models import Found
from app.core.jobs.events import CODE, Event


class AbsencesRecorded(Event):
    """A batch changed what is known of some children's attendance; the subject is the batch.

    One per batch, not per child: its slots carry the batch's id. `region_code` and `home_county`
    are the school's.
    """

    wire_name: ClassVar[str] = "attendance.absences_recorded"
    subject: ClassVar[str] = "batch"
    school_id: UUID = Field(description="The school that reported.")
    changed: int = Field(ge=1, le=1000, description="How many sessions the batch changed.")
    unexcused: int = Field(
        ge=0, le=1000, description="How many of them it set to absent without leave."
    )


class AttendanceContradicted(Event):
    """A school said under the source and id of an event something else than before: the first
    counts, the other is read beside it. Somebody has to say which is true, under an id of its own.
    """

    wire_name: ClassVar[str] = "attendance.contradicted"
    subject: ClassVar[str] = "batch"
    school_id: UUID = Field(description="The school that reported.")
    contradicted: int = Field(ge=1, le=1000, description="How many of its events differ.")


class _AboutPresence(Event):
    subject: ClassVar[str] = "presence_doubt"
    child_id: UUID = Field(description="The child.")
    school_id: UUID = Field(description="The school that said it was there.")
    school_day: date = Field(description="The day.")


def about(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say which doubt, of a row of `presence_doubts`."""
    names = ("region_code", "home_county", "child_id", "school_id", "school_day")
    return {"subject_id": row["id"], **{name: row[name] for name in names}}


class PresenceDoubted(_AboutPresence):
    """A school said that a child was there, and it was seen elsewhere the same day, or missed by
    the school at which it is enrolled; or the child had left the school by then. Said again, to
    the school and the education authority above it alone, if it is to be kept from others. Who saw
    it is read where the doubt is: it may be where the police took the child.
    """

    wire_name: ClassVar[str] = "attendance.presence_doubted"


class PresenceHandedOver(_AboutPresence):
    """What tells of it must be kept from the school: an education authority above looks instead,
    or, where none may know, civil affairs or the township of the child's place.
    """

    wire_name: ClassVar[str] = "attendance.presence_handed_over"
    asked_id: UUID | None = Field(
        description="Who is asked; null: whoever was may not know of it any more, and nobody else"
        " is registered that may."
    )


class PresenceVerified(_AboutPresence):
    """A named person who was asked looked where the child was; or nothing is to be doubted any
    more: who was seen was another, or the register has put right where the child was enrolled.
    """

    wire_name: ClassVar[str] = "attendance.presence_verified"
    finding: Annotated[Found, CODE] = Field(description="What was found: a code.")


class _AboutPupil(Event):
    subject: ClassVar[str] = "silence"
    child_id: UUID = Field(description="The child.")
    school_id: UUID = Field(description="The school at which it is enrolled.")
    known_to: tuple[UUID, ...] = Field(
        max_length=1, description="The school: told wherever the child lives."
    )


def about_pupil(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say of which pupil of which school nothing was said."""
    names = ("subject_id", "region_code", "home_county", "child_id", "school_id")
    return {**{name: row[name] for name in names}, "known_to": (row["school_id"],)}


class PupilUnsaid(_AboutPupil):
    """A school has said nothing of a pupil since it last did, since the term began or since the
    child came: neither that it was there nor that it was not. Nobody knows.
    """

    wire_name: ClassVar[str] = "attendance.pupil_unsaid"
    since: date = Field(description="Since when nothing was said.")
    said: bool = Field(default=False, description="Whether anything was said: not yet.")


class PupilSaid(_AboutPupil):
    """The school said of a day whether the pupil was there, or called its class in full."""

    wire_name: ClassVar[str] = "attendance.pupil_said"
    said: bool = Field(default=True, description="Whether anything was said.")


class PupilLeft(_AboutPupil):
    """A child of whom its school had said nothing is no pupil of it any more."""

    wire_name: ClassVar[str] = "attendance.pupil_left"
