"""Columns that SQLModel's defaults get wrong, or do not know."""

from collections.abc import Iterable

from sqlalchemy import CheckConstraint, Column, DateTime, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

Instant = DateTime(timezone=True)
"""`timestamptz`: an instant, always aware. `Field(sa_type=Instant)`."""

OF_TRANSACTION = {"server_default": text("(pg_current_xact_id()::text)::bigint")}
"""A column for the number of the transaction that wrote the row: it orders feeds safely (F4)."""


def code_list() -> Column[list[str]]:
    """Make a column for a list of codes, empty unless given. `Field(sa_column=code_list())`."""
    return Column(ARRAY(Text), nullable=False, server_default="{}")


def one_of(column: str, codes: Iterable[str]) -> CheckConstraint:
    """Let a column hold nothing but these codes: a StrEnum, or `get_args` of a Literal."""
    listed = ", ".join(f"'{code}'" for code in codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
