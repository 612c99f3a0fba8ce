"""Keys that clients publish are read as carefully as deliveries are sent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from app.access import operations
from app.core.data.db import SYSTEM
from app.core.problems import Problem
from app.webhooks import key_sets
from tests.access.apps import a_key, a_machine
from tests.webhooks.wire import Wire, listening, names, settings_of

KEYS = {"keys": [a_key()[1]]}


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def publishing(*answers: bytes) -> AsyncIterator[Wire]:
    """Answer requests without a body with these in turn; the last goes on."""
    wire, left = Wire(), list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                wire.heard.append([await reader.readuntil(b"\r\n\r\n")])
                writer.write(left.pop(0) if len(left) > 1 else left[0])
                await writer.drain()
        writer.close()

    async with await listening(serve, wire):
        yield wire


async def fetched(wire, url: str | None = None, resolve=None, *, inside: bool = True):
    settings = settings_of(wire)
    if not inside:
        settings = settings.model_copy(update={"allowed_networks": ()})
    async with key_sets.open_client(settings, resolve=resolve) as fetch:
        return await fetch(url or wire.url)


async def test_is_read_by_get() -> None:
    body = json.dumps(KEYS).encode()
    async with publishing(ok(body)) as wire:
        assert await fetched(wire) == body
    ((heard,),) = wire.heard
    assert heard.startswith(b"GET /in HTTP/1.1\r\nhost: 127.0.0.1")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
        ok(b"x" * 100_000),
        b"no answer\r\n\r\n",
    ],
)
async def test_what_is_no_short_answer_is_none(answer) -> None:
    async with publishing(answer) as wire:
        assert await fetched(wire) is None
    assert len(wire.heard) == 1


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "127.0.0.1"])
async def test_a_name_that_leads_inside_is_not_dialled(address) -> None:
    async with publishing(ok(b"{}")) as wire:
        url = f"http://keys.example.org:{wire.port}/in"
        assert await fetched(wire, url, names(address), inside=False) is None
        assert await fetched(wire, inside=False) is None
    assert wire.heard == []


async def test_what_is_due_is_read_and_kept(database) -> None:
    machine = await a_machine(database)
    async with publishing(ok(json.dumps(KEYS).encode()), ok(b"rubbish")) as wire:
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE clients SET jwks_uri = $1, jwks = NULL", wire.url)
        begin = partial(database.begin, SYSTEM)
        found = []
        async with key_sets.open_client(settings_of(wire)) as fetch:
            for _ in range(3):
                await key_sets.read_due(begin, fetch)
                async with database.begin(SYSTEM) as tx:
                    found.append(await tx.connection.fetchval("SELECT jwks FROM clients"))
                    if len(found) == 2:
                        await tx.connection.execute("UPDATE clients SET keys_read_at = NULL")
    assert [each["keys"][0]["kid"] for each in found] == ["one"] * 3
    assert sum(map(len, wire.heard)) == 2
    assert machine.client_id


async def test_goes_on_until_it_is_to_stop(monkeypatch) -> None:
    stop, seen = asyncio.Event(), []

    class Away(Problem, status=503):
        pass

    async def read(*_) -> None:
        seen.append(1)
        if len(seen) == 2:
            stop.set()
        raise Away

    monkeypatch.setattr(key_sets, "read_due", read)
    monkeypatch.setattr(key_sets, "_PAUSE_SECONDS", 0.001)
    async with publishing(ok(b"")) as wire:
        await key_sets.run(begin=None, settings=settings_of(wire), stop=stop)
    assert len(seen) == 2


def test_keys_count_longer_than_until_they_are_read_again() -> None:
    assert operations.KEYS_READ_COUNT > key_sets.EVERY
