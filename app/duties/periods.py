"""The periods for which something is owed anew. Pure.

The calendar is the Chinese one: a period begins at midnight in China, not in UTC. Weeks begin on
Monday. A term is that of 1 September to the last day of February, or of 1 March to 31 August.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from app.core.clock import CHINA

Every = Literal["week", "two_weeks", "month", "quarter", "half_year", "year", "term", "school_year"]
_QUARTER: Final = re.compile(r"(\d{4})Q([1-4])")
_A_MONDAY: Final = date(2016, 1, 4)
"""From which fortnights are counted."""
_AUTUMN, _SPRING = 9, 3
"""The months in which terms begin."""


class BadPeriod(ValueError):
    """The text names no quarter."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days in China. `code` is like `2026Q4`, `last` its last day."""

    code: str
    first: date
    last: date

    @property
    def begins(self) -> datetime:
        """The first instant of it."""
        return datetime.combine(self.first, time(), CHINA)

    @property
    def ends(self) -> datetime:
        """The first instant after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), CHINA)


def period_of(every: Every, day: date) -> Period:
    """Return the period of a kind in which a day lies."""
    return _PERIODS[every](day)


def year_until(ending: str, day: date) -> Period:
    """Return the year in which a day lies that ends with a day like `07-15`. Its code: that day."""
    last = date.fromisoformat(f"{day.year + (f'{day:%m-%d}' > ending):04d}-{ending}")
    first = date.fromisoformat(f"{last.year - 1:04d}-{ending}") + timedelta(days=1)
    return Period(last.isoformat(), first, last)


def quarter(code: str) -> Period:
    """Return the quarter of a code like `2026Q4`; raises BadPeriod."""
    match = _QUARTER.fullmatch(code)
    if match is None or not 1 < int(match[1]) < date.max.year:
        raise BadPeriod
    return quarter_of(date(int(match[1]), int(match[2]) * 3, 1))


def quarter_of(day: date) -> Period:
    number = (day.month - 1) // 3 + 1
    return _months(f"{day.year:04d}Q{number}", date(day.year, number * 3 - 2, 1), 3)


def _months(code: str, first: date, months: int) -> Period:
    further, month = divmod(first.month - 1 + months, 12)
    following = date(first.year + further, month + 1, 1)
    return Period(code, first, following - timedelta(days=1))


def _week(day: date) -> Period:
    year, week, weekday = day.isocalendar()
    monday = day - timedelta(days=weekday - 1)
    return Period(f"{year:04d}W{week:02d}", monday, monday + timedelta(days=6))


def _two_weeks(day: date) -> Period:
    monday = day - timedelta(days=(day - _A_MONDAY).days % 14)
    return Period(f"{monday:%Y-%m-%d}F", monday, monday + timedelta(days=13))


def _month(day: date) -> Period:
    return _months(f"{day:%Y-%m}", day.replace(day=1), 1)


def _half_year(day: date) -> Period:
    half = 1 if day.month <= 6 else 2  # noqa: PLR2004  June
    return _months(f"{day.year:04d}H{half}", date(day.year, half * 6 - 5, 1), 6)


def _year(day: date) -> Period:
    return _months(f"{day.year:04d}", date(day.year, 1, 1), 12)


def _school_year(day: date) -> Period:
    year = day.year if day.month >= _AUTUMN else day.year - 1
    return _months(f"{year:04d}S", date(year, _AUTUMN, 1), 12)


def _term(day: date) -> Period:
    year = _school_year(day).first.year
    if _SPRING <= day.month < _AUTUMN:
        return _months(f"{year:04d}T2", date(year + 1, _SPRING, 1), 6)
    return _months(f"{year:04d}T1", date(year, _AUTUMN, 1), 6)


_PERIODS: Final[Mapping[Every, Callable[[date], Period]]] = {
    "week": _week,
    "two_weeks": _two_weeks,
    "month": _month,
    "quarter": quarter_of,
    "half_year": _half_year,
    "year": _year,
    "term": _term,
    "school_year": _school_year,
}
