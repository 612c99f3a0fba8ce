"""SIGTERM: not ready first, the server's own handling a little later (REL-6)."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from app.api.draining import drained_first
from app.api.health import DRAINING
from tests.waiting import happens

HOURS = 3 * 3600.0
"""Longer than any test."""


@pytest.fixture
def stopped() -> Iterator[asyncio.Event]:
    """Stands where uvicorn's handler stands; set when the server was told."""
    told = asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    yield told
    signal.signal(signal.SIGTERM, before)
    DRAINING.clear()


async def test_is_not_ready_long_before_the_server_hears_of_it(stopped: asyncio.Event) -> None:
    with drained_first(HOURS):
        os.kill(os.getpid(), signal.SIGTERM)
        await happens(DRAINING)
        for _ in range(3):  # what is to be called soon is called
            await asyncio.sleep(0)
        assert not stopped.is_set()


async def test_the_server_hears_of_it_in_the_end(stopped: asyncio.Event) -> None:
    with drained_first(0.01):
        os.kill(os.getpid(), signal.SIGTERM)
        await happens(stopped)
        assert DRAINING.is_set()


async def test_a_second_signal_goes_through_at_once(stopped: asyncio.Event) -> None:
    with drained_first(HOURS):
        os.kill(os.getpid(), signal.SIGTERM)
        await happens(DRAINING)
        os.kill(os.getpid(), signal.SIGTERM)
        await happens(stopped)


def test_without_a_server_there_is_nothing_to_hold_back() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever a test before this one left
    try:
        with drained_first(HOURS):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_puts_the_servers_handler_back(stopped: asyncio.Event) -> None:
    theirs = signal.getsignal(signal.SIGTERM)
    with drained_first(HOURS):
        assert signal.getsignal(signal.SIGTERM) is not theirs
    assert signal.getsignal(signal.SIGTERM) is theirs
