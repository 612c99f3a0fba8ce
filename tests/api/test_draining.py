"""SIGTERM: not ready first, the server's own handling a little later (REL-6)."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from app.api.draining import drained_first
from app.api.health import DRAINING


@pytest.fixture
def stopped() -> Iterator[asyncio.Event]:
    """Stands where uvicorn's handler stands; set when the server was told."""
    told = asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    yield told
    signal.signal(signal.SIGTERM, before)
    DRAINING.clear()


async def test_is_not_ready_before_the_server_hears_of_it(stopped: asyncio.Event) -> None:
    with drained_first(0.02):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(DRAINING.wait(), 1)
        assert not stopped.is_set()
        await asyncio.wait_for(stopped.wait(), 1)


async def test_a_second_signal_goes_through_at_once(stopped: asyncio.Event) -> None:
    with drained_first(25):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(DRAINING.wait(), 1)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stopped.wait(), 1)


async def test_puts_the_servers_handler_back(stopped: asyncio.Event) -> None:
    theirs = signal.getsignal(signal.SIGTERM)
    with drained_first(25):
        assert signal.getsignal(signal.SIGTERM) is not theirs
    assert signal.getsignal(signal.SIGTERM) is theirs
