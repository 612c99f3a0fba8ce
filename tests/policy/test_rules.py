from datetime import date

import pytest

from app.policy.rules import ParameterMissing, ParameterValue, effective
from app.regions.rules import NATION, BadRegionCode

TIANJIN = 120000000000
JIZHOU = 120119000000
VILLAGE = 120119001001
DAY = date(2026, 6, 30)


def value(
    region: int,
    worth: object,
    start: date = date(2016, 1, 1),
    end: date | None = None,
    name: str = "lbc.age_limit",
) -> ParameterValue:
    return ParameterValue(name, region, start, end, worth, "DEF-01")


def found(values: list[ParameterValue], region: int, on: date = DAY) -> object:
    return effective(values, "lbc.age_limit", region, on).value


def test_the_nearest_region_up_the_tree_wins() -> None:
    values = [value(TIANJIN, 17), value(NATION, 16), value(JIZHOU, 18)]
    assert found(values, VILLAGE) == 18
    assert found(values, JIZHOU) == 18
    assert found(values, 120118001001) == 17
    assert found(values, 211381000000) == 16
    assert found(values, NATION) == 16


def test_a_nearer_region_wins_over_a_later_value_further_up() -> None:
    values = [value(JIZHOU, 18), value(NATION, 16, start=date(2026, 1, 1))]
    assert found(values, VILLAGE) == 18


def test_both_ends_of_a_period_belong_to_it() -> None:
    start, end = date(2020, 1, 1), date(2020, 12, 31)
    values = [value(NATION, 16), value(JIZHOU, 18, start, end)]
    days = [date(2019, 12, 31), start, end, date(2021, 1, 1)]
    assert [found(values, JIZHOU, day) for day in days] == [16, 18, 18, 16]


def test_the_latest_start_wins_within_a_region() -> None:
    values = [value(NATION, 17, start=date(2021, 6, 1)), value(NATION, 16)]
    assert found(values, JIZHOU) == 17
    assert found(values[::-1], JIZHOU) == 17


@pytest.mark.parametrize(
    "values",
    [
        [],
        [value(211381000000, 16)],
        [value(NATION, 16, start=date(2027, 1, 1))],
        [value(NATION, 16, name="lbc.scope")],
    ],
)
def test_nothing_that_holds_is_an_error_not_a_guess(values: list[ParameterValue]) -> None:
    with pytest.raises(ParameterMissing, match=r"lbc\.age_limit"):
        effective(values, "lbc.age_limit", JIZHOU, DAY)


def test_a_number_that_is_no_region_is_refused() -> None:
    with pytest.raises(BadRegionCode):
        effective([value(NATION, 16)], "lbc.age_limit", 120119, DAY)
