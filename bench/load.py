"""A load client small enough not to be what is measured: raw HTTP/1.1 over keep-alive sockets.

Run as a process of its own: `python -m bench.load` reads one JSON job from standard input and
prints one JSON result. `requests` are sent in turn by each connection; `{uuid}` in a body becomes a
fresh version 4 UUID, so that creates never repeat.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from uuid import uuid4

import uvloop


@dataclass(frozen=True, slots=True)
class Job:
    """What to send: `seconds` of `body` to one path over `connections` sockets."""

    host: str
    port: int
    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    children: list[str]
    connections: int
    seconds: float
    expect: int


@dataclass(frozen=True, slots=True)
class Result:
    """`requests` answered with the expected status in `seconds`; `others` with another one; `p95`
    of all: milliseconds.
    """

    requests: int
    others: int
    seconds: float
    example: str
    p95: float


class _Connection:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.done = 0
        self.others = 0
        self.example = ""
        self.took: list[float] = []

    def _request(self) -> bytes:
        body = self.job.body
        raw = b""
        if body is not None:
            body = body.replace("{child}", random.choice(self.job.children))
            while "{uuid}" in body:
                body = body.replace("{uuid}", str(uuid4()), 1)
            raw = body.encode()
        head = f"{self.job.method} {self.job.path} HTTP/1.1\r\nhost: {self.job.host}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.job.headers.items())
        if raw:
            head += f"content-type: application/json\r\ncontent-length: {len(raw)}\r\n"
        return head.encode() + b"\r\n" + raw

    async def run(self, until: float) -> None:
        reader, writer = await asyncio.open_connection(self.job.host, self.job.port)
        fixed = None if self.job.body and "{uuid}" in self.job.body else self._request()
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(fixed or self._request())
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            at = head.lower().index(b"content-length:") + 15
            length = int(head[at : head.index(b"\r\n", at)])
            body = await reader.readexactly(length)
            self.took.append(time.perf_counter() - began)
            if status == self.job.expect:
                self.done += 1
            else:
                self.others += 1
                self.example = f"{status} {body[:300]!r}"
        writer.close()


async def send(job: Job) -> Result:
    """Send one job's load and count the answers."""
    begun = time.perf_counter()
    connections = [_Connection(job) for _ in range(job.connections)]
    await asyncio.gather(*(one.run(begun + job.seconds) for one in connections))
    took = sorted(each for one in connections for each in one.took)
    return Result(
        requests=sum(one.done for one in connections),
        others=sum(one.others for one in connections),
        seconds=time.perf_counter() - begun,
        example=next((one.example for one in connections if one.example), ""),
        p95=took[len(took) * 95 // 100] * 1e3 if took else 0.0,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(send(Job(**json.load(sys.stdin)))))))
