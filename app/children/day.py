"""The day on which rules are asked, which notes when they may answer otherwise. Pure.

Rules are given this and no date, and it does nothing but say whether a day has come: so no rule can
read the calendar and forget to say when it changes. What rules read between two days that were
noted is the same, so they answer the same.
"""

from datetime import date, timedelta


class Day:
    """A day, and the next of those asked for that had not come: `changes_on`; None: none."""

    __slots__ = ("_on", "changes_on")

    def __init__(self, on: date) -> None:
        self._on = on
        self.changes_on: date | None = None

    def has_come(self, day: date) -> bool:
        """Whether it is this day, or later."""
        if day <= self._on:
            return True
        self._note(day)
        return False

    def is_over(self, day: date) -> bool:
        """Whether it is later than this day."""
        return day < date.max and self.has_come(day + timedelta(days=1))

    def within(self, since: date | None, last: date | None) -> bool:
        """Whether it is between two days, both of them included; None: open."""
        return (since is None or self.has_come(since)) and (last is None or not self.is_over(last))

    def _note(self, day: date) -> None:
        if self.changes_on is None or day < self.changes_on:
            self.changes_on = day


def months_after(since: date, months: int) -> date:
    """Return the day on which so many months are completed: where a month is too short for it, the
    first of the next.
    """
    year, month = divmod(since.year * 12 + since.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    try:
        return since.replace(year=year, month=month + 1)
    except ValueError:
        return date(year, month + 2, 1)  # December has all days


def birthday(birth_date: date, years: int) -> date:
    """Return when somebody turns so many years; who is born on 29 February, on 1 March in common
    years.
    """
    return months_after(birth_date, 12 * years)


def first_yearly(month: int, day: int, *, since: date) -> date:
    """Return the first such day of a year that is not before another."""
    found = date(since.year, month, day)
    return found if found >= since else date(since.year + 1, month, day)
