"""What any operation may answer, from the real app: cut off, too slow, out of order."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from app import main
from app.core.data import db
from app.core.http.hardening import Hardening, Limits
from app.core.settings import Settings
from tests.answers_seen import Recorder


def _to(app: ASGIApp, **state: object) -> httpx.AsyncClient:
    async def with_state(scope, receive, send):
        scope["state"] = dict(state)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


def _problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"x": "y" * 33_000}, (431, "headers-too-large")),
        ({"content-encoding": "gzip"}, (415, "encoding-not-supported")),
        ({"content-length": "9999999"}, (413, "body-too-large")),
    ],
)
async def test_refused_unread(client, headers: dict[str, str], refusal: tuple[int, str]) -> None:
    answer = await client.post("/v1/visits", content=b"{}", headers=headers)
    assert _problem(answer) == refusal


async def test_a_body_that_does_not_come(app: FastAPI) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    impatient = Hardening(app, Limits(read_seconds=0.01))
    async with _to(Recorder(impatient, under_test=app)) as http:
        answer = await http.post("/v1/visits", content=never())
    assert _problem(answer) == (408, "body-too-slow")


async def test_a_fault_of_ours(app: FastAPI) -> None:
    async with _to(app) as http:
        assert _problem(await http.get("/v1/me")) == (500, "internal-error")


async def test_a_database_that_is_away(app: FastAPI, settings: Settings, keyring, now) -> None:
    engine = db.open_engine("postgresql://nobody@127.0.0.1:9/none", settings.database)
    away = db.Database(engine, keyring, lambda: now)
    async with main.state(settings, away) as shared, _to(app, **shared) as http:
        answer = await http.get("/v1/me", headers={"authorization": "Bearer x"})
    await away.close()
    assert _problem(answer) == (503, "temporarily-unavailable")
    assert answer.headers["retry-after"] == "2"
