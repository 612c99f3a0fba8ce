"""Checks of staff near children on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.http.wire import Day, Input, Moment, Permitted, ShownRegion
from app.hiring_checks.models import CheckResult

Role = Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$", description="Code of a role.")]


class HiringCheckCreate(Input):
    """Who was asked about whom."""

    staff_id: UUID = Field(description="The person.")
    office_id: UUID = Field(description="The police or procuratorate asked.")
    asked_on: Day = Field(description="When they were asked.")


class HiringCheckAnswer(Input):
    """What they answered, if it keeps nobody from children."""

    result: Literal["clear", "no_answer"] = Field(
        description="`clear`: nothing is known. `no_answer`: nobody answered, which is not clear."
    )
    answered_on: Day = Field(description="When, or when it was given up.")


class HiringCheckFinding(Input):
    """That they know something. Nobody writes here what: who answered has it."""

    answered_on: Day = Field(description="When they answered.")


class HiringCheck(BaseModel):
    """One check of a person, by date and result."""

    id: UUID = Field(description="The check.")
    staff_id: UUID = Field(description="The person.")
    agency_id: UUID = Field(description="Who employed them then.")
    region_code: ShownRegion
    office_id: UUID = Field(description="The police or procuratorate asked.")
    asked_on: Day = Field(description="When they were asked.")
    asked_by: UUID | None = Field(description="Who wrote that down; null for a system.")
    result: CheckResult = Field(description="What came of it; never why.")
    answered_on: Day | None = Field(description="When it was answered, or given up.")
    recorded_by: UUID | None = Field(description="Who wrote that down; null for a system.")
    recorded_at: Moment = Field(description="When it was first written down.")
    permitted: Permitted


class NearChildren(BaseModel):
    """Somebody who holds a post near children, and by when they are checked."""

    id: UUID = Field(description="The holding of the post.")
    staff_id: UUID = Field(description="The person.")
    agency_id: UUID = Field(description="The agency of the post.")
    post_id: UUID = Field(description="The post.")
    role: Role
    since: Day = Field(description="First day in the post.")
    clear_on: Day | None = Field(
        description="When they were last asked about and known to be clear; null: never."
    )
    due_on: Day = Field(description="The first day on which that is too long ago.")
    overdue: bool = Field(description="Whether that day has come.")
