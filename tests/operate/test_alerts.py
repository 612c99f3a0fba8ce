"""Alerts, dashboard and runbook speak of one and the same service, which this program is."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core import metrics
from app.core.problems import Cause
from app.core.settings import Settings
from tests.architecture.test_shape import HOME

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((HOME / "deploy/alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
BOARD = json.loads((HOME / "deploy/dashboard.json").read_text("utf-8"))
RUNBOOK = (HOME / "docs/night-shift.md").read_text("utf-8")
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")

FOREIGN = {
    *("up", "ALERTS", "probe_ssl_earliest_cert_expiry"),
    *("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
}
"""What Prometheus itself, node_exporter and blackbox_exporter tell."""


def named(expression: str) -> set[str]:
    """Return the figures that an expression names."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\b(?:by|on|without)\s*\([^)]*\)", " ", expression)
    bare = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", bare)
    return {
        word
        for word, then in re.findall(r"\b([a-zA-Z_]\w*)\b(\s*\()?", bare)
        if not then and word not in {"or", "and", "unless", "on", "by", "inf", "le"}
    }


def written(text: str) -> set[str]:
    """Return the figures that a page of metrics knows, also those without a sample just now."""
    found = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        found |= {name}
        if kind == "histogram":
            found |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
    return found


@pytest.fixture
async def told(client, database, settings) -> set[str]:
    """What a web process and a worker on the embedded database tell."""
    web = (await client.get("/metrics")).text
    own = (metrics.OfWorker(database), metrics.OfDisk(Settings(data_dir=Path("/tmp"))))
    return written(web) | written((await metrics.render(database, *own)).decode())


def test_an_expression_is_read_for_what_it_names() -> None:
    said = 'max by (a) (x_total{b="c", d=~"e.*"} offset 1d) > on (f) rate(y[5m]) or absent(z) + 1'
    assert named(said) == {"x_total", "y", "z"}


async def test_what_an_alert_asks_for_is_told(told) -> None:
    asked = set().union(*(named(rule["expr"]) for rule in RULES))
    assert asked - FOREIGN - told == set()
    assert FOREIGN - asked == {"ALERTS"}


async def test_what_a_panel_shows_is_told(told) -> None:
    shown = {
        name
        for panel in BOARD["panels"]
        for target in panel.get("targets", ())
        for name in named(target["expr"])
    }
    assert shown - FOREIGN - told == set()
    assert len(shown) > 20
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in BOARD["panels"]]
    assert len({*places}) == len(places)


def test_a_figure_that_is_missing_is_told_of_or_said_to_be_good_news() -> None:
    """Silence is no good news: of each figure that an alert goes by, one or the other."""
    asked = set().union(*(named(rule["expr"]) for rule in RULES))
    alarmed = set(re.findall(r"absent\((\w+)\)", str(RULES)))
    table = sections()["FiguresMissing"].partition("| figure | none |")[2]
    said = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE))))
    unwatched = {"tonghu_disk_free_bytes", "node_filesystem_avail_bytes"}
    silent = asked - alarmed - said
    assert not silent, f"ask for it in FiguresMissing, or say there why it may be missing: {silent}"
    assert said - asked == set()
    assert alarmed & said == {*unwatched, "probe_ssl_earliest_cert_expiry"}
    for name in set(re.findall(r'"figure", "(\w+)"', str(RULES))):
        assert f'label_replace(absent({name}), "figure", "{name}", "", "")' in str(RULES)


def sections() -> dict[str, str]:
    _, *parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    named = [rule["alert"] for rule in RULES]
    differ = sorted({*sections()} ^ {*named})
    assert not differ, f"only one of deploy/alerts.yaml and docs/night-shift.md: {differ}"
    assert [*sections()] == named, "in the order of deploy/alerts.yaml"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_section_says_what_it_is_whether_somebody_is_woken_and_what_to_do(rule) -> None:
    name = rule["alert"]
    assert name in sections(), f"docs/night-shift.md: `## {name}`, as the sections beside it"
    text = sections()[name]
    severity = rule["labels"]["severity"]
    assert severity in {"page", "ticket"}
    assert text.strip().startswith(f"**Means.** {severity}. ")
    assert "**Do.**" in text
    if severity == "page":
        assert "**Wake.**" in text, "who else"
    assert rule["annotations"].keys() == {"summary", "zh"}


def test_each_cause_is_explained() -> None:
    causes = RUNBOOK.partition("| cause |")[2].partition("\n\n")[0]
    table = re.findall(r"^\| (`.+?) \|", causes, re.MULTILINE)
    explained = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert explained == {*Cause} - {Cause.other}


def test_links_inside_the_runbook_lead_somewhere() -> None:
    known = {name.lower() for name in sections()}
    assert {*re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)} - known == set()


NIGHTS = (HOME / "deploy/alerts.test.yaml").read_text("utf-8")


def test_each_alert_fires_in_some_night_and_none_where_nothing_is_wrong() -> None:
    fired = set(re.findall(r'alertname="(\w+)"', NIGHTS))
    differ = sorted(fired ^ {rule["alert"] for rule in RULES})
    assert not differ, f"only one of deploy/alerts.yaml and alerts.test.yaml: {differ}"
    [quiet] = [
        each for each in yaml.safe_load(NIGHTS)["tests"] if "nothing is wrong" in each["name"]
    ]
    assert [each["exp_samples"] for each in quiet["promql_expr_test"]] == [[]] * 3


def test_the_nights_know_each_figure_that_must_be_told() -> None:
    """Else only promtool says so, where there is one."""
    [missing] = [rule["expr"] for rule in RULES if rule["alert"] == "FiguresMissing"]
    must = set(re.findall(r"absent\((\w+)\)", missing))
    quiet = set(
        re.findall(
            r"series: '(\w+)", NIGHTS.partition("\n  - name: ")[2].partition("  - name: ")[0]
        )
    )
    assert not must - quiet, f"deploy/alerts.test.yaml: tell it in the first night: {must - quiet}"
    counted = {int(n) for n in re.findall(r'"FiguresMissing".*value: (\d+)', NIGHTS)}
    assert counted == {len(must) - 1}, (
        "how many are missing where only `tonghu_database_up` is told"
    )


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here: Debian's package `prometheus`")
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yaml"),
        ("check", "config", "prometheus.yaml"),
        ("test", "rules", "alerts.test.yaml"),
    ],
)
def test_promtool_agrees(arguments) -> None:
    ended = subprocess.run(
        [str(PROMTOOL), *arguments],
        cwd=HOME / "deploy",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
