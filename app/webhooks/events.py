"""What mandatory deliveries announce, to those who may hear of the event delivered (AZ-8).

Higher features answer: the police report notes its delivery, duties are opened.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from app.core.jobs.events import Event


class DeliverySucceeded(Event):
    """A mandatory delivery was answered 2xx for the first time. `subject_id`: the event's own."""

    wire_name: ClassVar[str] = "webhooks.delivery_succeeded"
    subject: ClassVar[str] = "thing delivered"

    delivery_id: UUID = Field(description="The delivery.")
    source_event_id: UUID = Field(description="The event that was delivered.")
    source_wire_name: str = Field(description="What kind of event was delivered.")
    agency_id: UUID = Field(description="The agency whose endpoint received it.")


class WebhookOverdue(Event):
    """A mandatory delivery is undelivered a quarter of an hour after it was queued: tell people."""

    wire_name: ClassVar[str] = "webhooks.delivery_overdue"
    subject: ClassVar[str] = "thing delivered"

    delivery_id: UUID = Field(description="The delivery.")
    source_event_id: UUID = Field(description="The event not yet delivered.")
    source_wire_name: str = Field(description="What kind of event is not yet delivered.")
    agency_id: UUID = Field(description="The agency whose endpoint does not take it.")
