"""How the queue stands, and when what comes round last came to its end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from croniter import croniter

from app.core.clock import CHINA
from app.core.data.db import Tx
from app.core.data.gauges import Sample, gauge
from app.core.jobs import queue

_AN_EVENING: Final = datetime(2026, 1, 1, 20, tzinfo=UTC).astimezone(CHINA)
_OCCASIONS: Final = 50
_FIRST_WAITING: Final = "SELECT min(occurred_at) FROM ({}) AS first".format(
    "SELECT occurred_at FROM events WHERE position IS NULL ORDER BY n, id LIMIT 1"
)


@gauge("tonghu_jobs", "Jobs by state.", "name", "state")
async def jobs(tx: Tx) -> list[Sample]:
    rows = await queue.depth(tx.connection)
    states = ("queued", "running", "held")
    return [((row["name"], state), row[state]) for row in rows for state in states]


@gauge("tonghu_jobs_oldest_seconds", "How long past due the longest-waiting job is.", "name")
async def oldest(tx: Tx) -> list[Sample]:
    rows = await queue.depth(tx.connection)
    return [((row["name"],), row["oldest_seconds"]) for row in rows]


@gauge(
    "tonghu_job_succeeded_seconds",
    "When the run of a periodic job was due that came to its end last, since 1970.",
    "name",
)
async def succeeded(tx: Tx) -> list[Sample]:
    rows = await queue.schedules(tx.connection)
    done = [(row["name"], row["succeeded_at"]) for row in rows if row["succeeded_at"]]
    return [((name,), at.timestamp()) for name, at in done]


@gauge(
    "tonghu_job_interval_seconds", "The longest time between two runs of a periodic job.", "name"
)
async def interval(_: Tx) -> list[Sample]:
    periodic = [each for each in queue.REGISTRY.values() if each.cron]
    return [((each.name,), longest(each.cron or "").total_seconds()) for each in periodic]


def longest(cron: str) -> timedelta:
    """Return how far apart two occasions of a schedule are at most."""
    occasions = croniter(cron, _AN_EVENING)
    times: list[datetime] = [occasions.get_next(datetime) for _ in range(_OCCASIONS)]
    return max(later - earlier for earlier, later in pairwise(times))


@gauge(
    "tonghu_events_waiting_seconds",
    "Since when the event waits that is next to be handed out; 0: none waits.",
)
async def events_waiting(tx: Tx) -> list[Sample]:
    first = await tx.connection.fetchval(_FIRST_WAITING)
    return [((), (tx.now - first).total_seconds() if first else 0.0)]
