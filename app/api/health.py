"""Is it alive, is it ready, what does it count (REL-6, REL-7). Answers carry no detail."""

import asyncio
from ipaddress import ip_address
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
from app.core.problems import Problem
from app.core.settings import Settings

log = structlog.get_logger("tonghu.health")
DRAINING = asyncio.Event()
"""Set when this process was told to stop: not ready any more, still answering (REL-6)."""


class _Look(NamedTuple):
    """What was found. `reason`: why this is not ready; `last_month`: no month after this one has
    partitions.
    """

    reason: str | None
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
    look = _Look("draining") if DRAINING.is_set() else await _asked_once(request.state.database)
    if look.reason is not None:
        log.warning("not ready", reason=look.reason)
        raise NotReady(headers={"retry-after": "2"})
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
    except (TemporarilyUnavailable, TimeoutError, OSError):
        return _Look("database away")
    except asyncpg.PostgresError:
        return _Look("database not migrated")
    if database.wrong_keys is not None:
        return _Look("keys")
    if await database.recording.is_away():
        return _Look("audit")
    # One it doesn't know is of a later release, whose schema it runs on, so that a deploy may roll.
    if revision is None or revision in versions.older():
        return _Look("database of an older version")
    return _Look("no room for this month" if ahead < 0 else None, last_month=ahead == 0)


def _may_scrape(request: Request) -> None:
    settings: Settings = request.state.settings
    direct = not any(name in request.headers for name in _FORWARDED)
    try:
        address = ip_address(request.client.host) if request.client else None
    except ValueError:
        address = None
    if not (direct and address and any(address in net for net in settings.metrics_networks)):
        raise NotFound


@router.get("/metrics", dependencies=[Depends(_may_scrape)])
async def read_metrics(request: Request) -> Response:
    """Write the figures of all processes of this start for Prometheus."""
    text = await metrics.render(request.state.database, request.scope["figures"])
    return Response(text, media_type=CONTENT_TYPE_LATEST)
