"""The dashboard of `deploy/`, asked of a real Prometheus: what is empty, and how it looks."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.core.data.migrations import HOME
from scripts.watching import Watch

EMPTY_IS_GOOD: Final = {
    "topk(5, max by (name) (tonghu_jobs_oldest_seconds)) > 0": "no job waits past its time",
    "max by (rule) (tonghu_duties_late)": "no duty is late",
    "min by (instance) (tonghu_replica_used)": "there is no replica",
    "max by (figure) (tonghu_figures_unread)": "all are read",
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
    for name in ("instance", "process", "cause", "lane", "status", "name", "rule", "class"):
        wanted = wanted.replace(f"{{{{{name}}}}}", labels.get(name, ""))
    for name in ("endpoint", "figure", "trouble", "mountpoint", "kind"):
        wanted = wanted.replace(f"{{{{{name}}}}}", labels.get(name, "")[:8])
    return wanted


def draw(board: list[Shown], to: Path) -> None:
    """Draw each panel where it stands, with its unit, its legend and the lines of its thresholds.
    Needs matplotlib, and a font with Chinese.
    """
    import matplotlib as mpl  # noqa: PLC0415  nothing else needs it

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    plt.rcParams["font.family"] = ["Noto Sans CJK JP", "WenQuanYi Zen Hei", "DejaVu Sans"]
    panels: dict[int, list[Shown]] = {}
    for each in board:
        panels.setdefault(each.panel["id"], []).append(each)
    rows = -(-len(panels) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(22, 3.6 * rows), squeeze=False)
    for axis, queries in zip(axes.flat, panels.values(), strict=False):
        defaults = queries[0].panel["fieldConfig"]["defaults"]
        for query in queries:
            for name, points in query.series.items():
                axis.plot(*zip(*points, strict=True), label=name, linewidth=1)
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is not None:
                axis.axhline(step["value"], color=step["color"], linestyle=":", linewidth=1)
        axis.set_title(f"{queries[0].panel['title']}  [{defaults['unit']}]", fontsize=10)
        axis.tick_params(labelsize=7)
        if any(query.series for query in queries):
            axis.legend(fontsize=6, loc="upper left", ncols=2)
    figure.tight_layout()
    figure.savefig(to, dpi=70)
