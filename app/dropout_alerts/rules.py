"""How an alert moves: by what attendance says, and by what people do. Pure."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

from app.attendance.rules import Absence
from app.dropout_alerts.models import State

Action = Literal[
    "record_persuasion", "send_written_report", "acknowledge", "order_measure", "record_return"
]

_OPEN: Final[tuple[State, ...]] = (
    "absent",
    "registered",
    "persuading",
    "persuasion_failed",
    "written_report_sent",
    "measures",
)
_REPORTED: Final = frozenset[State]({"written_report_sent", "measures"})

_ALLOWED: Final[dict[Action, frozenset[State]]] = {
    "record_persuasion": frozenset(_OPEN),
    "send_written_report": frozenset({"persuasion_failed"}),
    "acknowledge": frozenset({*_REPORTED, "returned"}),
    "order_measure": _REPORTED,
    "record_return": frozenset(_OPEN),
}


def admitting(action: Action, *, report_at_once: bool = False) -> frozenset[State]:
    """Return the states in which an alert admits the action. `report_at_once`: the region's
    `dropout.escalate_when` lets the school write without a failed persuasion before (EDU-06).
    """
    if action == "send_written_report" and report_at_once:
        return frozenset(_OPEN) - _REPORTED
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
        since = max(absence.missed) - timedelta(days=self.total_within_days - 1)
        lately = absence.whole_days(day for day in absence.missed if day >= since)
        return (
            absence.whole_days(absence.run) >= self.register_after
            or lately >= self.register_after_total
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """What attendance moves of an alert."""

    state: State
    first_absent_day: date
    last_absent_day: date
    unexcused_days: int


Verdict = Literal["opened", "registered", "counted", "amended", "excused", "attended"]


@dataclass(frozen=True, slots=True)
class Change:
    """What attendance does to an alert: where it stands afterwards and why."""

    verdict: Verdict
    standing: Standing
    returned_on: date | None = None


def assess(current: Standing | None, absence: Absence, thresholds: Thresholds) -> Change | None:
    """Decide what a pupil's absence means for the open alert on them, or for having none.

    None: nothing changes. An excuse that takes the days below the first threshold closes an alert
    by itself, unless the authorities have been written to: then it only amends (I6).
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
    )
    if missed < thresholds.open_after and not reported:
        return Change("excused", replace(counted, state="closed"))
    if current.state == "absent" and absence.back is not None:
        return Change("attended", replace(counted, state="returned"), absence.back)
    if current.state == "absent" and thresholds.registers(absence):
        return Change("registered", replace(counted, state="registered"))
    if counted == current:
        return None
    fewer = counted.unexcused_days < current.unexcused_days
    return Change("amended" if reported and fewer else "counted", counted)


def _open(absence: Absence, thresholds: Thresholds) -> Change | None:
    run = absence.run
    if absence.whole_days(run) < thresholds.open_after:
        return None
    state: State = "registered" if thresholds.registers(absence) else "absent"
    return Change("opened", Standing(state, run[0], run[-1], absence.whole_days(run)))
