"""At SIGTERM say "not ready" first, so that a balancer looks elsewhere before the door closes."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.api.health import DRAINING


@contextmanager
def drained_first(seconds: float) -> Iterator[None]:
    """While the block runs, hold SIGTERM back from the server for `seconds`, not ready (REL-6).

    A second SIGTERM, or SIGINT, goes through at once.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if not callable(stop):  # no server is listening for it
        yield
        return
    loop = asyncio.get_running_loop()

    def drain(number: int, frame: FrameType | None) -> None:
        if DRAINING.is_set():
            stop(number, frame)
        DRAINING.set()
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, frame)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, stop)
