"""The file of a child: current state in `children`, dated facts and history beside it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from app.core import rls
from app.core.columns import Instant
from app.core.ids import new_id


class Child(SQLModel, table=True):
    """One child, as known now.

    `home_county` is the county that opened the file and never changes (D14); `region_code` is where
    the child lives now. `school_id` is the school agency the child is enrolled at now.
    """

    __tablename__ = "children"
    __table_args__: Any = (
        CheckConstraint("sex IN ('male', 'female', 'unknown')", name="sex"),
        Index("ix_children_region_code_id", "region_code", "id"),
        Index("ix_children_school_id_id", "school_id", "id"),
        Index("uq_children_home_county_id", "home_county", "id", unique=True),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    home_county: int = Field(sa_type=BigInteger)
    region_code: int = Field(sa_type=BigInteger)
    school_id: UUID | None = Field(default=None, foreign_key="agencies.id")
    name: str
    name_pinyin: str = ""
    sex: str
    birth_date: date
    categories: list[str] = Field(
        sa_column=Column(ARRAY(Text), nullable=False, server_default="{}"), default_factory=list
    )
    """Derived: left-behind, orphan, difficulty classes; see rules.py."""
    priority_flags: list[str] = Field(
        sa_column=Column(ARRAY(Text), nullable=False, server_default="{}"), default_factory=list
    )
    """Derived: DEF-18 groups that must be visited every quarter without exception (VIS-02)."""
    version: int = 1
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


rls.protect(
    "children",
    using=f"region_code >= {rls.LO} AND region_code < {rls.HI}"
    f" AND ({rls.SCHOOL} IS NULL OR school_id = {rls.SCHOOL})",
    privileges="SELECT, INSERT, UPDATE",
)
