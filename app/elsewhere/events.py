"""What is announced of a look from elsewhere. Ids, codes and times only."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from app.access.roles import Purpose
from app.core.jobs.bodies import Code, Place
from app.core.jobs.events import CODE, Event
from app.elsewhere.models import DeskService, LookReason


class LookedElsewhere(Event):
    """A desk somewhere asked whether a child is known, and was told whom to call: the child may
    stand there now. Told to who looks after the child. The subject is the look.
    """

    wire_name: ClassVar[str] = "elsewhere.looked"
    subject: ClassVar[str] = "look"
    child_id: UUID = Field(description="The child.")
    by_agency_id: UUID = Field(description="The agency that asked.")
    by_kind: Code = Field(description="What it is: a code.")
    looked_from: Place = Field(description="The division it asked from.")
    service: Annotated[DeskService, CODE] = Field(description="At what desk: a code.")
    why: Annotated[LookReason, CODE] = Field(description="Why: a code.")
    purpose: Annotated[Purpose, CODE] = Field(description="For what purpose: a code.")
