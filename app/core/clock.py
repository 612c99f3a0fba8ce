"""The only place that reads the clock. Everything below the edge takes the time as a parameter."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
CHINA = ZoneInfo("Asia/Shanghai")
"""Deadlines, quarters and school days are counted on Chinese calendar days."""


def utc_now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one reading of the clock


EARLIEST: Final = datetime(1, 1, 3, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""Between these an instant has a day in every zone, and one before and after it."""


def within(instant: datetime) -> datetime:
    """Return an instant, or the nearest between `EARLIEST` and `LATEST`. Systems write the first or
    the last there is for none; one without a zone is PostgreSQL's infinity, as asyncpg gives it.
    """
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return aware if EARLIEST <= aware <= LATEST else min(max(aware, EARLIEST), LATEST)


def local_date(instant: datetime) -> date:
    """Return the Chinese calendar day on which an instant falls."""
    return within(instant).astimezone(CHINA).date()


@lru_cache(maxsize=512)  # a batch asks it of each event
def beginning(day: date) -> datetime:
    """Return when a Chinese calendar day begins."""
    return within(datetime.combine(day, time.min, CHINA))


def years_before(day: date, years: int) -> date:
    """Return the latest birthday of whoever is so many years old on a day. Born on 29 February, one
    is a year older on 1 March of common years.
    """
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February, of a year that has none
        return day.replace(year=day.year - years, day=28)
