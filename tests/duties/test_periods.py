from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.duties.periods import period_of, year_until

DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("every", "day", "code", "first", "last"),
    [
        ("week", DAY, "2026W47", date(2026, 11, 16), date(2026, 11, 22)),
        ("week", date(2027, 1, 1), "2026W53", date(2026, 12, 28), date(2027, 1, 3)),
        ("two_weeks", DAY, "2026-11-09F", date(2026, 11, 9), date(2026, 11, 22)),
        ("two_weeks", date(2026, 11, 23), "2026-11-23F", date(2026, 11, 23), date(2026, 12, 6)),
        ("month", date(2026, 2, 28), "2026-02", date(2026, 2, 1), date(2026, 2, 28)),
        ("quarter", date(2026, 12, 31), "2026Q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("half_year", date(2026, 6, 30), "2026H1", date(2026, 1, 1), date(2026, 6, 30)),
        ("half_year", DAY, "2026H2", date(2026, 7, 1), date(2026, 12, 31)),
        ("year", DAY, "2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("school_year", date(2026, 8, 31), "2025S", date(2025, 9, 1), date(2026, 8, 31)),
        ("term", date(2026, 9, 1), "2026T1", date(2026, 9, 1), date(2027, 2, 28)),
        ("term", date(2028, 2, 29), "2027T1", date(2027, 9, 1), date(2028, 2, 29)),
        ("term", date(2026, 3, 1), "2025T2", date(2026, 3, 1), date(2026, 8, 31)),
    ],
)
def test_period_of_a_day(every, day, code, first, last) -> None:
    found = period_of(every, day)
    assert (found.code, found.first, found.last) == (code, first, last)
    assert found.begins == datetime(
        first.year, first.month, first.day, tzinfo=ZoneInfo("Asia/Shanghai")
    )


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 7, 15), date(2025, 7, 16), date(2026, 7, 15)),
        (date(2026, 7, 16), date(2026, 7, 16), date(2027, 7, 15)),
        (date(2027, 1, 1), date(2026, 7, 16), date(2027, 7, 15)),
    ],
)
def test_a_year_ends_with_the_day_by_which_something_is_done(day, first, last) -> None:
    found = year_until("07-15", day)
    assert (found.code, found.first, found.last) == (f"{last}", first, last)


@pytest.mark.parametrize(
    "every",
    ["week", "two_weeks", "month", "quarter", "half_year", "year", "term", "school_year"],
)
def test_one_period_follows_another_without_a_day_between(every) -> None:
    day = date(2024, 1, 1)
    while day < date(2029, 1, 1):
        found = period_of(every, day)
        assert period_of(every, found.first) == period_of(every, found.last) == found
        assert period_of(every, found.last + timedelta(days=1)).first == found.last + timedelta(1)
        day = found.last + timedelta(days=1)
