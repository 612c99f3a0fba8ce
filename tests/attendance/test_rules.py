from datetime import date, timedelta

import pytest

from app.attendance.holidays import nearest
from app.attendance.rules import absence, is_school_day, missed_without_leave

MONDAY = date(2026, 11, 16)
WEEK = [MONDAY + timedelta(n) for n in range(5)]
GONE = {"whole_day": "unexcused"}


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
    assert is_school_day(day, nearest([])) is school


def test_the_nearest_calendar_wins() -> None:
    local = nearest([(2, MONDAY, True), (-1, MONDAY, False), (4, WEEK[1], False)])
    assert [is_school_day(day, local) for day in WEEK] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("slots", "missed"),
    [
        ({}, False),
        (GONE, True),
        ({"whole_day": "excused"}, False),
        ({"whole_day": "withdrawn"}, False),
        ({"morning": "unexcused"}, False),
        ({"morning": "unexcused", "afternoon": "unexcused"}, True),
        ({"morning": "unexcused", "afternoon": "late"}, False),
        ({**GONE, "afternoon": "present"}, False),
        ({**GONE, "afternoon": "withdrawn"}, True),
    ],
)
def test_a_day_is_missed_when_both_halves_are(slots, missed) -> None:
    assert missed_without_leave(slots) is missed


class TestAbsence:
    def test_days_in_a_row_skip_the_weekend(self) -> None:
        days = [WEEK[3], WEEK[4], WEEK[4] + timedelta(3)]
        found = absence(dict.fromkeys(days, GONE), days, {})
        assert found.run == found.days == tuple(days)

    def test_being_there_ends_the_row(self) -> None:
        found = absence({WEEK[0]: GONE, WEEK[2]: GONE}, WEEK[:3], {})
        assert (found.days, found.run) == ((WEEK[0], WEEK[2]), (WEEK[2],))
        gone_once = absence({WEEK[0]: GONE}, WEEK[:2], {})
        assert (gone_once.run, gone_once.back) == ((), WEEK[1])

    def test_leave_ends_the_row(self) -> None:
        slots = {WEEK[0]: GONE, WEEK[1]: {"whole_day": "excused"}}
        found = absence(slots, WEEK[:2], {})
        assert (found.run, found.back) == ((), None)

    def test_a_day_nobody_reported_says_nothing(self) -> None:
        found = absence({WEEK[0]: GONE, WEEK[2]: GONE}, [WEEK[0], WEEK[2]], {})
        assert found.run == (WEEK[0], WEEK[2])

    def test_a_day_without_school_does_not_count(self) -> None:
        found = absence(dict.fromkeys(WEEK[:2], GONE), WEEK[:2], {WEEK[1]: False})
        assert found.run == (WEEK[0],)
