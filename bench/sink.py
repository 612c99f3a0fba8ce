"""A receiver small enough not to be what is measured: `python -m bench.sink PORT`.

`/in` answers every POST with 204 at once. `/mix` answers one in ten after 500 to 1,000 ms, and the
first attempt of one in five with 500. `/count` says how many requests it had, and how many ids.
"""

import asyncio
import sys
import zlib
from typing import Any

import httptools
import uvloop

SLOW, FAILING = 10, 5
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


class Counts:
    """What came. `firsts`: when each id came first, by this process's clock."""

    def __init__(self) -> None:
        self.requests = 0
        self.firsts: dict[bytes, float] = {}


class _Sink(asyncio.Protocol):
    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.path = self.id = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.path, self.id = url, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self.id = value

    def on_message_complete(self) -> None:
        if self.path == b"/count":
            said = f"{self.counts.requests} {len(self.counts.firsts)}".encode()
            self._answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said))
            return
        self.counts.requests += 1
        if self.path != b"/mix":
            self._answer(_NO_CONTENT)
            return
        first = self.id not in self.counts.firsts
        self.counts.firsts.setdefault(self.id, self.loop.time())
        number = zlib.crc32(self.id)
        answer = _ERROR if first and number % FAILING == 0 else _NO_CONTENT
        if (number + first) // FAILING % SLOW:
            self._answer(answer)
        else:
            self.loop.call_later(0.5 + number % 500 / 1000, self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def receive(port: int) -> None:
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Sink(counts), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(receive(int(sys.argv[1])))
