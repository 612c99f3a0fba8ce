"""2xx means committed (F1, REL-1): shown with a commit that fails."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from app.api import answers
from app.core.data.db import Database
from app.core.http import routing
from app.core.http.exchange import Exchange
from app.core.http.routing import Transaction
from app.core.metrics import Figures
from tests.schema import Urls

router = routing.router("Probe")


@router.post("/probe/{parent}", status_code=201)
async def insert_probe(parent: int, tx: Transaction) -> Response:
    await tx.connection.execute("INSERT INTO commit_probe VALUES (1, $1)", parent)
    return JSONResponse({"stored": 1}, 201)


@pytest.fixture
async def probe(database_urls: Urls) -> AsyncIterator[asyncpg.Connection]:
    """A table whose foreign key is checked only at COMMIT."""
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute(
        "CREATE TABLE commit_probe (id int PRIMARY KEY,"
        " parent int REFERENCES commit_probe DEFERRABLE INITIALLY DEFERRED);"
        "GRANT SELECT, INSERT ON commit_probe TO tonghu_app"
    )
    yield owner
    await owner.execute("DROP TABLE commit_probe")
    await owner.close()


async def _post(database: Database, path: str) -> httpx.Response:
    app = FastAPI()
    answers.install(app)
    app.add_middleware(Exchange, figures=Figures([]))
    app.include_router(router)

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {"database": database}
        await app(scope, receive, send)

    transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(path)


async def test_answers_201_only_after_the_commit(
    live_database: Database, probe: asyncpg.Connection
) -> None:
    answer = await _post(live_database, "/probe/1")
    assert answer.status_code == 201
    assert await probe.fetchval("SELECT count(*) FROM commit_probe") == 1


async def test_a_commit_that_fails_is_never_a_201(
    live_database: Database, probe: asyncpg.Connection
) -> None:
    answer = await _post(live_database, "/probe/99")
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert await probe.fetchval("SELECT count(*) FROM commit_probe") == 0
