"""One caller who reads again and again, in a process of its own: nothing else delays what it sees.

`python -m bench.reader` reads one JSON job from standard input and goes on until that is closed, or
`reads` are made; then it prints the milliseconds each took and the statuses seen.
"""

import asyncio
import json
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read: every `pause` seconds on a new connection, `reads` times (0: without end)."""

    port: int
    path: str
    headers: dict[str, str]
    pause: float
    reads: int

    def once(self) -> int:
        head = f"GET {self.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        with socket.create_connection(("127.0.0.1", self.port)) as link:
            link.sendall(head.encode() + b"\r\n")
            answer = b""
            while piece := link.recv(65_536):
                answer += piece
        return int(answer.split(b" ", 2)[1])


def main() -> None:
    reading = Reading(**json.loads(sys.stdin.readline()))
    waits: list[float] = []
    statuses: list[int] = []
    while not reading.reads or len(waits) < reading.reads:
        if not reading.reads and select.select([sys.stdin], [], [], 0)[0]:
            break
        began = time.perf_counter()
        statuses.append(reading.once())
        waits.append((time.perf_counter() - began) * 1e3)
        time.sleep(reading.pause)
    print(json.dumps({"waits": waits, "statuses": statuses}))


async def begin(reading: Reading) -> asyncio.subprocess.Process:
    """Start reading in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.reader"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(reading)).encode() + b"\n")
    await process.stdin.drain()
    return process


async def end(process: asyncio.subprocess.Process) -> tuple[list[float], list[int]]:
    """Let it stop, if it has no end of its own; return the milliseconds and statuses it saw."""
    said, _ = await process.communicate(b"")
    found = json.loads(said)
    return found["waits"], found["statuses"]


if __name__ == "__main__":
    main()
