"""The app on a port, and what of others' runs against it there: their libraries, and a browser."""

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app import main
from app.core import settings as config
from app.core.clock import utc_now
from app.core.data import db
from app.core.settings import Settings
from tests import schema
from tests.waiting import until

HERE = Path(__file__).parents[2] / "conformance"
NODE = shutil.which("node") or ""
CALLBACK = "http://127.0.0.1/callback"
FETCHED = bool(NODE) and (HERE / "node_modules").exists()
by_node = pytest.mark.skipif(not FETCHED, reason="make conformance fetches what this runs")


@dataclass(frozen=True, slots=True)
class Served:
    """The app, as it is reached from outside."""

    issuer: str
    settings: Settings
    database: db.Database


@pytest.fixture
async def served(app, settings, pg, database_urls, keyring) -> AsyncIterator[Served]:
    engine = db.open_engine(database_urls.app, config.Database(pool_size=25))
    database = db.Database(engine, keyring, utc_now)
    port = random.randrange(20_000, 32_000)
    issuer = f"http://127.0.0.1:{port}"
    told: Settings = settings.model_copy(
        update={"tokens": settings.tokens.model_copy(update={"issuer": issuer})}
    )
    async with main.state(told, database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        told_uvicorn = uvicorn.Config(with_state, port=port, lifespan="off", log_config=None)
        serving = uvicorn.Server(told_uvicorn)
        task = asyncio.create_task(serving.serve())
        await until(lambda: serving.started)
        yield Served(issuer, told, database)
        serving.should_exit = True
        with suppress(asyncio.CancelledError):
            await task
    await database.close()
    await schema.empty(pg, database_urls)


async def ran(story: dict[str, Any], *command: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate(json.dumps(story).encode())
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(said))
