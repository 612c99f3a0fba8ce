"""What travels on the wire about looks from elsewhere."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.agencies.models import AgencyKind
from app.agencies.schemas import Contact
from app.children.sections.identity import ResidentNumber
from app.core.http.wire import Day, Input, Line, Name, ShownRegion
from app.elsewhere.models import DeskService, LookReason, Sought

_ID = "0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b55"


class LookElsewhereCreate(Input):
    """Who stands at the desk: by resident number, or by name and birth date."""

    resident_id: ResidentNumber | None = Field(
        default=None, description="居民身份证号; never stored by this."
    )
    name: Name | None = Field(default=None, description="The name; never stored by this.")
    birth_date: Day | None = Field(default=None, description="The date of birth, with the name.")
    service: DeskService = Field(description="At what desk the child stands.")
    why: LookReason = Field(description="Why you ask; the child's worker is told.")

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        by_name = self.name is not None and self.birth_date is not None
        partly = (self.name is None) != (self.birth_date is None)
        if partly or (self.resident_id is None) != by_name:
            said = "Say `resident_id`, or `name` and `birth_date`."
            raise PydanticCustomError("one_person", said)
        return self


class OfficeToCall(BaseModel):
    """An office, and how anybody reaches it."""

    agency_id: UUID = Field(description="The office.", examples=[_ID])
    name: Line = Field(description="Its name.")
    region_code: ShownRegion = Field(description="The division it serves.")
    public_contact: Contact | None = Field(
        description="How anybody reaches it; null if it told none."
    )


class LookAnswer(BaseModel):
    """A flag and whom to call, nothing else: in one shape, whether or not somebody was found."""

    id: UUID = Field(description="The look's id.", examples=[_ID])
    known: bool = Field(
        description="Whether a child of this number, or of this name and birth date, has a file."
        " False is no good news: the child may be known by another name, or to nobody yet."
    )
    call: list[OfficeToCall] = Field(
        max_length=3,
        description="Whom to call: civil affairs of where the child lives; if nobody is known, of"
        " where you are. Empty only where no office is registered.",
    )
    otherwise: Literal["report_suspected_harm"] = Field(
        description="Whatever this says: who suspects harm reports it to the police (REP-01)."
    )


class LookElsewhere(BaseModel):
    """That somebody asked, from where and why."""

    id: UUID = Field(description="This entry's id.", examples=[_ID])
    look_id: UUID = Field(description="The look: one that found two children is two entries.")
    looked_at: datetime = Field(description="When.")
    looked_by: str = Field(
        max_length=50, pattern=r"^[a-z]+(:[0-9a-f-]{36})?$", description="Who asked."
    )
    agency_id: UUID = Field(description="For which agency.")
    agency_kind: AgencyKind = Field(description="What it is.")
    role: str = Field(max_length=40, pattern=r"^[a-z_]+$", description="In what role.")
    looked_from: ShownRegion = Field(description="The division that they serve.")
    purpose: str = Field(max_length=40, pattern=r"^[a-z]+$", description="For what purpose.")
    service: DeskService = Field(description="At what desk the child stood.")
    why: LookReason = Field(description="Why they asked.")
    sought_by: Sought = Field(description="By what.")
    known: bool = Field(description="Whether they were told that a child is known.")
    child_id: UUID | None = Field(
        description="The child, to who looks after it; null to the desk and if nobody was found."
    )
