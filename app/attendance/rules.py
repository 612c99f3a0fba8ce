"""What attendance means: school days, half days missed without leave, days in a row. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from app.attendance.models import Category, Session

Slots = Mapping[Session, Category]
"""What is believed of one child's one day, by session."""

_WEEKEND = 5


def is_school_day(day: date, exceptions: Mapping[date, bool]) -> bool:
    """Tell whether there is school: Monday to Friday, unless the calendar says otherwise."""
    return exceptions.get(day, day.weekday() < _WEEKEND)


def said_of_halves(slots: Slots) -> tuple[Category | None, Category | None]:
    """Say what is believed of morning and afternoon; None: nothing. What
    was said of a half beats what was said of the whole day: whoever said it knew more.
    """
    whole = slots.get("whole_day")
    morning, afternoon = (
        whole if slots.get(half) in {None, "withdrawn"} else slots.get(half)
        for half in ("morning", "afternoon")
    )
    return morning, afternoon


_THERE: Final = frozenset({"present", "late", "left_early"})
HALVES: Final = 2
"""What a whole day counts: half days missed add up."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Half days missed without leave.

    `missed`: by day, in order, how many of its halves. `run`: the days at the end since the child
    was last said to have been there. `back`: the day since which it is there again: the first on
    which that was said after all that was missed.
    """

    missed: Mapping[date, int]
    run: tuple[date, ...]
    back: date | None

    def whole_days(self, days: Iterable[date]) -> int:
        """Add the halves missed on some days up to whole days."""
        return sum(self.missed[day] for day in days) // HALVES


def absence(slots_by_day: Mapping[date, Slots], exceptions: Mapping[date, bool]) -> Absence:
    """Count what was missed of school days without leave (EDU-01; `dropout.thresholds`).

    A day says something only by what was said of the child. Silence and leave neither count nor
    interrupt: nobody was seen. A day on which the child was seen and missed nothing interrupts.
    """
    missed: dict[date, int] = {}
    run: list[date] = []
    back = None
    for day in sorted(day for day in slots_by_day if is_school_day(day, exceptions)):
        halves = said_of_halves(slots_by_day[day])
        if gone := halves.count("unexcused"):
            missed[day] = gone
            run.append(day)
            back = None
        elif _THERE.intersection(halves):
            run.clear()
            back = back or day
    return Absence(missed, tuple(run), back)
