"""Who made a report, as the police in charge read it (AZ-9)."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from app.access.approvals.schemas import Reason
from app.core.http.wire import Input
from app.police_reports.schemas import ShortText


class ReporterReading(Input):
    """Why somebody reads alone who reported."""

    reason: Reason = Field(
        description="Why it cannot wait for a second person.",
        examples=["孩子失联,须立即向报告人核实其最后出现的地点。"],
    )


class ReporterShown(BaseModel):
    """Who made a report."""

    anonymous: bool = Field(description="Whether the reporter stayed unnamed.")
    name: ShortText | None = Field(description="Name.")
    phone: ShortText | None = Field(description="Telephone number.")
    position: ShortText | None = Field(description="Position in the agency.")
    as_sent: dict[str, Any] | None = Field(
        description="What was said that may tell who they are and could not be read, by field; "
        "all that stands in fields nobody knows is here."
    )
    agency_id: UUID = Field(description="The agency that filed it.")
