"""The table Tianjin published (STA-02), recomputed from the register as the API gives it."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from rich.table import Table

from demo import api
from demo.register import FOUR_DISTRICTS, JIZHOU, PUBLISHED

AT_ONCE = 4


def read_register(base: str, data_dir: Path, today: date) -> Counter[str]:
    """Read every file of the city through the API and count what the table counts."""
    sessions = [api.machine(base, data_dir, "city", "supervision") for _ in range(AT_ONCE)]
    ids = [item["id"] for item in sessions[0].items("/v1/children")]

    def count(session: api.Api, part: Iterable[str]) -> Counter[str]:
        found: Counter[str] = Counter()
        for child_id in part:
            found.update(_marks(session.get(f"/v1/children/{child_id}"), today))
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = [ids[start::AT_ONCE] for start in range(AT_ONCE)]
        return sum(pool.map(count, sessions, parts), Counter())


def _marks(child: dict[str, Any], today: date) -> list[str]:
    kind = child["guardianship"]["kind"]
    born = date.fromisoformat(child["identity"]["birth_date"])
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    county = int(child["residence"]["region_code"]) // 10**6 * 10**6
    marks = [
        "total",
        "guardianship." + ("one_away_other_incapable" if kind == "parent" else kind),
        "ages." + ("0_5" if age <= 5 else "6_13" if age <= 13 else "14_15"),  # noqa: PLR2004  DEF-20
        f"income.{child['welfare']['income_sources'][0]}",
    ]
    conditions = {
        "guardian_eval.poor": child["guardianship"]["evaluation"] == "poor",
        "dropout": child["education"]["status"] == "dropout",
        "no_hukou": child["hukou"]["registered"] is False,
        "districts.jizhou": county == JIZHOU,
        "districts.wuqing_baodi_ninghe_jizhou": county in FOUR_DISTRICTS,
        "left_behind": "left_behind" in child["derived"]["categories"],
    }
    return [*marks, *(name for name, holds in conditions.items() if holds)]


def compare(found: Counter[str]) -> tuple[Table, bool]:
    """Set the recomputed table beside the printed figures; False if any differs."""
    table = Table("figure", "printed", "recomputed", "printed %", "recomputed %", "", box=None)
    same = True
    for name, printed in PUBLISHED.items():
        percent = None
        if printed.percent is not None:
            share = Decimal(found[name]) * 100 / found["total"]
            percent = share.quantize(Decimal("0.01"), ROUND_HALF_UP)
        agrees = (found[name], percent) == (printed.count, printed.percent)
        same = same and agrees
        table.add_row(
            name,
            f"{printed.count:,}",
            f"{found[name]:,}",
            "" if printed.percent is None else str(printed.percent),
            "" if percent is None else str(percent),
            "✓" if agrees else "✗",
        )
    everyone = found["left_behind"] == found["total"]
    table.add_row(
        "derived: left behind", "", f"{found['left_behind']:,}", "", "", "✓" if everyone else "✗"
    )
    return table, same and everyone
