"""What a visit announces. Codes only: what was written stays behind the API."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import Code
from app.core.jobs.events import CODE, ROLE, Event
from app.visits.models import Channel, Place, VisitorType


class _AboutVisit(Event):
    subject: ClassVar[str] = "visit"
    child_id: UUID = Field(description="The child visited.")
    visited_on: date = Field(description="Day of the visit.")
    day_known: bool = Field(
        default=True,
        description="Whether that day was said; if not, it is the day the visit was received.",
    )
    visitor_type: Annotated[VisitorType, CODE] = Field(description="Who visited: a code.")
    as_role: Annotated[Code | None, ROLE] = Field(
        default=None,
        description="In what role whoever recorded it did so, whatever is said of who visited.",
    )
    channel: Annotated[Channel, CODE] = Field(
        description="`in_person`, `phone`, `video` or `other`."
    )
    place: Annotated[Place, CODE] = Field(
        default=Place.home, description="Where the child was seen: a code."
    )
    abnormal: bool = Field(description="Whether anything abnormal was found.")
    looked_at: bool = Field(
        default=False, description="Whether it says what was looked at, abnormal or not."
    )
    explained: bool = Field(
        default=False, description="Whether law and policy were explained to the family."
    )


class VisitRecorded(_AboutVisit):
    """A child was visited. The subject is the visit."""

    wire_name: ClassVar[str] = "visits.visit_recorded"


class VisitCorrected(_AboutVisit):
    """A visit was corrected; this is what it says now."""

    wire_name: ClassVar[str] = "visits.visit_corrected"


class VisitTakenBack(Event):
    """A visit was stored with the wrong child, whose file lost it. The subject is the visit."""

    wire_name: ClassVar[str] = "visits.visit_taken_back"
    subject: ClassVar[str] = "visit"
    child_id: UUID = Field(description="The child that was not visited.")
    visited_on: date = Field(description="Day of the visit.")


class _AboutFinding(Event):
    subject: ClassVar[str] = "visit"
    child_id: UUID = Field(description="The child visited.")
    as_role: Annotated[Code | None, ROLE] = Field(
        default=None,
        description="Whose looking it is beside the village's director's, as the role in which they"
        " recorded it; null: the director's alone.",
    )
    look_id: UUID | None = Field(
        default=None,
        description="Of that role's looking at this finding: always the same; null as `as_role`.",
    )


class FindingLookedAt(_AboutFinding):
    """All that a visit found abnormal was looked at again, well or not (VIS-03). The subject is the
    visit that found it.
    """

    wire_name: ClassVar[str] = "visits.finding_looked_at"
    visited_on: date = Field(description="Day of the visit that looked at the last of it.")
    looked_at: bool = Field(default=True, description="True.")


class FindingLeftOpen(_AboutFinding):
    """Of what a visit found abnormal, later ones looked at nothing, or not at all of it (VIS-03).
    The subject is the visit that found it.
    """

    wire_name: ClassVar[str] = "visits.finding_left_open"
    visited_on: date = Field(description="Day of the visit that found it.")
    left: list[Code] = Field(
        max_length=40, description="Parts of the child's life nobody looked at again: codes."
    )
    looked_at: bool = Field(default=False, description="False.")


class AbnormalFinding(Event):
    """A visit found something abnormal (VIS-03). The subject is the visit."""

    wire_name: ClassVar[str] = "visits.abnormal_finding"
    subject: ClassVar[str] = "visit"
    child_id: UUID = Field(description="The child visited.")
    visited_on: date = Field(description="Day of the visit.")
    types: list[Code] = Field(max_length=40, description="Kinds of abnormality: codes.")
    refer_to: list[Code] = Field(
        max_length=20, description="Kinds of agency the visitor asks to act (VIS-08)."
    )
