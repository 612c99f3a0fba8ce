"""How an alert moves: by what attendance says, and by what people do. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal
from uuid import UUID

from app.attendance.rules import Absence
from app.dropout_alerts.models import CloseReason, Doubt, State

Action = Literal[
    "record_persuasion", "send_written_report", "acknowledge", "order_measure", "record_return"
]

OPEN: Final[tuple[State, ...]] = (
    "absent",
    "registered",
    "persuading",
    "persuasion_failed",
    "written_report_sent",
    "measures",
)
_REPORTED: Final = frozenset[State]({"written_report_sent", "measures"})

_ALLOWED: Final[dict[Action, frozenset[State]]] = {
    "record_persuasion": frozenset(OPEN),
    "send_written_report": frozenset({"persuasion_failed"}),
    "acknowledge": frozenset({*_REPORTED, "returned"}),
    "order_measure": _REPORTED,
    "record_return": frozenset(OPEN),
}


def admitting(action: Action, *, report_at_once: bool = False) -> frozenset[State]:
    """Return the states in which an alert admits the action. `report_at_once`: the region's
    `dropout.escalate_when` lets the school write without a failed persuasion before (EDU-06).
    """
    if action == "send_written_report" and report_at_once:
        return frozenset(OPEN) - _REPORTED
    return _ALLOWED[action]


def allowed_actions(state: State, *, report_at_once: bool = False) -> list[Action]:
    return [
        action for action in _ALLOWED if state in admitting(action, report_at_once=report_at_once)
    ]


def after_persuasion(state: State, *, gave_up: bool) -> State:
    """Return the state after an attempt; once the school has given up, later ones change none."""
    if state not in {"absent", "registered", "persuading"}:
        return state
    return "persuasion_failed" if gave_up else "persuading"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Parameter `dropout.thresholds`, in school days missed without leave: in a row, or in total
    (`register_after_total`) within some calendar days up to the last one missed.
    """

    open_after: int
    register_after: int
    register_after_total: int
    total_within_days: int
    persuade_within: int

    def registering(self, absence: Absence, since: date | None) -> tuple[date, ...]:
        """Return the days in a row in the midst of which what was missed put a child into the
        register, on a day not before `since`; the first such row, or none.
        """
        for run in (*absence.runs, absence.run):
            for n, day in enumerate(run, 1):
                if since is not None and day < since:
                    continue
                in_a_row = absence.whole_days(run[:n])
                if in_a_row >= self.register_after or self._adds_up(absence, day):
                    return run
        return ()

    def _adds_up(self, absence: Absence, until: date) -> bool:
        since = until - timedelta(days=self.total_within_days - 1)
        lately = absence.whole_days(day for day in absence.missed if since <= day <= until)
        return lately >= self.register_after_total


@dataclass(frozen=True, slots=True)
class Standing:
    """What attendance moves of an alert."""

    state: State
    first_absent_day: date
    last_absent_day: date
    unexcused_days: int
    doubt: Doubt | None = None
    back_since: date | None = None


Verdict = Literal["opened", "registered", "counted", "amended", "doubted", "excused", "attended"]


@dataclass(frozen=True, slots=True)
class Change:
    """What attendance does to an alert: where it stands afterwards and why."""

    verdict: Verdict
    standing: Standing
    returned_on: date | None = None
    doubted: bool = False


def assess(current: Standing | None, absence: Absence, thresholds: Thresholds) -> Change | None:
    """Decide what a pupil's absence means for the open alert on them, or for having none.

    None: nothing changes. Leave that takes the days below the first threshold closes an alert by
    itself while the child is not in the register; what is only taken back makes a doubt, since
    nobody says where the child was. A register never changes backwards by itself:
    what would take the child out of it again makes a doubt, which a person settles (I6). In which
    order the days were told makes no difference: whoever reached the register's threshold on any of
    them is in it, back since or not.
    """
    if current is None:
        return _open(absence, thresholds)
    entered: tuple[date, ...] = ()
    if current.state == "absent":
        entered = thresholds.registering(absence, absence.returned_on)
    first = min((current.first_absent_day, *entered[:1]))
    days = sorted({*absence.run, *(day for day in absence.missed if day >= first)})
    missed = absence.whole_days(days)
    reported = current.state in _REPORTED
    counted = Standing(
        current.state,
        days[0] if days else current.first_absent_day,
        days[-1] if days else current.last_absent_day,
        missed,
        current.doubt,
        absence.back_from(first),
    )
    if entered:
        return Change("registered", replace(counted, state="registered"))
    if current.state == "absent" and (decided := _decided(current, counted, absence, thresholds)):
        return decided
    if counted == current:
        return None
    fewer = counted.unexcused_days < current.unexcused_days
    doubted = fewer and not current.doubt and _unfounded(current, counted, absence, thresholds)
    if doubted:
        counted = replace(counted, doubt="fewer_days")
    if fewer and reported:
        return Change("amended", counted, doubted=doubted)
    return Change("doubted" if doubted else "counted", counted, doubted=doubted)


def _decided(
    was: Standing, now: Standing, absence: Absence, thresholds: Thresholds
) -> Change | None:
    """Decide what ends an alert on a child that is not in the register, or doubts it."""
    back = now.back_since  # it ends, and then `returned_on` says it
    now = replace(now, back_since=None)
    done = replace(now, doubt=None)
    # Where the child is handed over to, more days may be asked for: that takes back nothing.
    enough = min(thresholds.open_after, was.unexcused_days)
    if now.unexcused_days < (thresholds.open_after if was.doubt else enough):
        days = [*_between(was, absence.leave)]
        there = any(_between(was, absence.seen))  # what it took off is no leave
        if days and not there and not any(_taken_back(was, absence)):
            return Change("excused", replace(done, state="closed"))
        if back is None and not was.doubt:
            return Change("doubted", replace(now, doubt="fewer_days"), doubted=True)
    if back is not None:
        return Change("attended", replace(done, state="returned"), back)
    return None


def _taken_back(alert: Standing, absence: Absence) -> Iterator[date]:
    """Yield the days up to the last missed of which nothing is said any more, since the child was
    last seen before: what was taken back first has moved the alert's beginning.
    """
    seen = max((day for day in absence.seen if day < alert.first_absent_day), default=date.min)
    return (day for day in absence.unsaid if seen < day <= alert.last_absent_day)


def _between(alert: Standing, days: Iterable[date]) -> Iterator[date]:
    return (day for day in days if alert.first_absent_day <= day <= alert.last_absent_day)


def _unfounded(was: Standing, now: Standing, absence: Absence, thresholds: Thresholds) -> bool:
    """Tell whether days that were taken back had put the child into the register."""
    if was.state == "absent":
        return False
    if now.unexcused_days < thresholds.open_after:
        return True
    by_days = was.unexcused_days >= thresholds.register_after  # else the school entered it by hand
    return by_days and not thresholds.registering(absence, now.first_absent_day)


def _open(absence: Absence, thresholds: Thresholds) -> Change | None:
    run = absence.run
    if entered := thresholds.registering(absence, absence.returned_on):
        days = [day for day in absence.missed if day >= entered[0]]
        missed = absence.whole_days(days)
        back = absence.back_from(days[0])
        now = Standing("registered", days[0], days[-1], missed, back_since=back)
        return Change("opened", now)
    if absence.whole_days(run) < thresholds.open_after:
        return None
    return Change("opened", Standing("absent", run[0], run[-1], absence.whole_days(run)))


@dataclass(frozen=True, slots=True)
class Ended:
    """An alert that is done: by a machine, which believed what was said then, or by a person."""

    id: UUID
    state: State
    end_reason: CloseReason
    first_absent_day: date
    last_absent_day: date
    returned_on: date | None
    ended_on: date

    @property
    def by_machine(self) -> bool:
        return self.end_reason in {"attended", "excused"}

    @property
    def settled(self) -> date | None:
        """The day before which a person has dealt with what was missed."""
        if self.end_reason == "recorded":
            return self.returned_on
        if self.end_reason == "struck_off":
            return self.last_absent_day + timedelta(days=1)
        return None


def counted_since(since: date, first: date | None, ended: Iterable[Ended]) -> date:
    """Return since when a child's days are counted: the day asked for, the first of the alert that
    is open, and that of each that a machine ended on a day counted: it may go on. Leave took the
    last days missed from an alert: what counts is when that was told.
    """
    since = min(since, first or since)
    for each in sorted(ended, key=lambda each: each.last_absent_day, reverse=True):
        if each.by_machine and (each.returned_on or each.ended_on) >= since:
            since = min(since, each.first_absent_day)
    return since


def going_on(ended: Iterable[Ended], absence: Absence, first: date) -> list[Ended]:
    """Return the alerts a machine ended of which some day lies in the row of days missed that an
    alert begins with (`first`): what ended them is not said any more. The last one first.
    """
    row = next((run for run in (*absence.runs, absence.run) if first in run), ())
    found = [
        each
        for each in ended
        if each.by_machine
        and any(each.first_absent_day <= day <= each.last_absent_day for day in row)
    ]
    return sorted(found, key=lambda each: each.id, reverse=True)
