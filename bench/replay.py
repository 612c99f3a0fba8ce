"""The bare limit: a Starlette handler that runs exactly the statements Tonghu ran, on asyncpg.

`record` runs one request through the app and notes each statement with its arguments. The bare
server repeats them in one transaction and answers the same bytes. Ids the request made itself are
replaced by fresh ones each time, so inserts stay inserts.
"""

import os
import pickle
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core.data.db import Database, Lane

_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@dataclass(slots=True)
class Recording:
    """One request's statements and answer. `known`: ids that existed before and stay."""

    path: str
    method: str
    known: frozenset[UUID]
    statements: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    status: int = 200
    answer: bytes = b""

    def made_here(self) -> list[UUID]:
        """The ids this request made itself."""
        found: set[UUID] = set()
        for statement, arguments in self.statements:
            if re.search(r"\b(INSERT|UPDATE)\b", statement):
                _collect(arguments, found)
        return sorted(found - self.known)


def _collect(value: Any, into: set[UUID]) -> None:
    if isinstance(value, UUID):
        into.add(UUID(int=value.int))
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, into)
    elif isinstance(value, str):
        into.update(
            UUID(text) for text in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
        )


class RecordingDatabase(Database):
    """Notes every statement sent on any of its connections."""

    noted: Recording | None = None

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        async with super().lane() as lane:
            raw = lane.raw
            raw.add_query_logger(self._note)
            try:
                yield lane
            finally:
                raw.remove_query_logger(self._note)

    def _note(self, query: asyncpg.connection.LoggedQuery) -> None:
        if self.noted is not None and not query.query.startswith(_CONTROL):
            self.noted.statements.append((query.query, tuple(query.args or ())))


def renew(value: Any, fresh: dict[UUID, UUID], texts: list[tuple[str, str]]) -> Any:
    if isinstance(value, UUID):
        return fresh.get(UUID(int=value.int), value)
    if isinstance(value, str):
        for old, new in texts:
            value = value.replace(old, new)
        return value
    if isinstance(value, list):
        return [renew(item, fresh, texts) for item in value]
    return value


def bare_app() -> Starlette:
    """Serve the recordings of the file named in `BENCH_RECORDINGS`. Written by bench.run."""
    recordings: list[Recording] = pickle.loads(Path(os.environ["BENCH_RECORDINGS"]).read_bytes())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with asyncpg.create_pool(
            os.environ["BENCH_DATABASE"],
            min_size=10,
            max_size=10,
            reset=_no_reset,
            statement_cache_size=500,
        ) as pool:
            yield {"pool": pool}

    return Starlette(
        routes=[Route(one.path, _handler(one), methods=[one.method]) for one in recordings],
        lifespan=lifespan,
    )


async def _no_reset(_: asyncpg.Connection) -> None:
    """A bare handler has nothing to reset: its settings are local to the transaction."""


def _handler(recording: Recording) -> Any:
    made = recording.made_here()
    answer = orjson.loads(recording.answer)

    async def handle(request: Request) -> Response:
        if recording.method != "GET":
            orjson.loads(await request.body())
        fresh = {old: uuid4() for old in made}
        texts = [(str(old), str(new)) for old, new in fresh.items()]
        async with request.state.pool.acquire() as connection, connection.transaction():
            for statement, arguments in recording.statements:
                await connection.fetch(
                    statement, *[renew(argument, fresh, texts) for argument in arguments]
                )
        return Response(
            orjson.dumps(answer), status_code=recording.status, media_type="application/json"
        )

    return handle
