"""The dashboard of `deploy/`, asked of a real Prometheus: what is empty, and how it looks."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.core.data.migrations import HOME
from scripts.watching import Watch

HOUR: Final = 3600
EMPTY_IS_GOOD: Final = {
    "topk(5, max by (name) (tonghu_jobs_oldest_seconds)) > 0": "no job waits past its time",
    "max by (rule) (tonghu_duties_late)": "no duty is late",
    "min by (instance) (tonghu_replica_used)": "there is no replica",
    "max by (figure) (tonghu_figures_unread)": "all are read",
    "max by (witness) (tonghu_audit_witness_behind_rows)": "there is no witness",
}
"""What may show nothing all night, and why."""


@dataclass(frozen=True)
class Shown:
    """What one query of a panel came to: for each legend its points."""

    panel: dict[str, Any]
    expression: str
    series: dict[str, list[tuple[datetime, float]]]


def shown(watch: Watch) -> list[Shown]:
    """Ask for all that the dashboard shows of a night."""
    board = json.loads((HOME / "deploy/dashboard.json").read_text("utf-8"))
    found = []
    for panel in board["panels"]:
        for target in panel["targets"]:
            series = {
                _legend(target["legendFormat"], each["metric"]): [
                    (datetime.fromtimestamp(at, UTC), float(value)) for at, value in each["values"]
                ]
                for each in watch.series(target["expr"])
            }
            found.append(Shown(panel, target["expr"], series))
    return found


def empty(board: list[Shown]) -> list[str]:
    """Name what shows nothing at all, and should."""
    return [
        f"{each.panel['title']}: {each.expression}"
        for each in board
        if not each.series
        and each.expression not in EMPTY_IS_GOOD
        and "node_filesystem" not in each.expression  # node_exporter's, of another machine
    ]


def _legend(wanted: str, labels: dict[str, str]) -> str:
    def told(found: re.Match[str]) -> str:
        value = labels.get(found[1], "")
        return value[:8] if found[1] in {"endpoint", "witness"} else value

    return re.sub(r"\{\{(\w+)\}\}", told, wanted)


UNITS: Final[dict[str, Callable[[float], str]]] = {
    "s": lambda value: f"{value:g} s" if value < HOUR else f"{value / HOUR:.3g} h",
    "bytes": lambda value: f"{value / 2**20:,.0f} MiB",
    "percentunit": lambda value: f"{value:.0%}",
    "reqps": lambda value: f"{value:g}/s",
    "short": lambda value: f"{value:g}",
}


def draw(board: list[Shown], to: Path, factor: float) -> None:
    """Draw each panel in its turn, over one and the same time. Needs matplotlib, and a font with
    Chinese. `factor`: how much faster than the thresholds in seconds time went by.
    """
    import matplotlib as mpl  # noqa: PLC0415  nothing else needs it

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    plt.rcParams["font.family"] = ["Noto Sans CJK JP", "WenQuanYi Zen Hei", "DejaVu Sans"]
    panels: dict[int, list[Shown]] = {}
    for each in board:
        panels.setdefault(each.panel["id"], []).append(each)
    times = [at for each in board for points in each.series.values() for at, _ in points]
    rows = -(-len(panels) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(22, 3.8 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, queries in zip(axes.flat, panels.values(), strict=False):
        axis.set_axis_on()
        _panel(axis, queries, factor)
        axis.set_xlim(min(times), max(times))
        axis.xaxis.set_major_formatter(mpl.dates.DateFormatter("%H:%M"))
    figure.tight_layout()
    figure.savefig(to, dpi=70)


def _panel(axis: Any, queries: list[Shown], factor: float) -> None:
    defaults = queries[0].panel["fieldConfig"]["defaults"]
    lines = {name: points for query in queries for name, points in query.series.items()}
    for name, points in lines.items():
        axis.plot(*zip(*points, strict=True), label=name, linewidth=1)
    values = (value for points in lines.values() for _, value in points)
    highest = max(filter(math.isfinite, values), default=0.0)
    axis.set_ylim(defaults.get("min"), defaults.get("max") or 1.2 * highest or 1)
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None:
            at = step["value"] / (factor if defaults["unit"] == "s" else 1)
            axis.axhline(at, color=step["color"], linestyle=":", linewidth=1)
    axis.set_title(queries[0].panel["title"], fontsize=11)
    axis.yaxis.set_major_formatter(lambda value, _: UNITS[defaults["unit"]](value))
    axis.tick_params(labelsize=8)
    if lines:
        axis.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=5)
    else:
        axis.text(0.5, 0.5, "nothing", transform=axis.transAxes, ha="center")
