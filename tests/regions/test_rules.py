import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.regions import divisions, rules
from app.regions.rules import Level

JIZHOU = 120119000000
DONGGUAN = 441900000000


@pytest.mark.parametrize(
    ("code", "level", "parent", "county"),
    [
        (120000000000, Level.PROVINCE, rules.NATION, None),
        (120100000000, Level.PREFECTURE, 120000000000, None),
        (JIZHOU, Level.COUNTY, 120100000000, JIZHOU),
        (120119001000, Level.TOWNSHIP, JIZHOU, JIZHOU),
        (120119001001, Level.VILLAGE, 120119001000, JIZHOU),
        # a county-level city directly under its province
        (429004000000, Level.COUNTY, 429000000000, 429004000000),
        # a city without districts
        (DONGGUAN, Level.PREFECTURE, 440000000000, DONGGUAN),
        (441900003000, Level.TOWNSHIP, DONGGUAN, DONGGUAN),
        (441900003001, Level.VILLAGE, 441900003000, DONGGUAN),
    ],
)
def test_a_code_says_where_the_place_stands(
    code: int, level: Level, parent: int, county: int | None
) -> None:
    assert rules.is_valid_code(code)
    assert rules.level_of(code) is level
    assert rules.parent_of(code) == parent
    if county is None:
        with pytest.raises(rules.BadRegionCode):
            rules.county_of(code)
    else:
        assert rules.county_of(code) == county


@pytest.mark.parametrize(
    "code",
    [
        -1,
        0,
        12,
        120119,  # a code not filled up with zeros
        10**12,
        100000000000,  # no such province
        120001000000,  # a county without a prefecture
        120119000001,  # a village without a township
        120100001000,  # a township without a county, in a city that has them
        120100100000,
        120000001000,
    ],
)
def test_digits_that_cannot_be_a_place(code: int) -> None:
    assert not rules.is_valid_code(code)
    with pytest.raises(rules.BadRegionCode, match=str(code)):
        rules.level_of(code)
    if code != rules.NATION:
        with pytest.raises(rules.BadRegionCode, match=str(code)):
            rules.lineage(code)


@pytest.mark.parametrize(
    ("code", "low", "high"),
    [
        (rules.NATION, 0, 10**12),
        (120000000000, 120000000000, 130000000000),
        (DONGGUAN, DONGGUAN, 442000000000),
        (JIZHOU, JIZHOU, 120120000000),
        (120119001000, 120119001000, 120119002000),
        (120119001001, 120119001001, 120119001002),
    ],
)
def test_a_subtree_is_one_half_open_range(code: int, low: int, high: int) -> None:
    assert rules.subtree(code) == (low, high)


@pytest.mark.parametrize("code", [710000000000, 810000000000, 820000000000])
def test_taiwan_hong_kong_and_macau_are_provinces(code: int) -> None:
    assert rules.level_of(code) is Level.PROVINCE


def test_there_are_thirty_four_provinces() -> None:
    assert sum(rules.is_valid_code(code) for code in range(0, 10**12, 10**10)) == 34


def test_lineage_climbs_to_the_nation() -> None:
    assert rules.lineage(120119001001) == (
        120119001001,
        120119001000,
        JIZHOU,
        120100000000,
        120000000000,
        rules.NATION,
    )
    assert rules.lineage(441900003001)[1:] == (441900003000, DONGGUAN, 440000000000, 0)
    assert rules.lineage(rules.NATION) == (rules.NATION,)


def test_every_shipped_place_lies_in_the_range_of_its_parent_which_is_shipped_too() -> None:
    codes = {division.code for division in divisions.shipped()} | {rules.NATION}
    for code in codes - {rules.NATION}:
        parent = rules.parent_of(code)
        assert parent in codes
        low, high = rules.subtree(parent)
        assert low <= code < high


@given(st.integers(min_value=0, max_value=10**12))
def test_any_number_is_either_refused_or_climbs_to_the_nation(code: int) -> None:
    if rules.is_valid_code(code):
        assert rules.lineage(code)[-1] == rules.NATION
        low, high = rules.subtree(code)
        assert low == code < high
    elif code:
        with pytest.raises(rules.BadRegionCode):
            rules.subtree(code)
