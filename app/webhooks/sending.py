"""One attempt over HTTP: exact bytes out, a bounded answer in, and no way to a private address."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final, Protocol

from app.core import settings as config
from app.webhooks import posting, rules, signing

_KEPT: Final = 16 * 1024
_HEADERS: Final = (
    "user-agent: tonghu/1.0\r\naccept: */*\r\naccept-encoding: identity\r\n"
    "content-type: application/json\r\n"
)
_RETRY_AFTER: Final = b"retry-after"
_SAID: Final = b"webhook-delivery"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. `error`: a code unless 2xx. `body`: the first 16 KiB at most.
    `said`: the `webhook-delivery` header. `address`: the concrete one dialled.
    """

    status: int | None = None
    error: str | None = None
    body: bytes = b""
    truncated: bool = False
    retry_after: str | None = None
    said: str | None = None
    address: str | None = None
    took: timedelta = timedelta()


class Send(Protocol):
    """Make one attempt, now (`at`); never raises for anything the receiver or network does."""

    async def __call__(
        self, url: str, keys: Sequence[bytes], *, webhook_id: str, body: bytes, at: datetime
    ) -> Answer: ...


def tls() -> ssl.SSLContext:
    """Chain and host name are verified; TLS 1.2 at least, which not every build of Python sets."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(("http/1.1",))
    return context


@asynccontextmanager
async def open_client(
    settings: config.Webhooks, *, resolve: posting.Resolve | None = None
) -> AsyncIterator[Send]:
    """Open the HTTP client of a sender."""
    allowed = settings.allowed_networks
    targets: dict[str, posting.Target] = {}
    client = posting.Client(
        may_dial=lambda address: rules.address_allowed(ip_address(address), allowed),
        tls=tls(),
        wanted=frozenset({_RETRY_AFTER, _SAID}),
        resolve=resolve,
    )

    async def send(
        url: str, keys: Sequence[bytes], *, webhook_id: str, body: bytes, at: datetime
    ) -> Answer:
        target = targets.get(url)
        if target is None:
            http, ports = settings.allow_http, settings.allowed_ports
            if not rules.url_allowed(url, allow_http=http, ports=ports, allowed=allowed):
                return Answer(error="address_not_allowed")
            target = targets[url] = posting.Target.of(url, _HEADERS)
        timestamp = int(at.timestamp())
        signature = signing.signature(keys, webhook_id, timestamp, body)
        headers = (
            f"webhook-id: {webhook_id}\r\nwebhook-timestamp: {timestamp}\r\n"
            f"webhook-signature: {signature}\r\n"
        )
        return await _post(client, target, headers.encode(), body, settings.attempt_seconds)

    try:
        yield send
    finally:
        client.close()


async def _post(
    client: posting.Client, target: posting.Target, headers: bytes, body: bytes, seconds: float
) -> Answer:
    """Make one attempt; the status alone decides what came of it (R7, R9)."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    met: list[str] = []
    try:
        reply = await client.post(target, headers, body, seconds=seconds, met=met)
    except (TimeoutError, OSError, posting.Malformed) as error:
        took = timedelta(seconds=loop.time() - began)
        return Answer(error=_code(error), address=met[-1] if met else None, took=took)
    return Answer(
        status=reply.status,
        error=None if rules.succeeded(reply.status) else "status_not_2xx",
        body=reply.body[:_KEPT],
        truncated=not reply.whole or len(reply.body) > _KEPT,
        retry_after=reply.headers.get(_RETRY_AFTER),
        said=reply.headers.get(_SAID),
        address=met[-1],
        took=timedelta(seconds=loop.time() - began),
    )


def _code(error: Exception) -> str:
    """Name a failure for the endpoint's owner, without a word of the system's own text."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (posting.NotAllowed, "address_not_allowed"),
        (posting.NotResolved, "name_not_resolved"),
        (posting.NotConnected, "connection_failed"),
        (TimeoutError, "timed_out"),
        (ssl.SSLError, "tls_failed"),
        (OSError, "connection_lost"),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), "answer_malformed")
