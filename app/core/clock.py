"""The only place that reads the clock. Everything below the edge takes the time as a parameter."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
CHINA = ZoneInfo("Asia/Shanghai")
"""Deadlines, quarters and school days are counted on Chinese calendar days."""


def utc_now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one reading of the clock


def local_date(instant: datetime) -> date:
    """Return the Chinese calendar day on which an instant falls."""
    return instant.astimezone(CHINA).date()
