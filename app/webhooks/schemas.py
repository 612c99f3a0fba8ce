"""What travels on the wire about endpoints and deliveries."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictInt
from pydantic_core import PydanticCustomError

from app.core.http.wire import GivenRegion, Input, Line, Permitted, ShownRegion, Version
from app.webhooks.models import State


def _distinct(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("items_repeated", "An item is repeated.")
    return values


EventType = Annotated[
    str,
    Field(
        max_length=80,
        pattern=r"^[a-z_]+\.(?:[a-z_]+|\*)$",
        description="A wire name, or `package.*` for all events of a package.",
        examples=["police_reports.report_filed"],
    ),
]
EventTypes = Annotated[
    list[EventType],
    Field(min_length=1, max_length=50, description="The events the endpoint takes."),
    AfterValidator(_distinct),
]
Url = Annotated[
    str,
    Field(
        min_length=8,
        max_length=2000,
        pattern=r"^https?://[!-~]+$",
        description="Where to deliver: https, a public host name, a permitted port.",
        examples=["https://receiver.example.org/tonghu"],
    ),
]
Description = Annotated[
    Line, Field(description="What the endpoint is for.", examples=["Case system, reports"])
]


class EndpointCreate(Input):
    """An endpoint to be registered for the caller's own agency."""

    url: Url
    description: Description
    event_types: EventTypes
    region_code: GivenRegion | None = Field(
        default=None,
        description="Take events of this region only; by default the caller's whole remit.",
    )


class EndpointChange(Input):
    """What is to be changed about an endpoint; what is left out stays."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None
    active: StrictBool | None = Field(
        default=None, description="False: none sent; what is for it is held for thirty days."
    )

    @property
    def turns(self) -> bool:
        """Whether the agency is told elsewhere, of something else, or when it was not."""
        return any(each is not None for each in (self.url, self.event_types, self.active))


class SecretRotation(Input):
    """How long the old secret goes on signing beside the new one."""

    overlap_hours: StrictInt = Field(
        default=24,
        ge=0,
        le=168,
        description="Hours for which both secrets sign; 0 revokes the old one at once.",
        examples=[24],
    )


class Endpoint(BaseModel):
    """A webhook endpoint of the caller's agency."""

    id: UUID = Field(description="The endpoint.", examples=["0198c0de-0000-7000-8000-000000000001"])
    agency_id: UUID = Field(description="The agency that is told.")
    url: Url
    description: Description
    event_types: EventTypes
    mandatory: bool = Field(
        description="True if the agency must be told: deliveries to it are tried without end."
    )
    region_code: ShownRegion
    active: bool = Field(
        description="False: none sent; what is for it is held for thirty days, and sent on return."
    )
    previous_secret_until: datetime | None = Field(
        description="Until when the secret before the current one signs too."
    )
    version: Version
    created_at: datetime = Field(description="When it was registered.")
    updated_at: datetime = Field(description="When it was last changed.")
    permitted: Permitted


class EndpointWithSecret(Endpoint):
    """An endpoint and its new signing secret, which is never shown again."""

    secret: str = Field(
        max_length=60,
        pattern=r"^whsec_[A-Za-z0-9+/]+=*$",
        description="Standard Webhooks secret. Keep it safe: it is not shown again.",
        examples=["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
    )


class Delivery(BaseModel):
    """One event on its way to one endpoint."""

    id: UUID = Field(description="The delivery.", examples=["0198c0de-0000-7000-8000-000000000002"])
    webhook_id: str = Field(
        max_length=40,
        pattern=r"^msg_[A-Za-z0-9_-]{27}$",
        description="The `webhook-id` header: the same on every attempt.",
        examples=["msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"],
    )
    endpoint_id: UUID = Field(description="The endpoint.")
    event_id: UUID = Field(description="The event delivered.")
    event_type: str = Field(
        max_length=80, pattern=r"^[a-z_.]+$", description="The event's wire name."
    )
    subject_id: UUID = Field(description="What the event is about; deliveries keep order per it.")
    sequence: int = Field(
        ge=1, le=2**63 - 1, description="Order among the facts about the subject."
    )
    delivery_class: Literal["M", "S"] = Field(
        description="M: mandatory, tried without end. S: tried for thirty days."
    )
    state: State = Field(description="Where it stands; `leased`: being sent now.")
    attempts: int = Field(ge=0, le=2**31 - 1, description="Attempts begun so far.")
    next_attempt_at: datetime | None = Field(description="When it is tried next.")
    created_at: datetime = Field(description="When it was queued.")
    delivered_at: datetime | None = Field(description="When it was first answered 2xx.")
    closed_at: datetime | None = Field(description="When a person ended it undelivered.")
    permitted: Permitted


class Attempt(BaseModel):
    """One attempt to deliver and what came of it."""

    number: int = Field(ge=1, le=2**31 - 1, description="Counts from 1; a gap is a lost worker.")
    trigger: Literal["auto", "manual"] = Field(description="By schedule or asked for by hand.")
    started_at: datetime = Field(description="When it began.")
    duration_ms: int = Field(ge=0, le=2**31 - 1, description="How long it took, milliseconds.")
    address: str | None = Field(
        max_length=60, pattern=r"^[0-9a-f.:%]+$", description="The address dialled."
    )
    status: int | None = Field(ge=100, le=999, description="The HTTP status answered.")
    error: str | None = Field(
        max_length=40, pattern=r"^[a-z0-9_]+$", description="Why there was no 2xx, as a code."
    )
    response: str | None = Field(
        max_length=16_384,
        pattern=r"^[^\x00]*$",
        description="The first 16 KiB of the answer, as UTF-8.",
    )
    response_truncated: bool = Field(description="True if the answer was longer than shown.")
    key_ids: list[Annotated[str, Field(max_length=12, pattern=r"^[0-9a-f]{12}$")]] = Field(
        max_length=2, description="Which secrets signed, newest first."
    )


class DeliveryWithAttempts(Delivery):
    """A delivery, the exact bytes sent, and its latest attempts."""

    body: str = Field(
        max_length=262_144,
        pattern=r"^[^\x00]*$",
        description="The body: these very bytes are signed and sent on every attempt.",
    )
    attempt_log: list[Attempt] = Field(
        max_length=200, description="The latest attempts, newest first."
    )


class Closure(Input, title="DeliveryClosure"):
    """Why a mandatory delivery need not be tried any more."""

    reason: Line = Field(
        description="How the agency was told instead. Name no child.",
        examples=["Told by telephone; the duty officer has taken it down"],
    )


class FeedEvent(BaseModel):
    """One event of the feed: what a delivery of it tells."""

    id: UUID = Field(description="Names the event.")
    type: str = Field(max_length=80, pattern=r"^[a-z_.]+$", description="The event's wire name.")
    timestamp: datetime = Field(description="When it happened.")
    subject_id: UUID = Field(description="What it is about; the feed keeps order per it.")
    sequence: int = Field(
        ge=1, le=2**63 - 1, description="Order among the facts about the subject."
    )
    data: dict[str, Any] = Field(
        description="The event's own fields, as in a webhook of its type: ids and codes only."
    )


class Feed(BaseModel):
    """Some events, oldest first, and where to go on."""

    items: list[FeedEvent] = Field(max_length=200, description="The events, in order.")
    next_cursor: str = Field(
        max_length=400,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Keep it, and pass it as `cursor` to go on from here, now or any time later.",
    )
    more: bool = Field(
        description="True: go on at once. False: nothing more has happened yet; ask again later."
    )
