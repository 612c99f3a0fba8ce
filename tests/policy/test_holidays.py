from datetime import date

import pytest

from app.policy.holidays import is_working, of_year, working_days_after


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 11, 20), True),
        (date(2026, 11, 21), False),
        (date(2026, 10, 1), False),
        (date(2026, 10, 10), True),
        (date(2027, 1, 1), False),
        (date(2027, 1, 4), True),
        (date(2027, 2, 5), False),
        (date(2027, 10, 1), False),
        (date(2025, 9, 28), True),
        (date(2025, 10, 8), False),
        (date(2031, 1, 1), False),
    ],
)
def test_offices_work_on_days(day: date, *, works: bool) -> None:
    """1 January is a day off by rule, in every year, though nobody has written its table yet."""
    assert is_working(day) is works


def test_a_year_without_a_table_is_told_from_one_with_it() -> None:
    assert len(of_year(2031)) < len(of_year(2027)) < len(of_year(2026))


@pytest.mark.parametrize(
    ("day", "number", "last"),
    [
        (date(2026, 11, 20), 1, date(2026, 11, 23)),
        (date(2026, 11, 20), 5, date(2026, 11, 27)),
        (date(2026, 9, 30), 1, date(2026, 10, 8)),
        (date(2026, 10, 9), 1, date(2026, 10, 10)),
        (date(2026, 12, 31), 1, date(2027, 1, 4)),
    ],
)
def test_working_days_are_counted_from_the_day_after(day: date, number: int, last: date) -> None:
    assert working_days_after(day, number) == last
