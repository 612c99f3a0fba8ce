"""What happens to divisions."""

from datetime import date
from typing import ClassVar

from pydantic import Field

from app.core.jobs.bodies import Bound, Distance, Place
from app.core.jobs.events import Event


class RegionReplaced(Event):
    """A division got another code, and so did all below it: features move what they filed there.

    Whatever lies in the half-open range [`old_lo`, `old_hi`) moves by `shift`: new code = old code
    + shift. Codes outside the range are untouched, so a handler may run twice.
    """

    wire_name: ClassVar[str] = "regions.region_replaced"
    subject: ClassVar[str] = "division"
    old_lo: Place = Field(description="First code that was replaced.")
    old_hi: Bound = Field(description="First code above those replaced.")
    shift: Distance = Field(description="New code minus old code.")
    on: date = Field(description="The first day of the new code.")


class CodeUnderstood(Event):
    """Codes that meant no place in force mean one now: a new division, or one that ended and got a
    successor. What was said of them, and could not be followed, can be.
    """

    wire_name: ClassVar[str] = "regions.code_understood"
    subject: ClassVar[str] = "division"
    lo: Place = Field(description="First code that means a place now.")
    hi: Bound = Field(description="First code above those.")
