"""A client for what a sender does: one POST at a time on a connection that is kept.

HTTP/1.1 as `httptools` reads it, no redirects, proxies, cookies or decompression. Answers are
bounded in time and size; a name's addresses are vetted, and the very address vetted is dialled.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS: Final = 5.0
BODY_SECONDS: Final = 2.0
READ_AT_MOST: Final = 64 * 1024
_HEAD_AT_MOST: Final = 64 * 1024
_BYTES_AT_MOST: Final = 1024 * 1024
"""Of all an answer is made of: the parser keeps what comes after a body, however long."""
_IDLE_SECONDS: Final = 30.0
_KEPT_SECONDS: Final = 60.0
"""Then its address is vetted anew (R11)."""
_IDLE_AT_MOST: Final = 512
"""Connections that wait for a next request; whoever comes after them closes the oldest."""
_NAMED_SECONDS: Final = 10.0
_SWITCHING: Final = 101
_FINAL: Final = 200

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name; raises OSError."""


class NotAllowed(OSError):
    """A name has no address but such as must not be dialled."""


class NotResolved(OSError):
    """A name has no address."""


class NotConnected(OSError):
    """Nobody took the connection."""


class Malformed(Exception):
    """What came is no answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. `head`: what each request to it begins with."""

    host: str
    port: int
    tls: bool
    head: bytes

    @classmethod
    def of(cls, url: str, headers: str, *, method: str = "POST") -> "Target":
        """Take a URL apart that `rules.url_allowed` let pass; `headers` go with each request."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = f"{method} {path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{headers}"
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls, head.encode())


@dataclass(slots=True)
class Reply:
    """What was answered; `whole`: to its end. `headers`: those that were asked for."""

    status: int
    headers: dict[bytes, str]
    body: bytes
    whole: bool


class _Link(asyncio.Protocol):
    """One connection, and the request that is under way on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wanted: frozenset[bytes]) -> None:
        self.loop = loop
        self.wanted = wanted
        self.transport: Any = None
        self.address = ""
        self.opened = loop.time()
        self.timer: asyncio.TimerHandle | None = None
        self.waiter: asyncio.Future[Reply] | None = None
        self.resting: Resting | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.bytes = 0
        self._forget()

    def _forget(self) -> None:
        self.status = 0
        self.headers: dict[bytes, str] = {}
        self.body = bytearray()
        self.framed = False

    def is_busy(self) -> bool:
        """Whether an answer is waited for."""
        return self.waiter is not None

    def ask(self, request: bytes, until: float) -> asyncio.Future[Reply]:
        """Send a request; its answer is due by `until` of the loop's clock."""
        self._forget()
        self.bytes = 0
        self.waiter = self.loop.create_future()
        self.until = until
        self._wait_until(until)
        self.transport.write(request)
        return self.waiter

    def _wait_until(self, at: float) -> None:
        self._calm()
        self.timer = self.loop.call_at(at, self._is_late)

    def _calm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def rest(self, resting: "Resting", idle: "list[_Link]") -> None:
        """Wait among others for the next request, for a while."""
        self.resting = resting
        resting[self] = idle
        idle.append(self)
        until = min(self.loop.time() + _IDLE_SECONDS, self.opened + _KEPT_SECONDS)
        self.timer = self.loop.call_at(until, self.transport.abort)

    def wake(self) -> bool:
        """Come back from waiting; False: it has ended meanwhile."""
        self._rise()
        self._calm()
        return not self.transport.is_closing()

    def _rise(self) -> None:
        if self.resting is not None:
            self.resting.pop(self).remove(self)
            self.resting = None

    def end(self) -> None:
        """Close it at once."""
        self._rise()
        self.transport.abort()

    # --- what the transport says ----------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.is_busy():  # nobody asked
            self.transport.abort()
            return
        waited_for_head = not self.status
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.transport.abort()
        except httptools.HttpParserError:
            self._fail(Malformed())
        if not self.is_busy():
            return
        self.bytes += len(data)
        if not self.status:
            if self.bytes > _HEAD_AT_MOST:
                self._fail(Malformed())
        elif self.bytes > _BYTES_AT_MOST:
            self._end(whole=False)
        elif waited_for_head:
            self._wait_until(min(self.loop.time() + BODY_SECONDS, self.until))

    def connection_lost(self, error: Exception | None) -> None:
        self._calm()
        self._rise()
        if self.is_busy():
            if self.status:  # an answer that does not say its length ends here
                self._end(whole=error is None and not self.framed)
            else:
                self._fail(ConnectionResetError())

    def _is_late(self) -> None:
        if self.status:
            self._end(whole=False)
        else:
            self._fail(TimeoutError())

    # --- what the parser says -------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status:  # after the body
            return
        name = name.lower()
        if name in self.wanted:
            self.headers[name] = value.decode("latin-1")
        elif name in {b"content-length", b"transfer-encoding"}:
            self.framed = True

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= _FINAL or status == _SWITCHING:
            self.status = status
        else:  # the answer itself is still to come
            self.headers = {}

    def on_body(self, piece: bytes) -> None:
        if self.is_busy():
            self.body += piece
            if len(self.body) >= READ_AT_MOST:
                self._end(whole=False)

    def on_message_complete(self) -> None:
        if self.is_busy() and self.status:
            self._end(whole=True, keep=self.parser.should_keep_alive())

    def on_message_begin(self) -> None:
        if not self.is_busy():  # a second answer to one request
            self.transport.abort()

    def _end(self, *, whole: bool, keep: bool = False) -> None:
        reply = Reply(self.status, self.headers, bytes(self.body), whole)
        self._settle(lambda waiter: waiter.set_result(reply), keep=keep)

    def _fail(self, error: Exception) -> None:
        self._settle(lambda waiter: waiter.set_exception(error))

    def _settle(
        self, how: Callable[["asyncio.Future[Reply]"], None], *, keep: bool = False
    ) -> None:
        waiter, self.waiter = self.waiter, None
        self._calm()
        if not keep:
            self.transport.abort()
        if waiter is not None and not waiter.done():  # but where whoever asked has gone
            how(waiter)


Resting = dict[_Link, list[_Link]]
"""Which wait for a next request, who came first before others; each with those of its address."""


class Client:
    """The connections of a sender, by where they lead. `may_dial`: whether a concrete address may
    be. `wanted`: the headers of an answer that are kept.
    """

    def __init__(
        self,
        *,
        may_dial: Callable[[str], bool],
        tls: ssl.SSLContext,
        wanted: frozenset[bytes],
        resolve: Resolve | None = None,
    ) -> None:
        self.may_dial = may_dial
        self.tls = tls
        self.wanted = wanted
        self.resolve = resolve or look_up
        self.idle: dict[tuple[str, int, bool], list[_Link]] = {}
        self.resting: Resting = {}
        self.names: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def post(
        self, target: Target, headers: bytes, body: bytes, *, seconds: float, met: list[str]
    ) -> Reply:
        """Make one request, in `seconds` at most; note in `met` what addresses were dialled. Raises
        TimeoutError, OSError, Malformed.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        idle = self.idle.setdefault((target.host, target.port, target.tls), [])
        request = b"%b%bcontent-length: %d\r\n\r\n%b" % (target.head, headers, len(body), body)
        while True:
            link = next((each for each in reversed([*idle]) if each.wake()), None)
            kept = link is not None
            if link is None:
                by = min(until, loop.time() + CONNECT_SECONDS)
                async with asyncio.timeout_at(by):
                    link = await self._dial(target, by, met)
            else:
                met.append(link.address)
            try:
                reply = await link.ask(request, until)
                break
            except BaseException as error:
                link.transport.abort()
                # It was ended while this was on its way. What is sent twice is known by its id.
                if not (kept and isinstance(error, ConnectionResetError) and not link.bytes):
                    raise
        if not link.transport.is_closing():
            if loop.time() - link.opened < _KEPT_SECONDS:
                link.rest(self.resting, idle)
                if len(self.resting) > _IDLE_AT_MOST:
                    next(iter(self.resting)).end()
            else:
                link.end()
        return reply

    async def _dial(self, target: Target, by: float, met: list[str]) -> _Link:
        """Connect to the first of its addresses that answers, each in its share of the time."""
        loop = asyncio.get_running_loop()
        addresses = await self._addresses(target.host, target.port)
        allowed = [each for each in addresses if self.may_dial(each)]
        if not allowed:
            raise NotAllowed if addresses else NotResolved
        for left, address in zip(range(len(allowed), 0, -1), allowed, strict=True):
            met.append(address)
            share = None if left == 1 else loop.time() + (by - loop.time()) / left
            try:
                async with asyncio.timeout_at(share):
                    _, link = await loop.create_connection(
                        lambda: _Link(loop, self.wanted),
                        address,
                        target.port,
                        ssl=self.tls if target.tls else None,
                        server_hostname=target.host if target.tls else None,
                    )
            except ssl.SSLError:
                raise
            except OSError:
                continue
            else:
                link.address = address
                return link
        raise NotConnected

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Look a name up, once for all who ask meanwhile and a little later."""
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass
        key = host, port
        if key not in self.names:
            self.names[key] = looking = asyncio.ensure_future(self.resolve(host, port))
            looking.add_done_callback(lambda _: self._is_known(key, looking))
        try:
            return await asyncio.shield(self.names[key])
        except OSError as error:
            raise NotResolved from error

    def _is_known(self, key: tuple[str, int], found: "asyncio.Future[Sequence[str]]") -> None:
        failed = found.cancelled() or found.exception() is not None
        wait = 0.0 if failed else _NAMED_SECONDS
        found.get_loop().call_later(wait, self.names.pop, key, None)

    def close(self) -> None:
        for link in [*self.resting]:
            link.end()
        for looking in self.names.values():
            looking.cancel()


_LOOKERS: Final = ThreadPoolExecutor(256, thread_name_prefix="names")
"""A loop's own look up few names at a time: two whose servers are silent would stop all others."""


async def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the machine for the addresses of a name."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOKERS, ask)
    return [str(address[0]) for *_, address in found]
