"""The divisions over time: one row per code and period of validity."""

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.core.data import distribution, rls

SINCE_EVER = date(1900, 1, 1)
"""`valid_from` of a division whose beginning the source does not state."""


class Region(SQLModel, table=True):
    """One division for one period: its name, level and place in the tree.

    `valid_until` is the last day the code holds, null while it does. `successor_code` is the code
    that took its place, so that what was filed under the old code is still found.
    """

    __tablename__ = "regions"
    __table_args__: Any = (
        CheckConstraint(
            "level IN ('province', 'prefecture', 'county', 'township', 'village')", name="level"
        ),
        CheckConstraint("code > 0 AND code < 1000000000000", name="code"),
        CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name="period"),
        CheckConstraint(
            "successor_code IS NULL OR (valid_until IS NOT NULL AND successor_code <> code)",
            name="successor",
        ),
        CheckConstraint(
            "succession IS NULL"
            " OR (succession IN ('whole', 'merged', 'split') AND successor_code IS NOT NULL)",
            name="succession",
        ),
        Index("uq_regions_open", "code", unique=True, postgresql_where=text("valid_until IS NULL")),
        Index("ix_regions_parent_code_code", "parent_code", "code"),
        Index("ix_regions_level_code", "level", "code"),
        Index("ix_regions_name", "name", postgresql_ops={"name": "text_pattern_ops"}),
    )

    code: int = Field(
        primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False}
    )
    valid_from: date = Field(
        default=SINCE_EVER,
        primary_key=True,
        sa_column_kwargs={"server_default": text("'1900-01-01'")},
    )
    name: str
    level: str
    parent_code: int = Field(sa_type=BigInteger)
    """0 above a province."""
    valid_until: date | None = None
    successor_code: int | None = Field(default=None, sa_type=BigInteger)
    succession: str | None = None
    """How the successor took over: `whole`, all that lay in the one lies in the other under the
    same last digits; `merged`, together with other places; `split`, the largest part of it. Null
    while the code holds, and where nobody said.
    """
    source: str
    """Which edition of the table of divisions says so."""


distribution.everywhere("regions")
rls.allow("regions", "SELECT, INSERT, UPDATE")
