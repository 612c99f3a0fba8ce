"""One attempt over HTTP: exact bytes out, a bounded answer in, and no way to a private address."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final, Protocol

import aiohttp

from app.core import settings as config
from app.webhooks import rules, signing

CONNECT_SECONDS: Final = 5.0
BODY_SECONDS: Final = 2.0
_READ_AT_MOST: Final = 64 * 1024
_KEPT: Final = 16 * 1024
_KEEP_ALIVE_SECONDS: Final = 30.0
_USER_AGENT: Final = "tonghu/1.0"


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


class AddressNotAllowed(OSError):
    """A name resolved to an address that must not be dialled."""


@dataclass(slots=True)
class _Dial:
    """What the sockets of one attempt met."""

    addresses: list[str] = field(default_factory=list)
    refused: bool = False


_dial: ContextVar[_Dial] = ContextVar("_dial")


class _Response(aiohttp.ClientResponse):
    """Notes the address of a connection that was kept alive, too."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        if connection.transport:  # pragma: no branch  but where the receiver hung up by now
            _dial.get().addresses.append(str(connection.transport.get_extra_info("peername")[0]))
        return await super().start(connection)


def guard(allowed: Sequence[rules.Network]) -> Any:
    """Make the socket factory that vets the concrete address at the moment of dialling (R11)."""

    def open_socket(target: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (host, *_) = target
        if not rules.address_allowed(ip_address(host), allowed):
            _dial.get().refused = True
            raise AddressNotAllowed
        _dial.get().addresses.append(str(host))
        return socket.socket(family, kind, protocol)

    return open_socket


def _tls() -> ssl.SSLContext:
    """Chain and host name are verified; TLS 1.2 at least, which not every build of Python sets."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(("http/1.1",))
    return context


@asynccontextmanager
async def open_client(
    settings: config.Webhooks, *, resolver: aiohttp.abc.AbstractResolver | None = None
) -> AsyncIterator[Send]:
    """Open the HTTP client of a sender. No proxies, cookies, redirects or decompression."""
    allowed = settings.allowed_networks
    vetted: set[str] = set()
    connector = aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        resolver=resolver,
        socket_factory=guard(allowed),
        ssl=_tls(),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        response_class=_Response,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
        headers={
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": _USER_AGENT,
        },
    ) as client:

        async def send(
            url: str, keys: Sequence[bytes], *, webhook_id: str, body: bytes, at: datetime
        ) -> Answer:
            timestamp = int(at.timestamp())
            headers = {
                "webhook-id": webhook_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signing.signature(keys, webhook_id, timestamp, body),
            }
            if url not in vetted:
                http, ports = settings.allow_http, settings.allowed_ports
                if not rules.url_allowed(url, allow_http=http, ports=ports, allowed=allowed):
                    return Answer(error="address_not_allowed")
                vetted.add(url)
            return await _post(client, url, body, headers, settings.attempt_seconds)

        yield send


async def _post(
    client: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: dict[str, str],
    attempt_seconds: float,
) -> Answer:
    loop = asyncio.get_running_loop()
    began, dial = loop.time(), _Dial()
    _dial.set(dial)
    try:
        async with asyncio.timeout(attempt_seconds):
            response = await client.post(url, data=body, headers=headers, allow_redirects=False)
        async with response:
            answer = await _read(response, min(loop.time() + BODY_SECONDS, began + attempt_seconds))
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        refused = dial.refused and not dial.addresses
        answer = Answer(error="address_not_allowed" if refused else _code(error))
    address = dial.addresses[-1] if dial.addresses else None
    return replace(answer, address=address, took=timedelta(seconds=loop.time() - began))


async def _read(response: aiohttp.ClientResponse, until: float) -> Answer:
    """Read a little of the answer; the status alone has decided (R7, R9)."""
    kept, whole = bytearray(), False
    try:
        async with asyncio.timeout_at(until):
            while len(kept) < _READ_AT_MOST:
                chunk = await response.content.readany()
                if not chunk:
                    whole = True
                    break
                kept += chunk
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    if not whole:
        response.close()
    return Answer(
        status=response.status,
        error=None if rules.succeeded(response.status) else "status_not_2xx",
        body=bytes(kept[:_KEPT]),
        truncated=not whole or len(kept) > _KEPT,
        retry_after=response.headers.get("retry-after"),
        said=response.headers.get("webhook-delivery"),
    )


def _code(error: Exception) -> str:
    """Name a failure for the endpoint's owner, without a word of the system's own text."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (TimeoutError, "timed_out"),
        (aiohttp.ClientConnectorDNSError, "name_not_resolved"),
        (aiohttp.ClientSSLError, "tls_failed"),
        (aiohttp.ClientConnectorError, "connection_failed"),
        (aiohttp.ServerDisconnectedError, "connection_lost"),
        (OSError, "connection_lost"),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), "answer_malformed")
