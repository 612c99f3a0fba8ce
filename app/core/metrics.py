"""Figures for Prometheus. Labels are operations, statuses and job names: never a person's data.

What web processes count lies in memory they share, so that each answers for all of them. Each has a
row of its own and writes nowhere else: no lock is needed. Who is started for a process that died
goes on in its row, so no count goes back.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.core.areas import Lane
from app.core.data import months, sealed
from app.core.data.db import SYSTEM, Database, TemporarilyUnavailable
from app.core.data.replica import Standing
from app.core.jobs import queue
from app.core.processes import HERE, shared

_LANES = (*Lane,)
OTHER = "-"
"""What reaches no operation is counted under this name."""

_BOUNDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_NAMED = (*map(str, _BOUNDS), "+Inf")
_STATUSES = range(200, 600)
_PAGE = 512
"""Cells of one operation: its seconds, its answers by time, its answers by status. A page of
memory, so that an operation nobody calls takes none.
"""
_BY_TIME, _BY_STATUS = 1, 1 + len(_NAMED)
_PID, _IN_USE, _TURNED_AWAY = range(3)
_STANDINGS = (*Standing,)
_STOOD = _TURNED_AWAY + len(Lane)
_READ = _STOOD + 1
_ANSWERED = _READ + len(Standing)
"""A row begins with its process, the connections in use, how many each lane turned away, how the
replica stands (0: there is none), how it stood when it might have been asked, and the answers of
each operation.
"""


class Figures(Collector):
    """What the web processes of one start count. Make it before the processes that share it."""

    def __init__(self, operations: Iterable[str]) -> None:
        self._operations = {name: at for at, name in enumerate(dict.fromkeys((OTHER, *operations)))}
        self._head = -(-(_ANSWERED + len(self._operations)) // _PAGE) * _PAGE
        self._row = self._head + len(self._operations) * _PAGE
        self._cells = shared(HERE.of * self._row).cast("d")

    def note(self, operation: str, status: int, seconds: float, *, in_use: int) -> None:
        """Count an answer of this process, which has so many database connections in use."""
        cells, row = self._cells, HERE.number * self._row
        at = self._operations.get(operation, 0)
        page = row + self._head + at * _PAGE
        cells[row + _PID], cells[row + _IN_USE] = os.getpid(), in_use
        cells[row + _ANSWERED + at] += 1
        cells[page] += seconds
        cells[page + _BY_TIME + bisect_left(_BOUNDS, seconds)] += 1
        cells[page + _BY_STATUS + _STATUSES.index(status)] += 1

    def looked_up(self, standing: Standing, *, now: Standing) -> None:
        """Count a look that might be had on the replica, which stood so, and stands so now."""
        row = HERE.number * self._row
        self._cells[row + _READ + _STANDINGS.index(standing)] += 1
        self._cells[row + _STOOD] = 1 + _STANDINGS.index(now)

    def turn_away(self, lane: Lane) -> None:
        """Count a request that found no room in its lane."""
        self._cells[HERE.number * self._row + _TURNED_AWAY + _LANES.index(lane)] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield what all processes counted, and how each of them is."""
        rows = [row for row in range(0, len(self._cells), self._row) if self._cells[row + _PID]]
        yield from self._answers(rows)
        turned_away = CounterMetricFamily(
            "tonghu_turned_away", "Requests that found no room in their lane.", labels=["lane"]
        )
        for at, lane in enumerate(_LANES, _TURNED_AWAY):
            turned_away.add_metric([lane], sum(self._cells[row + at] for row in rows))
        yield turned_away
        yield from self._replica([row for row in rows if self._cells[row + _STOOD]])
        yield from self._processes(rows)

    def _replica(self, rows: list[int]) -> Iterator[Metric]:
        looks = CounterMetricFamily(
            "tonghu_replica_looks",
            "Lists, searches and counts, by how the replica stood: the primary answered what is"
            " not `used`.",
            labels=["standing"],
        )
        used = GaugeMetricFamily(
            "tonghu_replica_used", "1 if the replica is read, as last seen.", labels=["process"]
        )
        for at, standing in enumerate(_STANDINGS, _READ):
            if rows:
                looks.add_metric([standing], sum(self._cells[row + at] for row in rows))
        for row in rows:
            is_used = self._cells[row + _STOOD] == 1 + _STANDINGS.index(Standing.used)
            used.add_metric([str(row // self._row)], float(is_used))
        yield looks
        yield used

    def _answers(self, rows: list[int]) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "tonghu_requests", "Requests answered.", labels=["operation", "status"]
        )
        seconds = HistogramMetricFamily(
            "tonghu_request_seconds",
            "Time from the request's headers to the answer's last byte.",
            labels=["operation"],
        )
        for operation, at in self._operations.items():
            asked = [
                row + self._head + at * _PAGE for row in rows if self._cells[row + _ANSWERED + at]
            ]
            if not asked:
                continue
            pages = [self._cells[page : page + _PAGE].tolist() for page in asked]
            counts = [sum(column) for column in zip(*pages, strict=True)]
            for status, count in zip(_STATUSES, counts[_BY_STATUS:], strict=False):
                if count:
                    requests.add_metric([operation, str(status)], count)
            by_time = accumulate(counts[_BY_TIME:_BY_STATUS])
            seconds.add_metric([operation], list(zip(_NAMED, by_time, strict=True)), counts[0])
        yield requests
        yield seconds

    def _processes(self, rows: list[int]) -> Iterator[Metric]:
        pool = GaugeMetricFamily(
            "tonghu_pool_in_use", "Database connections checked out.", labels=["process"]
        )
        families: dict[str, Metric] = {}
        for row in rows:
            labels = {"process": str(row // self._row)}
            pid = partial(int, self._cells[row + _PID])
            pool.add_metric([*labels.values()], self._cells[row + _IN_USE])
            for found in ProcessCollector(pid=pid, registry=None).collect():
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type)
                )
                family.samples += [one._replace(labels=labels) for one in found.samples]
        yield pool
        yield from families.values()


async def render(database: Database, figures: Figures) -> bytes:
    """Write everything in Prometheus' text format; without the database, say so and go on."""
    registry = CollectorRegistry()
    registry.register(figures)
    up = Gauge("tonghu_database_up", "1 if the database answered.", registry=registry)
    jobs = Gauge("tonghu_jobs", "Jobs by state.", ["job", "state"], registry=registry)
    waiting = Gauge(
        "tonghu_jobs_oldest_seconds",
        "How long past due the longest-waiting job is.",
        ["job"],
        registry=registry,
    )
    succeeded = Gauge(
        "tonghu_job_succeeded_seconds",
        "When the run of a periodic job was due that came to its end last, since 1970.",
        ["job"],
        registry=registry,
    )
    ahead = Gauge(
        "tonghu_months_ahead",
        "Whole months that partitions are there for; -1: not even for this one.",
        registry=registry,
    )
    depths, schedules, sealing = [], [], None
    try:
        async with database.begin(SYSTEM) as tx:
            depths = await queue.depth(tx.connection)
            schedules = await queue.schedules(tx.connection)
            ahead.set(await months.ahead(tx.connection, tx.now))
            sealing, now = await sealed.standing(tx.connection), tx.now
        up.set(1)
    except (TemporarilyUnavailable, OSError):
        pass
    if sealing is not None:
        _sealing(registry, sealing, now)
    for row in schedules:
        if row["succeeded_at"]:
            succeeded.labels(row["name"]).set(row["succeeded_at"].timestamp())
    for row in depths:
        for state in ("queued", "running", "held"):
            jobs.labels(row["name"], state).set(row[state])
        waiting.labels(row["name"]).set(row["oldest_seconds"])
    return generate_latest(registry)


def _sealing(registry: CollectorRegistry, found: sealed.Standing, now: datetime) -> None:
    lag = Gauge(
        "tonghu_audit_unsealed_seconds",
        "Age of the oldest entry of the audit that is not sealed; 0: all are.",
        registry=registry,
    )
    lag.set((now - found.waits_since).total_seconds() if found.waits_since else 0)
    for name, says, value in (
        ("rows", "Entries of the audit that are sealed.", found.sealed),
        ("signed_rows", "Entries that the newest checkpoint is signed for.", found.signed),
        (
            "signed_seconds",
            "When the newest checkpoint was signed, since 1970.",
            found.signed_at.timestamp() if found.signed_at else 0,
        ),
    ):
        Gauge(f"tonghu_audit_sealed_{name}", says, registry=registry).set(value)
    behind = Gauge(
        "tonghu_audit_witness_behind_rows",
        "Entries by which what a witness countersigned is behind the newest checkpoint.",
        ["witness"],
        registry=registry,
    )
    for each in found.witnesses:
        behind.labels(str(each.witness_id)).set(each.behind)
    trouble = Gauge(
        "tonghu_audit_trouble",
        "1 if the sealing is in this trouble.",
        ["trouble"],
        registry=registry,
    )
    troubles = {*found.troubles(now)}
    for each_of in sealed.Trouble:
        trouble.labels(str(each_of)).set(each_of in troubles)
