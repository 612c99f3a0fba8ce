"""What travels on the wire about confirmations of files."""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from app.access.roles import Section
from app.core.http.as_sent import TakenAsSent
from app.core.http.wire import Day, RegionCode

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b22"

Changed = Annotated[
    list[Section],
    Field(
        max_length=10,
        description="Sections that were brought up to date before; empty if nothing had changed.",
    ),
]
Differs = Annotated[
    list[Section],
    Field(
        max_length=10,
        description="Sections that say otherwise than it is by now, and are yet to be entered:"
        " somebody owes that from now on (REG-11). You may name any, also one you do not read.",
    ),
]

OnPaper = Annotated[
    StrictBool | None,
    Field(
        description="Whether there is a file on paper of this child alone with whoever confirms"
        " (纸质档案, 一人一档), and it says the same; null if not said. Village and township each"
        " keep one (REG-03)."
    ),
]


class _Said(BaseModel):
    id: UUID = Field(description="Made by the client: sent again, it is one.", examples=[_ID])
    child_id: UUID = Field(description="The child whose file it is.", examples=[_ID])
    confirmed_on: Day = Field(description="On which day the file said how it is, in China.")
    changed: Changed
    differs: Differs
    instead_of: UUID | None = Field(
        description="Which confirmation of your agency, of the same child, this takes the place of:"
        " what that one said is said no more, and what it opened is not owed any more.",
        examples=[None],
    )
    on_paper: OnPaper


class ConfirmationCreate(TakenAsSent, _Said):
    """That a file says how it is, or in what it does not, possibly days before it reaches the
    service (REG-03, REG-11).

    What of it cannot be read is kept as sent: nothing beside it refuses what was confirmed.
    """

    needed: ClassVar[frozenset[str]] = frozenset({"id", "child_id", "confirmed_on"})
    changed: Changed = []
    differs: Differs = []
    instead_of: UUID | None = None
    on_paper: OnPaper = None

    def understood(self) -> str:
        """Return what was understood, as JSON, to know it again in another dress."""
        said = {"changed": sorted({*self.changed}), "differs": sorted({*self.differs})}
        # As it was kept before one could say so.
        unsaid = {
            name
            for name in ("differs", "instead_of", "on_paper")
            if getattr(self, name) in ([], None)
        }
        return self.model_copy(update=said).model_dump_json(exclude=unsaid)


class Confirmation(_Said):
    """A confirmation. Of another agency's it names the sections you read."""

    stated_on: Day | None = Field(
        description="The day that was sent, if it lies ahead."
        " The day of receipt counts in its stead."
    )
    as_sent: dict[str, Any] | None = Field(
        description="What of it could not be read, as it was sent, by field; null if all could, and"
        " for who does not read all that its author does."
    )
    region_code: RegionCode
    author: UUID | None = Field(description="The staff member who confirmed it.")
    as_role: str | None = Field(max_length=60, pattern="^[a-z_]+$", description="In what role.")
    agency_id: UUID = Field(description="The agency they did so for.")
    received_at: datetime = Field(description="When the service received it.")
    entered_at: datetime | None = Field(
        description="When all that was said to differ had been entered: each section was changed"
        " after it was said, and whoever writes it confirmed that since (`changed`)."
    )
