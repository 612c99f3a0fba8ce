import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from app.regions import divisions, rules
from app.regions.divisions import BadDivisionLine, Division, read_villages
from app.regions.rules import Level

HEADER = "code,name,streetCode,provinceCode,cityCode,areaCode\n"
GOOD = '120119001001,"五十八间社区居委会",120119001,12,1201,120119\n'
NEXT = '120119001002,"花园里二段社区居委会",120119001,12,1201,120119\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "villages.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nation_is_shipped_down_to_townships() -> None:
    places = list(divisions.shipped())
    assert Counter(place.level for place in places) == {
        Level.PROVINCE: 31,
        Level.PREFECTURE: 342,
        Level.COUNTY: 2975,
        Level.TOWNSHIP: 41351,
    }
    assert all(before.code < after.code for before, after in pairwise(places))
    assert Division(211381000000, "北票市", Level.COUNTY) in places
    assert Division(441900000000, "东莞市", Level.PREFECTURE) in places


def test_the_ten_agricultural_districts_of_tianjin_have_their_villages() -> None:
    villages = list(divisions.demo_villages())
    assert all(village.level is Level.VILLAGE for village in villages)
    counties = Counter(rules.county_of(village.code) for village in villages)
    ten = {code: counties[code] for code in range(120110000000, 120120000000, 1000000)}
    assert min(ten.values()) > 100
    assert ten[120119000000] == 983
    townships = {place.code for place in divisions.shipped() if place.level is Level.TOWNSHIP}
    assert {village.parent for village in villages} <= townships


def test_shipped_files_stay_small() -> None:
    data = Path(divisions.__file__).parent / "data"
    assert sum(path.stat().st_size for path in data.iterdir()) < 700_000


def test_a_full_village_file_is_read(tmp_path: Path) -> None:
    kinmen = '350527000000,"金门县",350527000,35,3505,350527\n'
    dongguan = '441900003001,"岗贝社区居民委员会",441900003,44,4419,441900\n'
    rare = '450681101201,"\ue08b尾村村委会",450681101,45,4506,450681\n'
    path = written(tmp_path, "\ufeff" + HEADER + GOOD + NEXT + kinmen + dongguan + rare)
    assert list(read_villages(path)) == [
        Division(120119001001, "五十八间社区居委会", Level.VILLAGE),
        Division(120119001002, "花园里二段社区居委会", Level.VILLAGE),
        Division(441900003001, "岗贝社区居民委员会", Level.VILLAGE),
        Division(450681101201, "\ue08b尾村村委会", Level.VILLAGE),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("120119001002,x,120119001,12,1201\n", "5 columns"),
        ("\n", "0 columns"),
        ("12011900100,x,120119001,12,1201,120119\n", "12 digits"),
        ("１２０119001002,x,120119001,12,1201,120119\n", "12 digits"),
        ("120119001002,x,120119002,12,1201,120119\n", "streetCode"),
        ("120119001002,x,120119001,12,1201,120118\n", "areaCode"),
        ("120119001000,x,120119001,12,1201,120119\n", "not the code of a village"),
        ("990119001002,x,990119001,99,9901,990119\n", "not the code of a village"),
        ("120119001002,  ,120119001,12,1201,120119\n", "name"),
        ("120119001002,a\x00b,120119001,12,1201,120119\n", "name"),
        (GOOD, "repeated"),
        ("120119001000,x,120119001,12,1201,120119\n", "village"),
    ],
)
def test_a_bad_line_is_reported_with_its_number_and_left_out(
    tmp_path: Path, bad: str, reason: str
) -> None:
    path = written(tmp_path, HEADER + GOOD + bad + NEXT)
    problems: list[BadDivisionLine] = []
    read = [village.code for village in read_villages(path, problems.append)]
    assert read == [120119001001, 120119001002]
    assert [problem.line for problem in problems] == [3]
    assert reason in problems[0].reason
    with pytest.raises(BadDivisionLine, match="line 3"):
        list(read_villages(path))


@pytest.mark.parametrize("text", ["", "code,name\n" + GOOD, GOOD])
def test_another_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadDivisionLine, match="line 1: the header"):
        list(read_villages(written(tmp_path, text), on_problem=lambda _: None))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "villages.csv"
    path.write_bytes((HEADER + GOOD).encode("gb18030"))
    with pytest.raises(BadDivisionLine, match="UTF-8"):
        list(read_villages(path, on_problem=lambda _: None))


def test_reading_does_not_hold_the_file(tmp_path: Path) -> None:
    lines = (
        f"1201190{number:05d},村委会,1201190{number // 1000:02d},12,1201,120119\n"
        for number in range(1001, 10000)
        if number % 1000
    )
    path = written(tmp_path, HEADER + "".join(lines))
    tracemalloc.start()
    count = sum(1 for _ in read_villages(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 8991
    assert peak < 250_000 < path.stat().st_size
