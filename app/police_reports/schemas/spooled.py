"""What is shown of a report that waits to be filed."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.police_reports.schemas import ReportId


class Spooled(BaseModel):
    """A report was taken in, and is not filed yet."""

    report_id: ReportId
    received_at: datetime = Field(description="When it was taken in; it will be filed as of then.")
