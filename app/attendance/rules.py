"""What attendance means: school days, half days missed without leave, days in a row. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from app.attendance.models import Category, Doubt, Session
from app.core.clock import beginning

Slots = Mapping[Session, Category]
"""What is believed of one child's one day, by session."""

_WEEKEND = 5
OLDEST: Final = timedelta(days=400)
"""A school year and its vacations. A day further back is marked."""
FURTHEST: Final = timedelta(days=31)
"""A day further ahead is kept, but believed of no session: it is a slip, not a plan."""
_CLOCK_SKEW: Final = timedelta(days=1)


def doubt(
    day: date, said_at: datetime, category: Category | Literal["roll"], today: date, now: datetime
) -> Doubt | None:
    """Tell why a statement received now is marked; neither a clock nor a day is a reason to refuse
    one. Leave may be told ahead.
    """
    ahead = FURTHEST if category in {"excused", "withdrawn"} else timedelta()
    if day > today + ahead:
        return "day_ahead"
    behind = min(now, beginning(day)) - said_at  # a difference, since no instant may lie that far
    if behind > OLDEST or said_at - now > _CLOCK_SKEW:
        return "clock"
    return "long_ago" if day < today - OLDEST else None


def is_school_day(day: date, exceptions: Mapping[date, bool]) -> bool:
    """Tell whether there is school: Monday to Friday, unless the calendar says otherwise."""
    return exceptions.get(day, day.weekday() < _WEEKEND)


def said_of_halves(slots: Slots) -> tuple[Category | None, Category | None]:
    """Say what is believed of morning and afternoon; None: nothing. What
    was said of a half beats what was said of the whole day: whoever said it knew more. What was
    taken back of a half is `withdrawn`, unless something is said of the whole day.
    """
    whole = slots.get("whole_day")
    morning, afternoon = (
        (whole or said) if said in {None, "withdrawn"} else said
        for said in (slots.get("morning"), slots.get("afternoon"))
    )
    return morning, afternoon


THERE: Final = frozenset[Category]({"present", "late", "left_early"})
HALVES: Final = 2
"""What a whole day counts: half days missed add up."""


def with_roll(slots: Slots, roll: Slots) -> Slots:
    """Add to what was said of one child's day what the roll of its class says of the rest of it."""
    halves: tuple[Session, Session] = ("morning", "afternoon")
    told = zip(halves, said_of_halves(slots), said_of_halves(roll), strict=True)
    return {
        half: what
        for half, said, called in told
        if (what := (called or said) if said in {None, "withdrawn"} else said) is not None
    }


def of_former_school(slots: Slots) -> Slots:
    """Return what counts of the word of a school that the child had left: that it was missed, or
    that something was taken back. That it was there, or had leave, others say.
    """
    halves: tuple[Session, Session] = ("morning", "afternoon")
    told = zip(halves, said_of_halves(slots), strict=True)
    return {half: said for half, said in told if said in {"unexcused", "withdrawn"}}


def of_mistaken_school(slots: Slots) -> Slots:
    """Return what counts of the word of a school of which a person found that the child was
    elsewhere: that it was there is as good as taken back.
    """
    return {half: "withdrawn" if said in THERE else said for half, said in slots.items()}


def together(said: Iterable[tuple[bool, Slots]]) -> Slots:
    """Say what is believed of one child's day of which several schools spoke; of each: whether the
    child was enrolled there, and what it said. The school it was enrolled at knows; of others, who
    saw the child; else who gave it leave. `withdrawn`: what was said was taken back, and nothing
    else is said.
    """
    halves: tuple[Session, Session] = ("morning", "afternoon")
    told: dict[Session, list[tuple[bool, bool, bool, Category]]] = {half: [] for half in halves}
    for enrolled, slots in said:
        for half, what in zip(halves, said_of_halves(slots), strict=True):
            if what is not None:
                told[half].append((not enrolled, what not in THERE, what != "excused", what))
    believed: dict[Session, Category] = {}
    for half, ranked in told.items():
        if heard := [each for each in ranked if each[-1] != "withdrawn"] or ranked:
            believed[half] = min(heard)[-1]
    return believed


@dataclass(frozen=True, slots=True)
class Absence:
    """Half days missed without leave.

    `missed`: by day, in order, how many of its halves. `run`: the days at the end since the child
    was last said to have been there; `runs`: those before. `back`: the day since which it is there
    again: the first on which that was said after all that was missed. `returned_on`: the day on
    which a person last had the child back; what was missed before it is dealt with.

    `seen`: the days on which it was said to be there and missed nothing, in order; `leave`: those
    for which it had leave, and missed nothing; `unsaid`: those of which what was said was taken
    back, in part at least, and nothing else is said.
    """

    missed: Mapping[date, int]
    run: tuple[date, ...]
    back: date | None
    runs: tuple[tuple[date, ...], ...] = ()
    returned_on: date | None = None
    seen: tuple[date, ...] = ()
    leave: frozenset[date] = frozenset()
    unsaid: frozenset[date] = frozenset()

    def back_from(self, day: date) -> date | None:
        """Return since when the child is there again, of days not before `day`."""
        if self.back is None or self.back >= day:
            return self.back
        return next((seen for seen in self.seen if seen >= day), None)

    def whole_days(self, days: Iterable[date]) -> int:
        """Add the halves missed on some days up to whole days."""
        return sum(self.missed[day] for day in days) // HALVES


def absence(
    slots_by_day: Mapping[date, Slots],
    exceptions: Mapping[date, bool],
    *,
    returned_on: date | None = None,
) -> Absence:
    """Count what was missed of school days without leave (EDU-01; `dropout.thresholds`).

    A day says something only by what was said of the child. Silence and leave neither count nor
    interrupt: nobody was seen. A day on which the child was seen and missed nothing interrupts, and
    so does `returned_on`, the day on which a person last had the child back.
    """
    missed: dict[date, int] = {}
    run: list[date] = []
    runs: list[tuple[date, ...]] = []
    seen: list[date] = []
    leave, unsaid = set[date](), set[date]()
    back = None
    for day in sorted(day for day in slots_by_day if is_school_day(day, exceptions)):
        halves = said_of_halves(slots_by_day[day])
        if run and returned_on and run[-1] < returned_on <= day:
            runs.append(tuple(run))
            run.clear()
        if gone := halves.count("unexcused"):
            missed[day] = gone
            run.append(day)
            back = None
        elif THERE.intersection(halves):
            runs.append(tuple(run))
            run.clear()
            seen.append(day)
            back = back or day
        elif "excused" in halves:
            leave.add(day)
        if "withdrawn" in halves:
            unsaid.add(day)
    if run and returned_on and run[-1] < returned_on:
        runs.append(tuple(run))
        run.clear()
    return Absence(
        missed,
        tuple(run),
        back,
        tuple(filter(None, runs)),
        returned_on,
        tuple(seen),
        frozenset(leave),
        frozenset(unsaid),
    )
