"""The public holidays of the nation, and the calendars that know better."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from app.core.data_files import plain


@cache
def public_holidays() -> Mapping[date, bool]:
    """Days that differ from Monday to Friday in the whole nation: True is a make-up working day."""
    text = files("app.attendance").joinpath("data/public_holidays.yaml").read_text("utf-8")
    days: dict[date, bool] = {}
    for holidays in plain(text).values():
        for holiday in holidays:
            first, last = holiday["closed"]
            days |= {first + timedelta(n): False for n in range((last - first).days + 1)}
            days |= dict.fromkeys(holiday["open"], True)
    return days


def nearest(calendar: Iterable[tuple[int, date, bool]]) -> Mapping[date, bool]:
    """Merge local calendars over the public holidays. Entries are (rank, day, is school day);
    of several for one day the lowest rank, the nearest calendar, wins.
    """
    local = {day: is_open for _, day, is_open in sorted(calendar, reverse=True)}
    return {**public_holidays(), **local}
