"""A receiver small enough not to be what is measured: `python -m bench.sink PORT`.

`/in` answers every POST with 204 at once. `/mix` answers one in ten after 500 to 1,000 ms, and the
first attempt of one in five with 500. `/police` answers at once and keeps when the first byte of
each came, by the clock all processes share; `/times` says so by what the body calls `report_id`.
"""

import asyncio
import sys
import time
import zlib
from typing import Any

import httptools
import orjson
import uvloop

SLOW, FAILING = 10, 5
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


class Seen:
    """What came: ids of the mix, and reports by when."""

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self.reports: dict[str, float] = {}


class _Sink(asyncio.Protocol):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.loop = asyncio.get_running_loop()
        self.parser = httptools.HttpRequestParser(self)
        self.path = self.id = self.body = b""
        self.began = 0.0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.began = time.monotonic()
        self.body = b""

    def on_url(self, url: bytes) -> None:
        self.path, self.id = url, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self.id = value

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        if self.path == b"/mix":
            self._mix()
            return
        if self.path == b"/times":
            said = orjson.dumps(self.seen.reports)
            self._answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
            return
        if self.path == b"/police":
            report = orjson.loads(self.body)["data"]["report_id"]
            self.seen.reports.setdefault(report, self.began)
        self._answer(_NO_CONTENT)

    def _mix(self) -> None:
        first = self.id not in self.seen.ids
        self.seen.ids.add(self.id)
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
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Sink(seen), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(receive(int(sys.argv[1])))
