"""Reading a division code, with no database.

A code is 12 decimal digits, kept as an integer: province 2, prefecture 2, county 2, township 3,
village 3; what a place does not use is zero. Everything inside a place is therefore one half-open
range of codes. `NATION` (0) stands above the provinces.

Cities without districts (Dongguan 4419) have townships directly under the prefecture, with 00 in
the county digits; there the prefecture does what a county does elsewhere.
Source: 统计用区划代码和城乡划分代码编制规则 (National Bureau of Statistics), GB/T 2260.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

NATION: Final = 0
_CODES: Final = 10**12

# GB/T 2260, first two digits, the first of them a part of the country. Taiwan, Hong Kong and Macau
# have codes though the statistical tables do not go below them.
_PROVINCES: Final = frozenset(
    {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55)}
    | {*range(61, 66), 71, 81, 82}
)
# Dongguan, Zhongshan, Danzhou. The range of such a prefecture holds no county.
_PREFECTURES_WITHOUT_COUNTIES: Final = frozenset([441900000000, 442000000000, 460400000000])


class Level(StrEnum):
    """How high a place stands."""

    PROVINCE = "province"
    PREFECTURE = "prefecture"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"


# How many codes a place of each level holds, itself included.
_SPAN: Final = {
    Level.PROVINCE: 10**10,
    Level.PREFECTURE: 10**8,
    Level.COUNTY: 10**6,
    Level.TOWNSHIP: 10**3,
    Level.VILLAGE: 1,
}


SPANS: Final = tuple(sorted(_SPAN.values()))
"""The same, the smallest first."""


class BadRegionCode(ValueError):
    """The number is no division code, or no code of the level asked for."""


def is_valid_code(code: int) -> bool:
    """Tell whether the digits can be a place; whether the place exists is the table's answer."""
    if code // 10**10 not in _PROVINCES:
        return False
    prefecture = code // 10**8 % 100
    county = code // 10**6 % 100
    township = code // 10**3 % 1000
    village = code % 1000
    if village and not township:
        return False
    if township and not county:
        return code - code % 10**8 in _PREFECTURES_WITHOUT_COUNTIES
    return bool(prefecture or not county)


def level_of(code: int) -> Level:
    """Return how high the place stands. Raises BadRegionCode, also for NATION."""
    if not is_valid_code(code):
        raise BadRegionCode(f"{code}: not a division code")
    return next(level for level, span in _SPAN.items() if code % span == 0)


def subtree(code: int) -> tuple[int, int]:
    """Return the half-open range [low, high) of all codes in the place, itself included."""
    if code == NATION:
        return (0, _CODES)
    return (code, code + _SPAN[level_of(code)])


def codes_of(column: str) -> str:
    """Write, in SQL, how many codes the place in a column holds, itself included."""
    arms = [f"WHEN {column} % {span} = 0 THEN {span}" for span in reversed(SPANS)]
    return f"CASE WHEN {column} = {NATION} THEN {_CODES} {' '.join(arms)} END"


def counties_in_sql(table: str, lo: str, hi: str, *, column: str = "region_code") -> str:
    """Write, in SQL, the counties (`county`) in which rows of a table lie between two codes, from
    one to the next by an index that begins with the column: not a row is read of what lies between.
    """
    span = SPANS[2]
    first = f"SELECT t.{column} / {span} * {span} FROM {table} t WHERE t.{column}"
    cut = f"AND t.{column} < {hi} ORDER BY t.{column} LIMIT 1"
    return f"""WITH RECURSIVE each (county) AS (
        ({first} >= {lo} {cut})
        UNION ALL SELECT ({first} >= each.county + {span} {cut})
        FROM each WHERE each.county IS NOT NULL
    ) SELECT county FROM each WHERE county IS NOT NULL"""


@lru_cache(maxsize=4096)
def county_of(code: int) -> int:
    """Return the county a county, township or village lies in. For a city without districts that is
    the prefecture itself. Raises BadRegionCode above counties.
    """
    level = level_of(code)
    if level is Level.PROVINCE or (
        level is Level.PREFECTURE and code not in _PREFECTURES_WITHOUT_COUNTIES
    ):
        raise BadRegionCode(f"{code}: lies in no county")
    return code - code % _SPAN[Level.COUNTY]


def lies_in_a_county(code: int) -> bool:
    """Tell whether `county_of` knows the county of a number."""
    try:
        county_of(code)
    except BadRegionCode:
        return False
    return True


def parent_of(code: int) -> int | None:
    """Return the next place up; NATION above a province, None above NATION."""
    if code == NATION:
        return None
    level_of(code)  # refuses what is no place
    # The first span that changes the digits: skips the county that Dongguan does not have.
    for span in SPANS:
        if (parent := code - code % span) != code:
            return parent
    return NATION


@lru_cache(maxsize=65_536)
def lineage(code: int) -> tuple[int, ...]:
    """Return the place and all above it, nearest first, ending with NATION."""
    parent = parent_of(code)
    return (code,) if parent is None else (code, *lineage(parent))
