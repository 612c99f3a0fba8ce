"""The web app, put together in one place. Run it with `tonghu serve` or uvicorn's factory mode."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from app import wiring
from app.access.tokens import TokenKeys, token_keys
from app.api import answers, v1
from app.core import startup
from app.core.clock import Clock, utc_now
from app.core.db import Database
from app.core.settings import Settings


class State(TypedDict):
    """What every request finds in `request.state`."""

    database: Database
    token_keys: TokenKeys
    settings: Settings


@asynccontextmanager
async def state(settings: Settings, database: Database) -> AsyncIterator[State]:
    """Build what requests share around an open database."""
    keys = token_keys(
        database.keyring.signing,
        issuer=settings.tokens.issuer,
        audience=settings.tokens.audience,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    yield {"database": database, "token_keys": keys, "settings": settings}


def create_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> FastAPI:
    """Assemble the app. Settings come from the environment unless given."""
    chosen = settings or Settings()
    wiring.load()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with (
            startup.reachable_database(chosen) as addresses,
            startup.open_database(chosen, clock, addresses=addresses) as database,
            state(chosen, database) as shared,
        ):
            yield shared

    return assemble(lifespan)


def assemble(lifespan: object) -> FastAPI:
    """Put routers, problem handlers and middleware around a lifespan."""
    app = FastAPI(
        title="Tonghu 童护",
        version="1.0.0",
        lifespan=lifespan,  # type: ignore[arg-type]
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"logs": False},
    )
    answers.install(app)
    for router in v1.PUBLIC_ROUTERS:
        app.include_router(router)
    for router in v1.ROUTERS:
        app.include_router(router, prefix="/v1")
    return app
