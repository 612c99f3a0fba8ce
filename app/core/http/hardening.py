"""What is refused before anybody asks who is calling: size, encoding, slowness (IN-1, IN-6, IN-7).

Pure ASGI. The body is read here, in full, within its limits and its deadline, and handed on as one
message. So no handler ever waits for a slow sender while it holds a database connection.
Half-sent request headers never reach an ASGI app: those need the reverse proxy's time-out.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.problems import Problem, response_to


@dataclass(frozen=True, slots=True)
class Limits:
    """`body_bytes` for every path but those in `larger`; `read_seconds` for a whole body;
    `bodies`, `arriving_bytes`: how many, and how much of them, is read side by side in one pool.
    """

    body_bytes: int = 1_048_576
    larger: Mapping[str, int] = field(default_factory=dict)
    header_bytes: int = 32_768
    read_seconds: float = 10.0
    bodies: int = 200
    arriving_bytes: int = 128 * 2**20


class BodyTooLarge(Problem, status=413):
    """The body has more bytes than the operation reads (IN-1)."""

    title = "The request body is too large"
    title_zh = "请求体过大"


class HeadersTooLarge(Problem, status=431):
    """Headers and address together are longer than 32 KiB (IN-7)."""

    title = "The request headers are too large"
    title_zh = "请求头过大"


class EncodingNotSupported(Problem, status=415):
    """Bodies are read as they are, never unpacked (IN-6)."""

    title = "Compressed request bodies are not read"
    title_zh = "不支持压缩的请求体"


class BodyTooSlow(Problem, status=408):
    """The body did not arrive within its deadline (IN-7)."""

    title = "The request body did not arrive in time"
    title_zh = "请求体未能及时到达"


@dataclass(slots=True)
class _Pool:
    """Bodies that arrive, the one that began first at the head, and the bytes held of them."""

    arriving: dict[asyncio.Timeout, None] = field(default_factory=dict)
    held: int = 0

    def cut(self) -> None:
        """End the slowest: slow senders take room from each other alone."""
        if self.arriving:
            slowest = next(iter(self.arriving))
            del self.arriving[slowest]
            slowest.reschedule(asyncio.get_running_loop().time())


class _CallerGone(Exception):
    """The connection closed before the body was complete."""


class Hardening:
    """ASGI middleware in front of routing and authentication."""

    def __init__(self, app: ASGIApp, limits: Limits, pool_of: Callable[[Scope], str]) -> None:
        self.app = app
        self.limits = limits
        self._pool_of = pool_of
        self._pools: dict[str, _Pool] = defaultdict(_Pool)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            admitted = await self._admit(scope, receive)
        except _CallerGone:
            return
        except Problem as problem:
            # What is still to come is not read: the connection cannot be used again.
            problem.headers["connection"] = "close"
            await response_to(Request(scope), problem)(scope, receive, send)
            return
        await self.app(scope, admitted, send)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        limits = self.limits
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        length: bytes | None = None
        has_body = False
        for name, value in scope["headers"]:
            size += len(name) + len(value) + 4
            if name == b"content-length":
                length, has_body = value, True
            elif name == b"transfer-encoding":
                has_body = True
            elif name == b"content-encoding" and value.strip().lower() != b"identity":
                raise EncodingNotSupported(headers={"accept-encoding": "identity"})
        if size > limits.header_bytes:
            raise HeadersTooLarge
        if not has_body or length == b"0":
            return receive
        most = limits.larger.get(scope["path"], limits.body_bytes)
        if length is not None and (not length.isdigit() or int(length[:19]) > most):
            raise BodyTooLarge(f"At most {most} bytes.")
        return _again(
            await self._in_time(receive, most, self._pools[self._pool_of(scope)]), receive
        )

    async def _in_time(self, receive: Receive, most: int, pool: _Pool) -> bytes:
        """Read a body within its deadline; where too many arrive, or too much, the one that began
        first loses.
        """
        seconds = self.limits.read_seconds
        if len(pool.arriving) >= self.limits.bodies:
            pool.cut()
        try:
            async with asyncio.timeout(seconds) as deadline:
                pool.arriving[deadline] = None
                try:
                    return await self._read(receive, most, pool)
                finally:
                    pool.arriving.pop(deadline, None)
        except TimeoutError:
            raise BodyTooSlow(f"Send it within {seconds:g} seconds.") from None

    async def _read(self, receive: Receive, most: int, pool: _Pool) -> bytes:
        body = bytearray()  # no list of chunks: a million one-byte chunks would cost 60 times more
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _CallerGone
                chunk = message.get("body", b"")
                body += chunk
                pool.held += len(chunk)
                if len(body) > most:
                    raise BodyTooLarge(f"At most {most} bytes.")
                if not message.get("more_body"):
                    return bytes(body)
                if pool.held > self.limits.arriving_bytes:
                    pool.cut()
        finally:
            pool.held -= len(body)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
