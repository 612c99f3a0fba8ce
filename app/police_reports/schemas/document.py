"""What is printed of a report."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from app.police_reports.schemas import ReportId, ShortText, Text


class DocumentLine(BaseModel):
    """One line of a paper."""

    label: ShortText = Field(description="What it is about, in Chinese.", examples=["安全处境"])
    text: Text = Field(description="What is said of it, in Chinese or as it was written.")


class AssessmentDocument(BaseModel):
    """The file of an assessment, to be printed as it stands (REP-16)."""

    report_id: ReportId
    title: ShortText = Field(description="Its title.", examples=["儿童调查评估档案"])
    made_at: datetime = Field(description="When it was made out.")
    lines: Annotated[list[DocumentLine], Field(max_length=1000)] = Field(
        description="Its lines, in order: the child, each assessment, each service and its outcome."
    )
