"""What traces cost a web process: CPU of a request without and with them.

    python -m bench.tracing [REQUESTS]

In one process, on a database of its own; a collector that only counts listens beside it. The time
of a thread that sends is in it, the collector's is not.
"""

import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from app import wiring
from app.core import logs, tracing
from app.core.data import migrations
from app.core.data.crypto import Keyring
from app.embedded import postgres
from scripts.drill import load, serving
from tests.faults.town import free_ports


class _Taken(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _collect(port: int) -> None:
    HTTPServer(("127.0.0.1", port), _Taken).serve_forever()


async def _spent(app_url: str, keyring: Keyring, requests: int) -> float:
    """Return the milliseconds of CPU of a request."""
    with tracing.running("web"):
        async with serving(app_url, keyring) as (client, database, settings):
            caller = await load(client, database, settings, 0)
            for turn in range(-requests // 10, requests):
                if turn == 0:
                    began = time.process_time()
                answer = await client.get("/v1/children?limit=5", headers=caller.headers)
                assert answer.is_success, answer.text
            return (time.process_time() - began) / requests * 1e3


def main() -> None:
    requests = int(sys.argv[1]) if sys.argv[1:] else 1_000
    logs.configure(logging.CRITICAL)
    wiring.load()
    keyring, [port] = Keyring.generate(), free_ports(1)
    collector = multiprocessing.get_context("spawn").Process(target=_collect, args=(port,))
    with (
        tempfile.TemporaryDirectory(prefix="tonghu-tracing-") as place,
        postgres.acquire(Path(place) / "server", throwaway=True) as lease,
    ):
        migrations.upgrade(lease.server.owner_url)
        collector.start()
        for traced in (False, True) * 3:
            where = f"http://127.0.0.1:{port}" if traced else ""
            os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = where
            spent = asyncio.run(_spent(lease.server.app_url, keyring, requests))
            print(f"{'traced' if traced else 'not traced':>10}: {spent:.2f} ms of CPU a request")
        collector.terminate()


if __name__ == "__main__":
    main()
