"""What mandatory deliveries announce, to those who may hear of the event delivered (AZ-8)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import Field

from app.core.jobs.bodies import WireName
from app.core.jobs.events import Event


class _AboutDelivery(Event):
    subject: ClassVar[str] = "thing delivered"
    delivery_id: UUID = Field(description="The delivery.")
    source_event_id: UUID = Field(description="The event it carries.")
    source_wire_name: WireName = Field(description="What kind of event it carries.")
    agency_id: UUID = Field(description="The agency whose endpoint it goes to.")

    @classmethod
    def of(cls, delivery: Mapping[str, Any]) -> Self:
        """Make the event about a row of `webhook_deliveries`. `subject_id`: the event's own."""
        return cls(
            subject_id=delivery["ordering_key"],
            region_code=delivery["region_code"],
            home_county=delivery["home_county"],
            told_to=delivery["told_to"],
            delivery_id=delivery["id"],
            source_event_id=delivery["event_id"],
            source_wire_name=delivery["wire_name"],
            agency_id=delivery["agency_id"],
        )


class DeliverySucceeded(_AboutDelivery):
    """A mandatory delivery was answered 2xx for the first time. `subject_id`: the event's own."""

    wire_name: ClassVar[str] = "webhooks.delivery_succeeded"


class WebhookOverdue(_AboutDelivery):
    """A mandatory delivery is undelivered a quarter of an hour after it was queued: tell people."""

    wire_name: ClassVar[str] = "webhooks.delivery_overdue"
