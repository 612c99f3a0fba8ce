"""What attendance means: school days, whole days missed without leave, days in a row. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from app.attendance.models import Category, Session

Slots = Mapping[Session, Category]
"""What is believed of one child's one day, by session."""

_WEEKEND = 5


def is_school_day(day: date, exceptions: Mapping[date, bool]) -> bool:
    """Tell whether there is school: Monday to Friday, unless the calendar says otherwise."""
    return exceptions.get(day, day.weekday() < _WEEKEND)


def said_of_halves(slots: Slots) -> tuple[Category | None, Category | None]:
    """Say what is believed of morning and afternoon; None: nothing, so the child was there. What
    was said of a half beats what was said of the whole day: whoever said it knew more.
    """
    whole = slots.get("whole_day")
    morning, afternoon = (
        whole if slots.get(half) in {None, "withdrawn"} else slots.get(half)
        for half in ("morning", "afternoon")
    )
    return morning, afternoon


def missed_without_leave(slots: Slots) -> bool:
    """Tell whether a child missed a whole school day without leave."""
    return said_of_halves(slots) == ("unexcused", "unexcused")


@dataclass(frozen=True, slots=True)
class Absence:
    """Days missed without leave.

    `days`: all of them, in order. `run`: those at the end with no other school day after them or
    between them; empty if the child was there, or had leave, on the last day reported.
    `back`: the last day reported, if the child was there on it.
    """

    days: tuple[date, ...]
    run: tuple[date, ...]
    back: date | None


def absence(
    slots_by_day: Mapping[date, Slots], reported: Collection[date], exceptions: Mapping[date, bool]
) -> Absence:
    """Count school days missed without leave (EDU-01; `dropout.thresholds` counts school days).

    `reported`: days on which the school reported anything; on such a day a child without a slot
    was there. Days nobody reported say nothing and neither count nor interrupt.
    """
    days: list[date] = []
    run: list[date] = []
    back = None
    for day in sorted(day for day in reported if is_school_day(day, exceptions)):
        slots = slots_by_day.get(day, {})
        away = {"unexcused", "excused"}.issuperset(said_of_halves(slots))
        back = None if away else day
        if missed_without_leave(slots):
            days.append(day)
            run.append(day)
        else:
            run.clear()
    return Absence(tuple(days), tuple(run), back)
