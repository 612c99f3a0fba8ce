"""What attendance announces."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import Event


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
