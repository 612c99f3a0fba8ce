"""Figures for Prometheus. Labels are operations, statuses and job names: never a person's data.

What web processes count lies in memory they share, so that each answers for all of them. Each has a
row of its own and writes nowhere else: no lock is needed. Who is started for a process that died
goes on in its row, so no count goes back.
"""

import asyncio
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Final
from weakref import WeakKeyDictionary

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from app.core.areas import Lane
from app.core.data import months
from app.core.data.db import SYSTEM, Database, TemporarilyUnavailable, Tx
from app.core.data.gauges import GAUGES, DatabaseGauge, Sample, gauge
from app.core.data.replica import Standing
from app.core.jobs import figures as _of_jobs  # noqa: F401  declares some
from app.core.jobs.runner import describe
from app.core.problems import Cause
from app.core.processes import HERE, shared
from app.core.settings import Settings

log = structlog.get_logger(__name__)
_ANSWER_SECONDS, _READING_SECONDS = 2.0, 5.0
"""Together less than Prometheus waits for an answer, which is ten seconds."""
_BRIEFLY: Final = "SET LOCAL statement_timeout = '1s'"
_READINGS: Final[dict[Database, asyncio.Task[list[Metric]]]] = {}
_KEPT: Final[WeakKeyDictionary[Database, dict[DatabaseGauge, tuple[float, list[Sample]]]]] = (
    WeakKeyDictionary()
)
_UNREAD: Final[WeakKeyDictionary[Database, set[str]]] = WeakKeyDictionary()
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
_CAUSES = (*Cause,)
_PID, _IN_USE, _SIZE, _TURNED_AWAY = range(4)
_STANDINGS = (*Standing,)
_WAITED = _TURNED_AWAY + len(Lane)
_WAITED_SECONDS = _WAITED + len(Lane)
_REFUSED = _WAITED_SECONDS + len(Lane)
_STOOD = _REFUSED + len(Cause)
_READ = _STOOD + 1
_ANSWERED = _READ + len(Standing)
"""A row begins with its process, the connections in use and how many there may be, how many each
lane turned away, how many waited there and how long together, how many were refused for which
cause, how the replica stands (0: there is none), how it stood when it might have been asked, and
the answers of each operation.
"""


class Figures(Collector):
    """What the web processes of one start count. Make it before the processes that share it."""

    def __init__(self, operations: Iterable[str]) -> None:
        self._operations = {name: at for at, name in enumerate(dict.fromkeys((OTHER, *operations)))}
        self._head = -(-(_ANSWERED + len(self._operations)) // _PAGE) * _PAGE
        self._row = self._head + len(self._operations) * _PAGE
        self._cells = shared(HERE.of * self._row).cast("d")

    def note(
        self,
        operation: str,
        status: int,
        seconds: float,
        *,
        pool: tuple[int, int] = (0, 0),
        cause: Cause | None = None,
    ) -> None:
        """Count an answer of this process. `pool`: how many database connections are in use, of how
        many; `cause`: why it was refused.
        """
        cells, row = self._cells, HERE.number * self._row
        at = self._operations.get(operation, 0)
        page = row + self._head + at * _PAGE
        cells[row + _PID], (cells[row + _IN_USE], cells[row + _SIZE]) = os.getpid(), pool
        if cause is not None:
            cells[row + _REFUSED + _CAUSES.index(cause)] += 1
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

    def waited(self, lane: Lane, seconds: float) -> None:
        """Count a request that waited for a place in its lane, whether it got one or not."""
        row, at = HERE.number * self._row, _LANES.index(lane)
        self._cells[row + _WAITED + at] += 1
        self._cells[row + _WAITED_SECONDS + at] += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield what all processes counted, and how each of them is."""
        rows = [row for row in range(0, len(self._cells), self._row) if self._cells[row + _PID]]
        yield from self._answers(rows)
        lanes, causes = ("lane", _LANES), ("cause", _CAUSES)
        for name, told, at, of in (
            ("turned_away", "Requests that found no room in their lane.", _TURNED_AWAY, lanes),
            ("lane_waits", "Requests that waited for a place in their lane.", _WAITED, lanes),
            ("lane_wait_seconds", "How long they waited, together.", _WAITED_SECONDS, lanes),
            ("refused", "Requests told to come back (503, 429), by why.", _REFUSED, causes),
        ):
            family = CounterMetricFamily(f"tonghu_{name}", told, labels=[of[0]])
            for cell, value in enumerate(of[1], at):
                family.add_metric([value], sum(self._cells[row + cell] for row in rows))
            yield family
        yield from self._replica([row for row in rows if self._cells[row + _STOOD]])
        heads = ((row // self._row, *self._cells[row : row + _TURNED_AWAY]) for row in rows)
        yield from _processes([*map(int, head)] for head in heads)

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


class OfWorker(Collector):
    """What a worker says of its own process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        return _processes([(0, os.getpid(), self._database.in_use, self._database.size)])


def _processes(processes: Iterable[Sequence[int]]) -> Iterator[Metric]:
    """Yield how processes are: of each number, pid, and connections in use, of how many."""
    in_use = GaugeMetricFamily(
        "tonghu_pool_in_use", "Database connections checked out.", labels=["process"]
    )
    size = GaugeMetricFamily(
        "tonghu_pool_size", "Database connections there may be.", labels=["process"]
    )
    families: dict[str, Metric] = {}
    for number, pid, used, most in processes:
        process = str(number)
        in_use.add_metric([process], used)
        size.add_metric([process], most)
        for found in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            family = families.setdefault(
                found.name, Metric(found.name, found.documentation, found.type)
            )
            labels = {"process": process}
            family.samples += [one._replace(labels=labels) for one in found.samples]
    yield from (in_use, size, *families.values())


class OfDisk(Collector):
    """What room is left where the embedded database lies; of another server its machine knows."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir if settings.database.url is None else None

    def collect(self) -> Iterator[Metric]:
        if self._folder is not None:
            total, _, free = shutil.disk_usage(self._folder)
            yield GaugeMetricFamily(
                "tonghu_disk_bytes", "Size of the database's disk.", value=total
            )
            yield GaugeMetricFamily("tonghu_disk_free_bytes", "What is free of it.", value=free)


async def render(database: Database, *own: Collector) -> bytes:
    """Write everything in Prometheus' text format; without the database, say so and go on."""
    registry = CollectorRegistry()
    wrong = GaugeMetricFamily(
        "tonghu_keys_wrong",
        "1 if whoever answers has wrong keys.",
        value=float(database.wrong_keys is not None),
    )
    for collector in (*own, _Found([wrong, *await _asked_once(database)])):
        registry.register(collector)
    return generate_latest(registry)


class _Found(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


async def _asked_once(database: Database) -> list[Metric]:
    """Let all who ask at one moment share one reading: they hold one connection together."""
    if database not in _READINGS:
        reading = _READINGS[database] = asyncio.create_task(_read(database))
        reading.add_done_callback(lambda _: _READINGS.pop(database))
    return await asyncio.shield(_READINGS[database])


async def _read(database: Database) -> list[Metric]:
    """Ask for one figure after another, each in a transaction of its own, so that who looks whether
    we are ready waits for one of them at most. What is not told in time is named, and next time
    asked for after the others, whose time it would take.
    """
    up = GaugeMetricFamily("tonghu_database_up", "1 if the database answered.")
    unread = GaugeMetricFamily(
        "tonghu_figures_unread", "1 for each that could not be read in time.", labels=["figure"]
    )
    up.add_metric([], await _answers(database))
    found: list[Metric] = [up]
    until = asyncio.get_running_loop().time() + _READING_SECONDS
    before, _UNREAD[database] = _UNREAD.get(database, set()), set()
    in_turn = sorted(GAUGES.items(), key=lambda each: each[0] in before)
    together: dict[object, Any] = {}
    for name, each in in_turn if up.samples[0].value else ():
        family = GaugeMetricFamily(name, each.told, labels=each.labels)
        try:
            async with asyncio.timeout_at(until):
                for values, value in await _kept(database, each, together):
                    family.add_metric(values, value)
        except (TemporarilyUnavailable, TimeoutError, asyncpg.PostgresError) as error:
            unread.add_metric([name], 1)
            _UNREAD[database].add(name)
            log.warning("figures.unread", figure=name, failure=describe(error))
        else:
            found.append(family)
    return [*found, unread]


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS), database.begin():
            return True
    except (TemporarilyUnavailable, TimeoutError):
        return False


async def _kept(
    database: Database, figure: DatabaseGauge, together: dict[object, Any]
) -> Iterable[Sample]:
    """Read a figure, or tell again what was read a moment ago, or with another one."""
    now = asyncio.get_running_loop().time()
    kept = _KEPT.setdefault(database, {})
    if figure in kept and now < kept[figure][0]:
        return kept[figure][1]
    if figure.read not in together:
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_BRIEFLY)
            together[figure.read] = await figure.read(tx)
    read = [*figure.of(together[figure.read])]
    if figure.keep:
        kept[figure] = now + figure.keep, read
    return read


@gauge(
    "tonghu_months_ahead",
    "Whole months that partitions are there for; -1: not even for this one.",
)
async def _months(tx: Tx) -> list[Sample]:
    return [((), await months.ahead(tx.connection, tx.now))]
