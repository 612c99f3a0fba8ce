"""What travels on the wire about breaches."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.breaches.models import BreachKind, BreachState, ToldOfBreach
from app.core.http.wire import (
    Input,
    KnownMoment,
    Permitted,
    PermittedByTwo,
    Prose,
    RegionCode,
    Version,
)

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b77"
By = Annotated[str, Field(max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$")]
Children = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class BreachCreate(Input):
    """That data was leaked, altered or lost, or may have been."""

    kind: BreachKind = Field(description="What happened.")
    found_at: KnownMoment | None = Field(
        default=None, description="When it was found; now, unless given. The times run from then."
    )
    began_at: KnownMoment | None = Field(default=None, description="Since when it went on.")
    ended_at: KnownMoment | None = Field(default=None, description="When it ended.")
    children: Children | None = Field(
        default=None, description="Of how many children, as far as that is known."
    )
    what: Prose = Field(description="What happened; stored encrypted. No child is named here.")
    measures: Prose = Field(description="What was done; stored encrypted.")

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.began_at and self.ended_at and self.ended_at < self.began_at:
            raise PydanticCustomError("breach_period", "It ended before it began.")
        return self


class BreachToldCreate(Input):
    """That somebody was told."""

    whom: ToldOfBreach = Field(description="Who.")
    told_at: KnownMoment | None = Field(default=None, description="When; now, unless given.")
    number: Children | None = Field(default=None, description="How many, of families.")


class BreachClosure(Input):
    """Why it is closed."""

    words: Prose = Field(description="What came of it; stored encrypted.")
    harmless: StrictBool = Field(
        default=False,
        description="Whether what was done keeps all harm off, so that families need not be told"
        " (个人信息保护法 57, second paragraph). The authority is told all the same.",
    )


class BreachTold(BaseModel):
    """That somebody was told."""

    whom: ToldOfBreach = Field(description="Who.")
    told_at: datetime = Field(description="When.")
    number: Children | None = Field(description="How many; null if that was not said.")
    recorded_by: By = Field(description="Who recorded it.")


class BreachClosed(BaseModel):
    """That it was closed."""

    words: Prose = Field(description="What came of it.")
    closed_at: datetime = Field(description="When.")
    closed_by: By = Field(description="By whom.")


class Breach(BaseModel):
    """A breach, and who was told of it."""

    id: UUID = Field(description="Its id.", examples=[_ID])
    agency_id: UUID = Field(description="Whose it is.")
    region_code: RegionCode
    kind: BreachKind = Field(description="What happened.")
    found_at: datetime = Field(description="When it was found.")
    began_at: datetime | None = Field(description="Since when it went on; null: not known.")
    ended_at: datetime | None = Field(description="When it ended; null: not known.")
    children: Children | None = Field(description="Of how many children; null: not known.")
    what: Prose = Field(description="What happened.")
    measures: Prose = Field(description="What was done.")
    report_due_at: datetime = Field(description="By when the cyberspace authority is told.")
    tell_due_at: datetime = Field(description="By when children and guardians are told.")
    told: list[BreachTold] = Field(max_length=1000, description="Who was told, as recorded.")
    late: list[ToldOfBreach] = Field(
        max_length=2, description="Who should have been told by now and was not."
    )
    state: BreachState = Field(description="Where it stands.")
    closure: BreachClosed | None = Field(description="That it was closed; else null.")
    recorded_by: By = Field(description="Who recorded it.")
    recorded_at: datetime = Field(description="When.")
    version: Version
    permitted: Permitted
    permitted_by_two: PermittedByTwo
