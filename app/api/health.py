"""Is it alive, is it ready, what does it count (REL-6, REL-7). Answers carry no detail."""

import asyncio
from typing import NamedTuple

import asyncpg
import structlog
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.api.answers import NotFound
from app.core import metrics
from app.core.data import months, versions
from app.core.data.db import Database, TemporarilyUnavailable
from app.core.data.replica import Replica
from app.core.http import routing
from app.core.problems import Cause, Problem

log = structlog.get_logger("tonghu.health")
DRAINING = asyncio.Event()
"""Set when this process was told to stop: not ready any more, still answering (REL-6)."""


class _Look(NamedTuple):
    """What was found. `reason`: why this is not ready, for the log; `last_month`: no month after
    this one has partitions.
    """

    reason: str | None
    cause: Cause = Cause.other
    last_month: bool = False


_DATABASE_SECONDS = 2.0
_LOOKS: dict[Database, asyncio.Task[_Look]] = {}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
router = APIRouter(include_in_schema=False, generate_unique_id_function=routing.operation_id)


class NotReady(Problem, status=503):
    """The process cannot serve requests now. The log says why."""

    title = "Not ready"
    title_zh = "服务尚未就绪"


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Answer as long as the process can answer at all."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """Answer if the database is reachable, of this version and its keys are ours, if it takes the
    record, and has room for this month's. A replica that is away or behind is told of; its part is
    done without it. So is room that ends with this month.
    """
    drains = _Look("draining", Cause.draining)
    look = drains if DRAINING.is_set() else await _asked_once(request.state.database)
    if look.reason is not None:
        log.warning("not ready", reason=look.reason)
        not_ready = NotReady(headers={"retry-after": "2"})
        not_ready.cause = look.cause
        raise not_ready
    replica: Replica | None = request.state.replica
    ready = {"status": "ready"} | ({"replica": replica.standing} if replica else {})
    if look.last_month:
        log.warning("no month ahead")
        ready["months"] = "none ahead"
    return ready


async def _asked_once(database: Database) -> _Look:
    """Let all who ask at one moment share one look: they wait in no lane, and hold one connection
    together.
    """
    if database not in _LOOKS:
        look = _LOOKS[database] = asyncio.create_task(_look(database))
        look.add_done_callback(lambda _: _LOOKS.pop(database))
    return await asyncio.shield(_LOOKS[database])


async def _look(database: Database) -> _Look:
    try:
        async with asyncio.timeout(_DATABASE_SECONDS), database.begin() as tx:
            revision = await tx.connection.fetchval("SELECT version_num FROM alembic_version")
            ahead = await months.ahead(tx.connection, tx.now)
    except TemporarilyUnavailable as away:
        return _Look("database away", away.cause)
    except TimeoutError:  # who holds the audit's table keeps this look waiting, too
        if database.recording.missing is not None:
            return _Look("audit", Cause.record_away)
        return _Look("database away", Cause.database_silent)
    except asyncpg.PostgresError:
        return _Look("database not migrated", Cause.not_migrated)
    # One it doesn't know is of a later release, whose schema it runs on, so that a deploy may roll.
    is_older = revision is None or revision in versions.older()
    if database.wrong_keys is not None:
        look = _Look("keys", Cause.wrong_keys)
    elif await database.recording.is_away():
        look = _Look("audit", Cause.record_away)
    elif is_older:
        look = _Look("database of an older version", Cause.not_migrated)
    elif ahead < 0:
        look = _Look("no room for this month", Cause.no_month)
    else:
        look = _Look(None, last_month=ahead == 0)
    return look


def _may_scrape(request: Request) -> None:
    host = request.client.host if request.client else ""
    direct = not any(name in request.headers for name in _FORWARDED)
    if not (direct and request.state.settings.tells_figures(host)):
        raise NotFound


@router.get("/metrics", dependencies=[Depends(_may_scrape)])
async def read_metrics(request: Request) -> Response:
    """Write the figures of all processes of this start for Prometheus."""
    state = request.state
    disk = metrics.OfDisk(state.settings)
    text = await metrics.render(state.database, request.scope["figures"], disk)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
