"""Column types that SQLModel's defaults get wrong."""

from sqlalchemy import DateTime


class Instant(DateTime):
    """`timestamptz`: an instant, always aware. `Field(sa_type=Instant)`."""

    def __init__(self, timezone: bool = True) -> None:  # noqa: FBT001, FBT002  SQLAlchemy's own
        super().__init__(timezone=timezone)
