"""How an alert moves: by what attendance says, and by what people do. Pure."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

from app.attendance.rules import Absence
from app.dropout_alerts.models import Doubt, State

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

    def registers(self, absence: Absence) -> bool:
        """Tell whether what was missed puts a child into the register."""
        return absence.whole_days(absence.run) >= self.register_after or self._adds_up(
            absence, max(absence.missed)
        )

    def registered(self, absence: Absence, since: date) -> bool:
        """Tell whether what was missed since a day put a child into the register at some time."""
        return any(self._adds_up(absence, day) for day in absence.missed if day >= since) or any(
            absence.whole_days(run) >= self.register_after
            for run in (*absence.runs, absence.run)
            if run and run[-1] >= since
        )

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

    None: nothing changes. An excuse that takes the days below the first threshold closes an alert
    by itself while the child is not in the register. A register never changes backwards by itself:
    what would take the child out of it again makes a doubt, which a person settles (I6).
    """
    if current is None:
        return _open(absence, thresholds)
    days = sorted(
        {*absence.run, *(day for day in absence.missed if day >= current.first_absent_day)}
    )
    missed = absence.whole_days(days)
    reported = current.state in _REPORTED
    counted = Standing(
        current.state,
        days[0] if days else current.first_absent_day,
        days[-1] if days else current.last_absent_day,
        missed,
        current.doubt,
    )
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
    """Decide what becomes of an alert on a child that is not in the register."""
    # Where the child is handed over to, more days may be asked for: that takes back nothing.
    if now.unexcused_days < min(thresholds.open_after, was.unexcused_days):
        return Change("excused", replace(now, state="closed"))
    if absence.back is not None:
        return Change("attended", replace(now, state="returned"), absence.back)
    if thresholds.registers(absence):
        return Change("registered", replace(now, state="registered"))
    return None


def _unfounded(was: Standing, now: Standing, absence: Absence, thresholds: Thresholds) -> bool:
    """Tell whether days that were taken back had put the child into the register."""
    if was.state == "absent":
        return False
    if now.unexcused_days < thresholds.open_after:
        return True
    by_days = was.unexcused_days >= thresholds.register_after  # else the school entered it by hand
    return by_days and not thresholds.registered(absence, now.first_absent_day)


def _open(absence: Absence, thresholds: Thresholds) -> Change | None:
    run = absence.run
    if absence.whole_days(run) < thresholds.open_after:
        return None
    state: State = "registered" if thresholds.registers(absence) else "absent"
    return Change("opened", Standing(state, run[0], run[-1], absence.whole_days(run)))
