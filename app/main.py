"""The web app, put together in one place. Run it with `tonghu serve` or uvicorn's factory mode."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, TypedDict

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Lifespan

from app import wiring
from app.access import dpop, sign_in
from app.access.budgets import ReadingBudgets
from app.access.presenting import Proofs
from app.access.tokens import TokenKeys, token_keys
from app.access.traces import Traces
from app.api import answers, docs, doors, openapi, v1
from app.api.draining import drained_first
from app.core import logs, startup, tracing
from app.core.clock import Clock, utc_now
from app.core.data.db import Database
from app.core.data.key_file import KeyFile
from app.core.data.replica import Replica
from app.core.http import admission
from app.core.http.corners import by_corner
from app.core.http.exchange import Exchange
from app.core.http.hardening import Hardening, Limits
from app.core.http.once import Once
from app.core.http.rate_limits import RateLimits
from app.core.metrics import OTHER, Figures
from app.core.settings import Environment, Settings, read

BATCHES = ("/v1/attendance-events",)
"""Paths that take more than an ordinary body: a morning's absences of a large school (IN-1)."""


class SharedLimits(NamedTuple):
    """Limits that hold for all processes forked after these were made."""

    callers: RateLimits
    sign_in: sign_in.Limits
    traces: Traces
    proofs: Once
    reading: ReadingBudgets


class State(TypedDict):
    """What every request finds in `request.state`."""

    database: Database
    replica: Replica | None
    token_keys: TokenKeys
    proofs: Proofs
    rate_limits: RateLimits
    reading_budgets: ReadingBudgets
    sign_in_limits: sign_in.Limits
    traces: Traces
    settings: Settings


@asynccontextmanager
async def state(
    settings: Settings,
    database: Database,
    shared: SharedLimits | None = None,
    *,
    replica: Replica | None = None,
    file: KeyFile | None = None,
) -> AsyncIterator[State]:
    """Build what requests share around an open database. `shared`: with other processes. `file`:
    where its keys came from.
    """
    limits = shared or shared_limits(settings)
    told = settings.tokens
    keys = token_keys({}, issuer=told.issuer, audience=told.audience)
    proofs = Proofs(dpop.Nonces(database.keyring), limits.proofs)
    renew = partial(_renew, database, keys, proofs)
    renew()
    following = file and asyncio.create_task(file.follow(database, renew))
    try:
        yield {
            "database": database,
            "replica": replica,
            "token_keys": keys,
            "proofs": proofs,
            "rate_limits": limits.callers,
            "reading_budgets": limits.reading,
            "sign_in_limits": limits.sign_in,
            "traces": limits.traces,
            "settings": settings,
        }
    finally:
        if following:
            following.cancel()


def _renew(database: Database, keys: TokenKeys, proofs: Proofs) -> None:
    """Take over the keys a process works with by now. One whose are wrong signs nothing, and
    verifies by the public keys that stand in the database.
    """
    if database.wrong_keys is None:
        keys.renew(database.keyring.signing, database.keyring.coming)
    else:
        keys.verify_only(database.wrong_keys.verifying)
    proofs.nonces = dpop.Nonces(database.keyring)


def shared_limits(settings: Settings) -> SharedLimits:
    allowed = settings.rate_limit
    callers = RateLimits(per_second=allowed.per_second, burst=allowed.burst)
    return SharedLimits(callers, sign_in.limits(), Traces(), Once(), ReadingBudgets())


def spare_the_collector() -> None:
    """Look for no garbage in what the program is made of. (How seldom at all: `app/__init__`.)"""
    gc.collect()
    gc.freeze()


def create_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> FastAPI:
    """Assemble the app. Settings come from the environment unless given.

    What is made here is shared by the processes forked afterwards; what the lifespan makes, each
    has for itself.
    """
    chosen = settings or read(Settings)
    logs.configure()
    wiring.load()
    limits = shared_limits(chosen)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        with tracing.running("web"):
            async with opened() as shared:
                yield shared

    @asynccontextmanager
    async def opened() -> AsyncIterator[State]:
        async with (
            startup.reachable_database(chosen) as addresses,
            startup.open_database(chosen, clock, addresses=addresses) as database,
            startup.open_replica(chosen, clock, database) as replica,
            state(
                chosen, database, limits, replica=replica, file=startup.key_file(chosen)
            ) as shared,
        ):
            spare_the_collector()
            with drained_first(chosen.drain_seconds):
                yield shared

    return assemble(chosen, lifespan)


def document() -> dict[str, Any]:
    """Return the OpenAPI document, without reaching for a database."""
    wiring.load()
    return openapi.document(assemble(Settings(), None))


def assemble(settings: Settings, lifespan: Lifespan[FastAPI] | None) -> FastAPI:
    """Put routers, problem handlers and middleware around a lifespan.

    Raises UnguardedRoute if a route states neither a scope nor that it is public (AZ-1), and
    UnusedScope if no route needs one that is declared, BadAct if an act is no operation, BadGuard
    if what takes two people could be done otherwise.
    """
    app = FastAPI(
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    answers.install(app)
    public = [*v1.PUBLIC_ROUTERS, docs.router] if settings.serves_docs else v1.PUBLIC_ROUTERS
    for router in (*v1.ROUTERS, *public):
        app.router.routes += router.routes
    app.router.middleware_stack = by_corner(app.router)
    doors.refuse_unguarded(app)
    doors.refuse_unused(app)
    doors.refuse_unknown_acts(app)
    doors.refuse_bad_guards(app)
    _surround(app, settings)
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """Add middleware, innermost first."""
    operations = [getattr(each, "unique_id", OTHER) for each in iter_route_contexts(app.routes)]
    figures = Figures(operations)
    places = admission.places(settings.database.pool_size)
    lanes = admission.Lanes(doors.lanes(app), places, figures)
    app.add_middleware(admission.Places, lanes=lanes)
    limits = Limits(
        body_bytes=settings.max_body_bytes, larger=dict.fromkeys(BATCHES, settings.max_batch_bytes)
    )
    app.add_middleware(Hardening, limits=limits, pool_of=lanes.name)
    app.add_middleware(admission.Door, lanes=lanes)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=(
                "approval",
                "authorization",
                "content-type",
                "dpop",
                "idempotency-key",
                "if-match",
                "purpose-of-use",
                "x-request-id",
            ),
            expose_headers=(
                "dpop-nonce",
                "etag",
                "idempotency-replayed",
                "location",
                "ratelimit",
                "ratelimit-policy",
                "retry-after",
                "www-authenticate",
                "x-request-id",
            ),
        )
    app.add_middleware(
        Exchange,
        figures=figures,
        https_only=settings.environment is Environment.production,
        trusted_proxies=settings.trusted_proxies,
    )
    if tracing.wanted():
        app.add_middleware(tracing.Traced)
