"""Requests are refused by size, encoding and slowness before anything reads them."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http.hardening import Hardening, Limits
from tests.waiting import PATIENCE

LIMITS = Limits(body_bytes=1000, larger={"/batch": 5000}, header_bytes=2000, read_seconds=PATIENCE)


def _one_pool(scope: Scope) -> str:
    return ""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await Response(str(len(body)))(scope, receive, send)


@pytest.fixture
async def http() -> Any:
    transport = httpx.ASGITransport(Hardening(echo, LIMITS, _one_pool))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def in_pieces(size: int, pieces: int) -> Any:
    for _ in range(pieces):
        yield b"x" * size


async def test_hands_the_whole_body_on(http) -> None:
    answer = await http.post("/", content=in_pieces(100, 10))
    assert (answer.status_code, answer.text) == (200, "1000")


async def test_refuses_a_body_one_byte_too_long(http) -> None:
    answer = await http.post("/", content=b"x" * 1001)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/body-too-large"
    assert answer.headers["connection"] == "close"


async def test_counts_bytes_when_no_length_is_given(http) -> None:
    answer = await http.post("/", content=in_pieces(100, 11))
    assert answer.json()["type"] == "/problems/body-too-large"


async def test_refuses_a_length_before_reading_a_byte() -> None:
    async def never_asked() -> Message:
        raise AssertionError("the body was read")

    sent = await answers_to({"content-length": "1001"}, never_asked)
    assert sent[0]["status"] == 413


async def test_a_batch_may_be_larger(http) -> None:
    assert (await http.post("/batch", content=b"x" * 5000)).text == "5000"
    assert (await http.post("/batch", content=b"x" * 5001)).status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
async def test_refuses_compressed_bodies(http, encoding: str) -> None:
    answer = await http.post("/", content=b"x", headers={"content-encoding": encoding})
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/encoding-not-supported"
    assert answer.headers["accept-encoding"] == "identity"


async def test_reads_a_body_said_to_be_as_it_is(http) -> None:
    answer = await http.post("/", content=b"x", headers={"content-encoding": "Identity"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/", {"x": "y" * 2000}), ("/?q=" + "z" * 2000, {}), ("/" + "p" * 2000, {})],
)
async def test_refuses_long_headers_and_addresses(http, path: str, headers: dict) -> None:
    answer = await http.get(path, headers=headers)
    assert answer.status_code == 431
    assert answer.json()["type"] == "/problems/headers-too-large"


async def test_a_trickling_body_ends_at_the_deadline() -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": True}

    hasty = replace(LIMITS, body_bytes=10**9, read_seconds=0.05)
    sent = await answers_to({"transfer-encoding": "chunked"}, trickle, hasty)
    assert sent[0]["status"] == 408
    assert b"/problems/body-too-slow" in sent[1]["body"]


async def test_whoever_asks_hears_that_the_caller_hung_up_after_the_body() -> None:
    told = iter(
        [
            {"type": "http.request", "body": b"x", "more_body": False},
            {"type": "http.disconnect"},
        ]
    )
    heard = []

    async def listens(_: Scope, receive: Receive, __: Send) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    async def receive() -> Message:
        return next(told)

    await answers_to({"content-length": "1"}, receive, app=listens)
    assert heard == ["http.request", "http.disconnect"]


async def test_says_nothing_to_a_caller_who_hung_up() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    assert await answers_to({"content-length": "10"}, gone) == []


async def answers_to(
    headers: dict[str, str], receive: Receive, limits: Limits = LIMITS, app: ASGIApp = echo
) -> list[Message]:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Hardening(app, limits, _one_pool)(scope, receive, send)
    return sent
