"""Columns that SQLModel's defaults get wrong, or do not know."""

from collections.abc import Iterable

from sqlalchemy import CheckConstraint, DateTime


class Instant(DateTime):
    """`timestamptz`: an instant, always aware. `Field(sa_type=Instant)`."""

    def __init__(self, timezone: bool = True) -> None:  # noqa: FBT001, FBT002  SQLAlchemy's own
        super().__init__(timezone=timezone)


def one_of(column: str, codes: Iterable[str]) -> CheckConstraint:
    """Let a column hold nothing but these codes: a StrEnum, or `get_args` of a Literal."""
    listed = ", ".join(f"'{code}'" for code in codes)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
