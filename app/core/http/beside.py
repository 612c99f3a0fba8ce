"""The little that a worker answers: whether it lives, and its figures (REL-7).

It listens where nobody but the operator's own machines come. One question a connection, a moment to
ask it; whatever else is asked does not exist.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import structlog
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.core.processes import PortTaken
from app.core.settings import Settings

Figures = Callable[[], Awaitable[bytes]]
_ASKED_BYTES: Final = 8192
_SECONDS: Final = 15.0
_ENDS: Final = b"\r\n\r\n"
_LIVEZ, _METRICS = b"/livez", b"/metrics"
_ADVICE: Final = "Each worker of a machine has a port of its own, TONGHU_WORKER__PORT; 0: none."
log = structlog.get_logger(__name__)


@asynccontextmanager
async def answering(settings: Settings, figures: Figures) -> AsyncIterator[int]:
    """Answer while the block runs; give the port, 0 if it answers nowhere. Raises PortTaken."""
    host, port = settings.worker.host, settings.worker_port
    if not port:
        yield 0
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                status, kind, body = await _answer(reader, writer, settings, figures)
                head = (
                    f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asks so is told nothing
        except Exception:
            log.exception("beside.failed")
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=_ASKED_BYTES)
    except OSError as error:
        raise PortTaken(host, port, error, _ADVICE) from None
    async with server:
        yield port


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    settings: Settings,
    figures: Figures,
) -> tuple[HTTPStatus, str, bytes]:
    asked = await reader.readuntil(_ENDS)
    method, path, *_ = (*asked.split(maxsplit=2), b"", b"")
    may = settings.tells_figures(writer.get_extra_info("peername")[0])
    if (method, path) == (b"GET", _LIVEZ):
        return HTTPStatus.OK, "application/json", b'{"status":"alive"}'
    if (method, path, may) == (b"GET", _METRICS, True):
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, await figures()
    return HTTPStatus.NOT_FOUND, "text/plain", b""
