"""What is refused before anybody asks who is calling: size, encoding, slowness (IN-1, IN-6, IN-7).

Pure ASGI. The body is read here, in full, within its limits and its deadline, and handed on as one
message. So no handler ever waits for a slow sender while it holds a database connection.
Half-sent request headers never reach an ASGI app: those need the reverse proxy's time-out.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.problems import Problem, response_to


@dataclass(frozen=True, slots=True)
class Limits:
    """`body_bytes` for every path but those in `larger`; `read_seconds` for a whole body;
    `bodies`: how many are read side by side.
    """

    body_bytes: int = 1_048_576
    larger: Mapping[str, int] = field(default_factory=dict)
    header_bytes: int = 32_768
    read_seconds: float = 10.0
    bodies: int = 200


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


class _CallerGone(Exception):
    """The connection closed before the body was complete."""


class Hardening:
    """ASGI middleware in front of routing and authentication."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self._arriving: dict[asyncio.Timeout, None] = {}  # the slowest first

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
        return _again(await self._in_time(receive, most), receive)

    async def _in_time(self, receive: Receive, most: int) -> bytes:
        """Read a body within its deadline; where too many arrive, the one that began first loses,
        so that slow senders take room from each other alone.
        """
        seconds = self.limits.read_seconds
        if len(self._arriving) >= self.limits.bodies:
            slowest = next(iter(self._arriving))
            del self._arriving[slowest]
            slowest.reschedule(asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(seconds) as deadline:
                self._arriving[deadline] = None
                try:
                    return await _read(receive, most)
                finally:
                    self._arriving.pop(deadline, None)
        except TimeoutError:
            raise BodyTooSlow(f"Send it within {seconds:g} seconds.") from None


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()  # not a list of chunks: a million one-byte chunks would cost 60 times more
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _CallerGone
        body += message.get("body", b"")
        if len(body) > most:
            raise BodyTooLarge(f"At most {most} bytes.")
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
