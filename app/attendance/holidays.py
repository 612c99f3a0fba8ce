"""The calendars that know better than the nation's which days are school days."""

from collections.abc import Iterable, Mapping
from datetime import date

from app.policy import holidays


def nearest(
    calendar: Iterable[tuple[int, date, bool]], first: date, last: date
) -> Mapping[date, bool]:
    """Merge local calendars over the public holidays of the years from `first` to `last`. Entries
    are (rank, day, is school day); of several for one day the lowest rank, the nearest, wins.
    """
    public: dict[date, bool] = {}
    for year in range(first.year, last.year + 1):
        public |= holidays.of_year(year)
    local = {day: is_open for _, day, is_open in sorted(calendar, reverse=True)}
    return {**public, **local}
