"""Keys that clients publish under a URL are read by what deliveries go out by: the same addresses
must not be dialled, redirects are not followed, and what comes is short and soon there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

import asyncpg
import structlog

from app.access import operations as access
from app.access import queries
from app.core import settings as config
from app.core.data.db import Tx
from app.core.problems import Problem
from app.webhooks import posting, rules, sending

EVERY: Final = timedelta(minutes=5)
_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 60.0
_OK: Final = 200
_HEADERS: Final = "user-agent: tonghu/1.0\r\naccept: application/json\r\n"
Begin = Callable[[], AbstractAsyncContextManager[Tx]]
Fetch = Callable[[str], Awaitable[bytes | None]]
log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_client(
    settings: config.Webhooks, *, resolve: posting.Resolve | None = None
) -> AsyncIterator[Fetch]:
    """Open what reads one URL, and returns None for one that may not be read or says nothing."""
    allowed = settings.allowed_networks
    client = posting.Client(
        may_dial=lambda address: rules.address_allowed(ip_address(address), allowed),
        tls=sending.tls(),
        wanted=frozenset(),
        resolve=resolve,
    )

    async def fetch(url: str) -> bytes | None:
        http, ports = settings.allow_http, settings.allowed_ports
        if not rules.url_allowed(url, allow_http=http, ports=ports, allowed=allowed):
            return None
        target = posting.Target.of(url, _HEADERS, method="GET")
        try:
            reply = await client.post(target, b"", b"", seconds=_SECONDS, met=[])
        except (TimeoutError, OSError, posting.Malformed):
            return None
        return reply.body if reply.status == _OK and reply.whole else None

    try:
        yield fetch
    finally:
        client.close()


async def run(*, begin: Begin, settings: config.Webhooks, stop: asyncio.Event) -> None:
    """Read what is due until `stop` is set. Survives the loss of the database."""
    async with open_client(settings) as fetch:
        while not stop.is_set():
            with suppress(Problem, OSError, asyncpg.PostgresError):
                await read_due(begin, fetch)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)


async def read_due(begin: Begin, fetch: Fetch) -> None:
    """Read each key set that was not read for five minutes, with no transaction open meanwhile."""
    async with begin() as tx:
        due = await queries.key_sets_due(tx, EVERY)
    for client_id, url in due:
        said = await fetch(url)
        async with begin() as tx:
            why = await access.take_key_set(tx, client_id, url, said)
        if why is not None:
            log.warning("key_set.not_taken", client=str(client_id), reason=why)
