"""Waiting for facts: a row, a log line, a socket. No test says how fast something must be."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0
"""Seconds after which something hangs, on however busy a machine; nothing ever takes as long."""


async def until(reached: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for a condition, plain or awaitable, and return what it found."""
    async with asyncio.timeout(patience):
        while True:
            found = reached()
            if answer := (await found if inspect.isawaitable(found) else found):
                return answer
            await asyncio.sleep(0.01)


async def happens(event: asyncio.Event) -> None:
    """Wait for an event of this process."""
    async with asyncio.timeout(PATIENCE):
        await event.wait()
