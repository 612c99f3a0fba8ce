"""Figures for Prometheus. Labels are operations, statuses and job names: never a person's data."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from sqlalchemy import QueuePool

from app.core.data.db import SYSTEM, Database, TemporarilyUnavailable
from app.core.jobs import queue

_registry = CollectorRegistry()
ProcessCollector(registry=_registry)
_requests = Counter(
    "tonghu_requests", "Requests answered.", ["operation", "status"], registry=_registry
)
_seconds = Histogram(
    "tonghu_request_seconds",
    "Time from the request's headers to the answer's last byte.",
    ["operation"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_registry,
)
_turned_away = Counter(
    "tonghu_turned_away", "Requests that found no room in their lane.", ["lane"], registry=_registry
)
_pool = Gauge("tonghu_pool_in_use", "Database connections checked out.", registry=_registry)
_up = Gauge("tonghu_database_up", "1 if the database answered.", registry=_registry)
_jobs = Gauge("tonghu_jobs", "Jobs by state.", ["job", "state"], registry=_registry)
_waiting = Gauge(
    "tonghu_jobs_oldest_seconds",
    "How long past due the longest-waiting job is.",
    ["job"],
    registry=_registry,
)


def note(operation: str, status: int, seconds: float) -> None:
    _requests.labels(operation, str(status)).inc()
    _seconds.labels(operation).observe(seconds)


def turn_away(lane: str) -> None:
    _turned_away.labels(lane).inc()


async def render(database: Database) -> bytes:
    """Write everything in Prometheus' text format; without the database, say so and go on."""
    pool = database.engine.pool
    _pool.set(pool.checkedout() if isinstance(pool, QueuePool) else 0)
    _jobs.clear()
    _waiting.clear()
    try:
        async with database.begin(SYSTEM) as tx:
            depths = await queue.depth(tx.connection)
        _up.set(1)
    except (TemporarilyUnavailable, OSError):
        depths = []
        _up.set(0)
    for row in depths:
        for state in ("queued", "running", "held"):
            _jobs.labels(row["name"], state).set(row[state])
        _waiting.labels(row["name"]).set(row["oldest_seconds"])
    return generate_latest(_registry)
