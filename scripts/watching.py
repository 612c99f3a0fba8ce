"""A Prometheus of our own, which looks at what `deploy/` says, only faster.

What `deploy/alerts.yaml` counts in time is divided by one factor: how long a rule waits (`for`),
over how long it looks (`[5m]`, `offset 1d`), the ages it compares with, and how often figures are
fetched. Nothing else is changed, and never in the files themselves.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from app.core.clock import utc_now
from app.core.data.migrations import HOME

UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SECONDS: Final = re.compile(r"(?<![\w.\"])(\d{3,})(?![\w.\"])")
"""A number that stands for seconds in an expression: of three digits or more."""
COUNTED: Final = {"100"}
"""Such a number that counts something else: duties that are late."""
SPAN: Final = re.compile(r"(?<=\[)(\d+)(m|h|d)(?=\])|(?<=offset )(\d+)(m|h|d)\b")


def prometheus() -> str | None:
    """Find the program: TONGHU's own need of it ends with this script and a test."""
    return os.environ.get("PROMETHEUS") or shutil.which("prometheus")


def seconds(span: str) -> float:
    """Read `5m`."""
    return float(span.rstrip("mshd")) * UNITS[span.lstrip("0123456789.")]


def shorter(expression: str, factor: float) -> str:
    """Let an expression look at a time that goes by so many times as fast."""

    def span(found: re.Match[str]) -> str:
        number, unit = found[1] or found[3], found[2] or found[4]
        return f"{round(float(number) * UNITS[unit] / factor * 1000)}ms"

    def age(found: re.Match[str]) -> str:
        return found[1] if found[1] in COUNTED else f"{float(found[1]) / factor:g}"

    return SPAN.sub(span, SECONDS.sub(age, expression))


def rules(factor: float) -> dict[str, Any]:
    """Return the rules of `deploy/`, so many times as fast."""
    read: dict[str, Any] = yaml.safe_load((HOME / "deploy/alerts.yaml").read_text("utf-8"))
    for group in read["groups"]:
        for rule in group["rules"]:
            rule["expr"] = shorter(rule["expr"], factor)
            if "for" in rule:
                rule["for"] = f"{round(seconds(rule['for']) / factor * 1000)}ms"
    return read


@dataclass
class Watch:
    """A Prometheus that looks at a web process and a worker. `every`: seconds between two looks."""

    work: Path
    port: int
    targets: dict[str, str]
    factor: float
    began: float = field(default_factory=lambda: utc_now().timestamp())
    process: subprocess.Popen[bytes] | None = None

    @property
    def every(self) -> float:
        told = yaml.safe_load((HOME / "deploy/prometheus.yaml").read_text("utf-8"))
        return seconds(told["global"]["scrape_interval"]) / self.factor

    def start(self) -> None:
        """Start it, on the configuration of `deploy/` with the targets that there are."""
        told = yaml.safe_load((HOME / "deploy/prometheus.yaml").read_text("utf-8"))
        often = f"{round(self.every * 1000)}ms"
        told["global"] = {
            "scrape_interval": often,
            "scrape_timeout": often,
            "evaluation_interval": often,
        }
        told["scrape_configs"] = [
            {"job_name": each["job_name"], "static_configs": [{"targets": [self.targets[job]]}]}
            for each in told["scrape_configs"]
            if (job := each["job_name"]) in self.targets
        ]
        self.work.mkdir(parents=True)
        (self.work / "alerts.yaml").write_text(yaml.safe_dump(rules(self.factor)))
        (self.work / "prometheus.yaml").write_text(yaml.safe_dump(told))
        program = prometheus() or "prometheus"
        with (self.work / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={self.work / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self.work / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def ask(self, path: str, **parameters: Any) -> Any:
        """Ask its API; None while it does not answer."""
        base = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        try:
            answer = httpx.get(base, params=parameters, timeout=10)
        except httpx.TransportError:
            return None
        return answer.json()["data"] if answer.is_success else None

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        told = self.ask("alerts") or {"alerts": []}
        return {each["labels"]["alertname"] for each in told["alerts"] if each["state"] == "firing"}

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression of the dashboard came to, from the beginning until now."""
        now = utc_now().timestamp()
        told = self.ask(
            "query_range",
            query=shorter(expression, self.factor),
            start=self.began,
            end=now,
            step=max(self.every, (now - self.began) / 1000),
        )
        return [] if told is None else list(told["result"])
