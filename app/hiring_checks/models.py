"""Whether police or procuratorate know of a crime against somebody's coming near children."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.core.data import distribution, retention, rls
from app.core.data.columns import Instant, one_of
from app.core.ids import new_id


class CheckResult(StrEnum):
    """What came of it. Never why: that stays with who answered."""

    asked = "asked"
    clear = "clear"
    not_clear = "not_clear"
    no_answer = "no_answer"
    """Asked, and not answered. It is not clear, and not the other either."""


class HiringCheck(SQLModel, table=True):
    """One question about a person, put by who employs them, or who oversees that, and its answer.

    `agency_id`: their employer then, which stands in `region_code`. `office_id`: the police or
    procuratorate asked. `asked_by`, `recorded_by`: who wrote it down; none for a system.
    """

    __tablename__ = "hiring_checks"
    __table_args__: Any = (
        one_of("result", CheckResult),
        CheckConstraint("(result = 'asked') = (answered_on IS NULL)", name="answered"),
        CheckConstraint("answered_on >= asked_on", name="in_order"),
        Index("ix_hiring_checks_staff_id", "staff_id", "asked_on", "id"),
        Index("ix_hiring_checks_agency_id_id", "agency_id", "id"),
        Index("ix_hiring_checks_result_id", "result", "id"),
        Index("ix_hiring_checks_region_code_id", "region_code", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    staff_id: UUID = Field(foreign_key="staff.id")
    agency_id: UUID = Field(foreign_key="agencies.id")
    region_code: int = Field(sa_type=BigInteger)
    office_id: UUID = Field(foreign_key="agencies.id")
    asked_on: date
    asked_by: UUID | None = Field(default=None, foreign_key="staff.id")
    result: str = CheckResult.asked
    answered_on: date | None = None
    recorded_by: UUID | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Instant)


distribution.everywhere("hiring_checks")
rls.protect(
    "hiring_checks",
    using=rls.case((rls.SYSTEM, "true"), (rls.own("agency_id"), "true"), (rls.IN_RANGE, "true")),
    privileges="SELECT, INSERT, UPDATE",
)
retention.for_ever(
    "hiring_checks", "that somebody was checked before they came near children (未保法 Art. 62)"
)
