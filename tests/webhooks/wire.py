"""A receiver that says what it is told to, byte by byte, and who posts to it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.core import settings as config
from app.webhooks import posting, sending

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def names(*addresses: str) -> posting.Resolve:
    """Make a resolver under somebody else's control: one answer for every name."""

    async def resolve(*_: object) -> tuple[str, ...]:
        return addresses

    return resolve


async def post(url: str, settings, resolve=None) -> sending.Answer:
    async with sending.open_client(settings, resolve=resolve) as send:
        return await send(url, [b"k" * 32], webhook_id="msg_a", body=b"{}", at=NOW)


@dataclass
class Wire:
    """A receiver that says what it is told to, byte by byte. `heard`: requests by connection."""

    port: int = 0
    heard: list[list[bytes]] = field(default_factory=list)
    ended: list[asyncio.Event] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"


@asynccontextmanager
async def saying(*answers: bytes, then_close: bool = False) -> AsyncIterator[Wire]:
    """Answer requests with these in turn, whatever connection they come on; the last goes on."""
    wire, left = Wire(), list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        ended = asyncio.Event()
        wire.heard.append(heard)
        wire.ended.append(ended)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heard.append(head + await reader.readexactly(2))
                wire.asked.set()
                writer.write(left.pop(0) if len(left) > 1 else left[0])
                await writer.drain()
                if then_close:
                    writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            ended.set()
            writer.close()

    async with await listening(serve, wire):
        yield wire


async def listening(serve: Any, wire: Wire) -> asyncio.Server:
    """Listen where nobody else looks for a free port."""
    while True:
        wire.port = random.randrange(20_000, 32_000)
        with suppress(OSError):
            return await asyncio.start_server(serve, "127.0.0.1", wire.port)


def settings_of(wire: Wire, **others: Any) -> config.Webhooks:
    return config.Webhooks(
        allowed_networks=("127.0.0.0/8",),
        allow_http=True,
        allowed_ports=(wire.port,),
        **others,
    )


@asynccontextmanager
async def client(wire: Wire, **others: Any) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    async with sending.open_client(settings_of(wire, **others)) as send:
        yield lambda: send(wire.url, [b"k" * 32], webhook_id="msg_a", body=b"{}", at=NOW)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SECONDS = 10
