from dataclasses import replace
from datetime import date, timedelta

import pytest

from app.attendance.rules import Absence
from app.dropout_alerts.rules import Standing, Thresholds, admitting, after_persuasion, assess

MONDAY = date(2026, 11, 16)
DAYS = [MONDAY + timedelta(n) for n in range(5)]
LIMITS = Thresholds(
    open_after=2,
    register_after=4,
    register_after_total=5,
    total_within_days=14,
    persuade_within=3,
)


def gone(
    *numbers: int,
    back: int | None = None,
    run: tuple[int, ...] | None = None,
    leave: tuple[int, ...] = (),
    unsaid: tuple[int, ...] = (),
) -> Absence:
    days = tuple(DAYS[n] for n in numbers)
    return Absence(
        dict.fromkeys(days, 2),
        days if run is None else tuple(DAYS[n] for n in run),
        None if back is None else DAYS[back],
        leave=frozenset(DAYS[n] for n in leave),
        unsaid=frozenset(DAYS[n] for n in unsaid),
    )


def standing(state: str, days: int) -> Standing:
    return Standing(state, DAYS[0], DAYS[days - 1], days)


@pytest.mark.parametrize(
    ("before", "absence", "verdict", "state"),
    [
        (None, gone(0), None, None),
        (None, gone(0, 1), "opened", "absent"),
        (None, gone(0, 1, 2, 3), "opened", "registered"),
        (None, gone(0, 1, run=()), None, None),
        (standing("absent", 2), gone(0, 1), None, None),
        (standing("absent", 2), gone(0, 1, 2), "counted", "absent"),
        (standing("absent", 3), gone(0, 1, 2, 3), "registered", "registered"),
        (standing("absent", 2), gone(0, leave=(1,)), "excused", "closed"),
        # Nothing that was taken back before the child was last seen is in question.
        (
            Standing("absent", DAYS[2], DAYS[3], 2),
            replace(gone(3, leave=(2,), unsaid=(0,)), seen=(DAYS[1],)),
            "excused",
            "closed",
        ),
        # In total, from the day on which a person had the child back.
        (None, replace(gone(*range(5), run=(4,)), returned_on=DAYS[4]), "opened", "registered"),
        (standing("absent", 2), gone(0), "doubted", "absent"),
        (standing("absent", 2), gone(0, leave=(4,)), "doubted", "absent"),  # of another day
        (standing("absent", 3), gone(0, leave=(1,), unsaid=(2,)), "doubted", "absent"),
        (replace(standing("absent", 2), doubt="fewer_days"), gone(0), "counted", "absent"),
        (
            replace(standing("absent", 2), unexcused_days=0, doubt="fewer_days"),
            gone(leave=(0, 1)),
            "excused",
            "closed",
        ),
        (standing("absent", 2), gone(run=(), back=1), "attended", "returned"),
        (standing("persuasion_failed", 4), gone(), "doubted", "persuasion_failed"),
        (standing("registered", 4), gone(0, 1, 2), "doubted", "registered"),
        (standing("registered", 5), gone(0, 1, 2, 3), "counted", "registered"),
        (standing("persuading", 3), gone(0, 1), "counted", "persuading"),  # entered by hand
        (standing("persuading", 3), gone(0), "doubted", "persuading"),
        (standing("absent", 1), gone(0, run=()), None, None),  # opened where one day is enough
        (standing("written_report_sent", 4), gone(0), "amended", "written_report_sent"),
        (standing("measures", 4), gone(), "amended", "measures"),
        (standing("measures", 2), gone(0, 1, 2), "counted", "measures"),
        (standing("absent", 2), gone(0, 1, run=(), back=2), "attended", "returned"),
        (standing("registered", 4), gone(0, 1, 2, 3, run=(), back=4), "counted", "registered"),
        (standing("absent", 2), gone(0, 1, run=()), None, None),  # leave is not being back
    ],
)
def test_what_absence_does_to_an_alert(before, absence, verdict, state) -> None:
    change = assess(before, absence, LIMITS)
    assert (change and change.verdict) == verdict
    assert (change and change.standing.state) == state


def test_a_doubt_stays_until_a_person_settles_it() -> None:
    was = standing("registered", 4)
    change = assess(was, gone(0, 1, 2), LIMITS)
    assert change is not None
    assert (change.doubted, change.standing.doubt) == (True, "fewer_days")
    further = assess(change.standing, gone(0, 1), LIMITS)
    assert further is not None
    assert (further.verdict, further.doubted, further.standing.doubt) == (
        "counted",
        False,
        "fewer_days",
    )


def test_days_in_a_row_that_ended_since_still_registered() -> None:
    """The child was back and away again: taking back a day of the second row doubts nothing."""
    was = Standing("registered", DAYS[0], DAYS[-1] + timedelta(days=3), 6)
    days = (*DAYS[:4], DAYS[4] + timedelta(days=3))
    found = Absence(dict.fromkeys(days, 2), days[4:], None, (days[:4],))
    change = assess(was, found, LIMITS)
    assert change is not None
    assert (change.verdict, change.doubted) == ("counted", False)


def test_an_earlier_absence_that_arrives_late_moves_the_first_day() -> None:
    before = Standing("absent", DAYS[1], DAYS[2], 2)
    change = assess(before, gone(0, 1, 2), LIMITS)
    assert change is not None
    assert change.standing == Standing("absent", DAYS[0], DAYS[2], 3)


def test_days_before_the_alert_in_another_row_do_not_count() -> None:
    before = Standing("absent", DAYS[2], DAYS[3], 2)
    assert assess(before, gone(0, 2, 3, run=(2, 3)), LIMITS) is None


@pytest.mark.parametrize(
    ("halves", "last", "state"),
    [
        ({0: 2, 1: 2, 2: 2, 3: 2, 4: 2}, (3, 4), "registered"),
        ({0: 2, 1: 2, 2: 2, 3: 2, 4: 1}, (3, 4), None),
        ({0: 1, 1: 2, 2: 2, 3: 2, 4: 2}, (3, 4), "absent"),
        ({0: 1, 1: 2, 2: 2, 3: 2, 4: 2, 5: 1}, (4, 5), "registered"),
        ({0: 2, 1: 2, 2: 2, 12: 2, 13: 2}, (12, 13), "registered"),
        ({0: 2, 1: 2, 2: 2, 13: 2, 14: 2}, (13, 14), "absent"),
    ],
)
def test_days_that_are_not_in_a_row_register_too(halves, last, state) -> None:
    missed = {MONDAY + timedelta(n): many for n, many in halves.items()}
    found = Absence(missed, tuple(MONDAY + timedelta(n) for n in last), None)
    change = assess(None, found, LIMITS)
    assert (change and change.standing.state) == state


def test_halves_open_as_they_add_up() -> None:
    missed = {DAYS[n]: 1 for n in range(4)}
    assert assess(None, Absence(dict.fromkeys(DAYS[:3], 1), tuple(DAYS[:3]), None), LIMITS) is None
    change = assess(None, Absence(missed, tuple(DAYS[:4]), None), LIMITS)
    assert change is not None
    assert change.standing == Standing("absent", DAYS[0], DAYS[3], 2)


def test_assessing_again_changes_nothing() -> None:
    for absence in (gone(0, 1), gone(0, 1, 2), gone(0, 1, 2, 3)):
        opened = assess(None, absence, LIMITS)
        assert opened is not None
        assert assess(opened.standing, absence, LIMITS) is None


def test_persuasion_after_giving_up_changes_no_state() -> None:
    assert after_persuasion("registered", gave_up=False) == "persuading"
    assert after_persuasion("absent", gave_up=True) == "persuasion_failed"
    assert after_persuasion("measures", gave_up=True) == "measures"


def test_the_report_waits_for_failure_unless_the_region_says_at_once() -> None:
    assert admitting("send_written_report") == {"persuasion_failed"}
    at_once = admitting("send_written_report", report_at_once=True)
    assert "absent" in at_once
    assert "measures" not in at_once
    assert "closed" not in admitting("record_return")
