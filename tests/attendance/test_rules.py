from datetime import date, timedelta

import pytest

from app.attendance.holidays import nearest
from app.attendance.rules import (
    Absence,
    Slots,
    absence,
    is_school_day,
    of_former_school,
    of_mistaken_school,
    said_of_halves,
    together,
    with_roll,
)

MONDAY = date(2026, 11, 16)
WEEK = [MONDAY + timedelta(n) for n in range(5)]
GONE: Slots = {"whole_day": "unexcused"}


@pytest.mark.parametrize(
    ("day", "school"),
    [
        (date(2026, 11, 16), True),
        (date(2026, 11, 21), False),
        (date(2026, 10, 1), False),  # National Day
        (date(2026, 10, 10), True),  # the Saturday worked instead
        (date(2026, 2, 28), True),
        (date(2026, 2, 23), False),
        (date(2026, 2, 24), True),
    ],
)
def test_public_holidays_and_make_up_days(day, school) -> None:
    assert is_school_day(day, nearest([], day, day)) is school


def test_the_nearest_calendar_wins() -> None:
    local = nearest(
        [(2, MONDAY, True), (-1, MONDAY, False), (4, WEEK[1], False)], WEEK[0], WEEK[-1]
    )
    assert [is_school_day(day, local) for day in WEEK] == [False, False, True, True, True]


THERE: Slots = {"whole_day": "present"}
LEAVE: Slots = {"whole_day": "excused"}


@pytest.mark.parametrize(
    ("slots", "halves"),
    [
        ({}, 0),
        (GONE, 2),
        (LEAVE, 0),
        ({"whole_day": "withdrawn"}, 0),
        ({"morning": "unexcused"}, 1),
        ({"morning": "unexcused", "afternoon": "unexcused"}, 2),
        ({"morning": "unexcused", "afternoon": "late"}, 1),
        ({"morning": "unexcused", "afternoon": "excused"}, 1),
        ({**GONE, "afternoon": "present"}, 1),
        ({**GONE, "afternoon": "withdrawn"}, 2),
    ],
)
def test_halves_of_a_day_are_missed_each(slots, halves) -> None:
    assert absence({MONDAY: slots}, {}).missed.get(MONDAY, 0) == halves


def stands(*days: Slots) -> Absence:
    """What follows from days in a row, weekends left out; {}: nothing was said."""
    school = [MONDAY + timedelta(n) for n in range(90) if (MONDAY + timedelta(n)).weekday() < 5]
    return absence({day: slots for day, slots in zip(school, days, strict=False) if slots}, {})


class TestAbsence:
    def test_days_in_a_row_skip_the_weekend(self) -> None:
        found = stands(*[GONE] * 6)
        assert found.run == tuple(found.missed)
        assert found.whole_days(found.run) == 6

    @pytest.mark.parametrize("seen", ["present", "late", "left_early"])
    def test_being_seen_ends_the_row_and_is_being_back(self, seen) -> None:
        found = stands(GONE, {"afternoon": seen}, GONE)
        assert (tuple(found.missed), found.run) == ((WEEK[0], WEEK[2]), (WEEK[2],))
        again = stands(GONE, {"whole_day": seen}, THERE)
        assert (again.run, again.back) == ((), WEEK[1])

    @pytest.mark.parametrize("slots", [{}, LEAVE, {"whole_day": "withdrawn"}])
    def test_silence_and_leave_are_neither_missed_nor_being_back(self, slots) -> None:
        found = stands(GONE, GONE, slots, GONE)
        assert found.run == (WEEK[0], WEEK[1], WEEK[3])
        after = stands(GONE, slots)
        assert (after.run, after.back) == ((WEEK[0],), None)

    @pytest.mark.parametrize("slots", [{}, LEAVE])
    def test_silence_and_leave_take_nobody_back_out_of_school(self, slots) -> None:
        assert stands(GONE, THERE, slots).back == WEEK[1]

    def test_halves_add_up_whatever_the_other_half_was(self) -> None:
        mornings: Slots = {"morning": "unexcused", "afternoon": "present"}
        found = stands(*[mornings] * 15)
        assert found.whole_days(found.run) == 7
        assert found.back is None

    def test_a_day_without_school_says_nothing(self) -> None:
        found = absence({WEEK[0]: GONE, WEEK[1]: THERE}, {WEEK[1]: False})
        assert (found.run, found.back) == ((WEEK[0],), None)


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ([(True, GONE), (False, THERE)], ("unexcused", "unexcused")),
        ([(False, GONE), (False, THERE)], ("present", "present")),  # it was seen
        ([(True, LEAVE), (False, GONE)], ("excused", "excused")),
        ([(True, GONE), (False, LEAVE)], ("unexcused", "unexcused")),  # its own school knows
        ([(False, GONE), (False, LEAVE)], ("excused", "excused")),
        ([(True, {"morning": "unexcused"}), (False, THERE)], ("unexcused", "present")),
        ([(True, {"morning": "unexcused"}), (False, {"afternoon": "late"})], ("unexcused", "late")),
        ([(True, {"whole_day": "withdrawn"}), (False, GONE)], ("unexcused", "unexcused")),
    ],
)
def test_what_several_schools_say_of_a_day(said, believed) -> None:
    for order in (said, said[::-1]):
        assert said_of_halves(together(order)) == believed


@pytest.mark.parametrize(
    ("slots", "roll", "believed"),
    [
        ({}, THERE, ("present", "present")),
        (GONE, THERE, ("unexcused", "unexcused")),
        ({"morning": "unexcused"}, THERE, ("unexcused", "present")),
        (GONE, {"morning": "present"}, ("unexcused", "unexcused")),
        ({"whole_day": "withdrawn"}, THERE, ("present", "present")),
        ({}, {"afternoon": "present"}, (None, "present")),
    ],
)
def test_a_roll_speaks_where_nothing_else_was_said(slots, roll, believed) -> None:
    assert said_of_halves(with_roll(slots, roll)) == believed


def test_a_return_that_was_recorded_interrupts() -> None:
    days = dict.fromkeys((WEEK[0], WEEK[1], WEEK[4]), GONE)
    found = absence(days, {}, returned_on=WEEK[3])
    assert (found.runs, found.run) == (((WEEK[0], WEEK[1]),), (WEEK[4],))
    assert absence(dict.fromkeys(WEEK[:2], GONE), {}, returned_on=WEEK[3]).run == ()
    assert absence(days, {}).run == (WEEK[0], WEEK[1], WEEK[4])


@pytest.mark.parametrize("said", ["present", "late", "left_early"])
def test_of_a_school_that_was_mistaken_no_word_counts_that_the_child_was_there(said) -> None:
    found = of_mistaken_school({"morning": said, "afternoon": "unexcused"})
    assert found == {"morning": "withdrawn", "afternoon": "unexcused"}


def test_of_a_school_that_the_child_had_left_it_counts_that_something_was_taken_back() -> None:
    told = of_former_school({"morning": "unexcused", "afternoon": "withdrawn"})
    assert told == {"morning": "unexcused", "afternoon": "withdrawn"}
    assert of_former_school({"morning": "present", "afternoon": "excused"}) == {}
