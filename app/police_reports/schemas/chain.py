"""What is shown as the proof of a report."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from app.police_reports.schemas import ReportId, ShortText, Stands, StepShown
from app.webhooks.models import State as DeliveryState


class AttemptShown(BaseModel):
    """One attempt to reach the police's system."""

    number: int = Field(ge=1, le=2_147_483_647, description="Counted from 1.")
    at: datetime = Field(description="When it began.")
    status: Annotated[int, Field(ge=100, le=999)] | None = Field(
        description="HTTP status answered; null if none came."
    )


class DeliveryShown(BaseModel):
    """One message to the police's system."""

    webhook_id: ShortText = Field(description="The id on every attempt.")
    agency_id: UUID = Field(description="The police agency.")
    state: DeliveryState = Field(description="Where the delivery stands.")
    queued_at: datetime = Field(description="When it was queued.")
    delivered_at: datetime | None = Field(description="When it was first answered 2xx.")
    attempt_count: int = Field(ge=0, le=2_147_483_647, description="How often it was tried.")
    attempts: list[AttemptShown] = Field(
        max_length=20, description="The latest attempts, oldest first."
    )


class Chain(Stands):
    """The proof of a report: filed, delivered, accepted, handled, told on."""

    report_id: ReportId
    police_reference: ShortText | None = Field(description="The police's own number.")
    deliveries: list[DeliveryShown] = Field(
        max_length=50, description="Messages to the police, in order."
    )
    steps: list[StepShown] = Field(
        max_length=1000, description="Steps, in the order in which they were taken."
    )
