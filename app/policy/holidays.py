"""The public holidays of the nation, and which days are working days. Pure, but for its table."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

from app.core.data_files import plain

_SATURDAY: Final = 5
_FIXED: Final = ((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3))
"""Days off, month and day, in years the table does not have (全国年节及纪念日放假办法): those
that follow the moon or the sun are not among them.
"""


@cache
def _tables() -> tuple[Mapping[int, Any], Mapping[int, Any]]:
    """Return the years with a notice of the State Council, and those that the law alone gives."""
    text = files("app.policy").joinpath("data/public_holidays.yaml").read_text("utf-8")
    years = plain(text)
    by_law = years.pop("by_law")
    return years, by_law


@cache
def of_year(year: int) -> Mapping[date, bool]:
    """Days of a year that differ from Monday to Friday: True is a make-up working day. Of a year
    without a notice, the days off that the law gives.
    """
    noticed, by_law = _tables()
    holidays = noticed.get(year) or by_law.get(year)
    if holidays is None:
        return {date(year, month, day): False for month, day in _FIXED}
    days: dict[date, bool] = {}
    for holiday in holidays:
        first, last = holiday["closed"]
        days |= {first + timedelta(n): False for n in range((last - first).days + 1)}
        days |= dict.fromkeys(holiday["open"], True)
    return days


def is_working(day: date) -> bool:
    """Tell whether offices work on a day."""
    return of_year(day.year).get(day, day.weekday() < _SATURDAY)


def working_days_after(day: date, number: int) -> date:
    """Return the day on which so many working days after a day are over."""
    while number > 0:
        day += timedelta(days=1)
        number -= is_working(day)
    return day
