"""What travels on the wire about the accounts of people."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.http.wire import Input, Moment, Name, Permitted, PermittedByTwo

Username = Annotated[
    str,
    Field(
        min_length=3,
        max_length=64,
        pattern=r"^[A-Za-z0-9._@-]+$",
        description="What they sign in with.",
        examples=["li.na"],
    ),
]
Opens = Literal["account", "password", "second_factor"]
_Code = Annotated[str, Field(max_length=24, pattern=r"^[a-z0-9-]+$")]
_Shown = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class StaffCreate(Input):
    """A person who is to work for an agency."""

    agency_id: UUID | None = Field(
        default=None, description="Who employs them; your agency unless given."
    )
    name: Name = Field(description="Their name.", examples=["李娜"])
    username: Username


class Invitation(BaseModel):
    """A code that lets a person set something up by themselves."""

    code: _Code = Field(
        description="Shown this once: hand it to the person. They enter it at /oauth/invitation."
    )
    expires_at: Moment = Field(description="When it stops working.")
    opens: Opens = Field(description="A first password, a new one, or a second factor.")


class OpenInvitation(BaseModel):
    """A code that somebody was given and has not used."""

    opens: Opens = Field(description="A first password, a new one, or a second factor.")
    expires_at: Moment = Field(description="Until when it works; shown afterwards, too.")


class StaffMember(BaseModel):
    """A person an agency employs, and how they sign in."""

    id: UUID = Field(description="The person.")
    agency_id: UUID = Field(description="Who employs them.")
    name: _Shown = Field(description="Their name.")
    username: Username | None = Field(description="What they sign in with, if they can.")
    state: Literal["invited", "active", "suspended", "ended", "without_account"] = Field(
        description="Invited: they have not chosen a password yet."
    )
    has_second_factor: bool = Field(description="Whether a second factor is set up.")
    created_at: Moment = Field(description="When they were entered.")
    open_invitation: OpenInvitation | None = Field(
        description="What they were invited to set up and have not; null if nothing."
    )
    permitted: Permitted
    permitted_by_two: PermittedByTwo


class StaffInvited(StaffMember):
    """A person who was just entered."""

    invitation: Invitation


class DeviceCode(BaseModel):
    """A code by which a person's phone is enrolled."""

    code: _Code = Field(description="Shown this once: hand it to the person, for their phone.")
    expires_at: Moment = Field(description="When it stops working.")


class Device(BaseModel, title="EnrolledDevice"):
    """A phone whose key is a factor of one person."""

    id: UUID = Field(description="The phone.")
    name: _Shown = Field(description="Which phone it is, as its person said.")
    enrolled_at: Moment = Field(description="When it was enrolled.")
    seen_at: Moment = Field(description="When it last proved itself.")
    lease_until: Moment = Field(description="Until when its store opens without hearing from us.")
    revoked_at: Moment | None = Field(description="When it was revoked; null while it counts.")
