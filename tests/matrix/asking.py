"""Send a request and tell what kind of answer it got."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx

from app.core.db import Database
from tests.matrix.asks import NAMES, Ask
from tests.matrix.described import Operation
from tests.matrix.expectation import Answer, expected
from tests.matrix.facts import Target
from tests.matrix.stage import Stage

_REQUEST_ID = "the-same-every-time"


@asynccontextmanager
async def undone(database: Database) -> AsyncIterator[None]:
    """Take back whatever the requests inside did, so that each finds the same."""
    raw = database._pinned.sync_connection.connection.driver_connection  # type: ignore[attr-defined]
    await raw.execute("SAVEPOINT before_asking")
    try:
        yield
    finally:
        await raw.execute("ROLLBACK TO SAVEPOINT before_asking")


async def ask(
    client: httpx.AsyncClient,
    operation: Operation,
    asked: Ask,
    target: Target,
    headers: Mapping[str, str],
) -> httpx.Response:
    """Send one request about a target."""
    path = re.sub(r"\{(\w+)\}", lambda name: _in_path(operation, name[1], target), operation.path)
    changes = {"if-match": '"1"'} if "If-Match" in operation.headers else {}
    query = asked.query(target) if asked.query else {}
    return await client.request(
        operation.method,
        path,
        params={"limit": "200", **query} if asked.shows and operation.method == "GET" else query,
        json=asked.body(target) if asked.body else None,
        headers={**headers, **changes, "x-request-id": _REQUEST_ID},
    )


def _in_path(operation: Operation, name: str, target: Target) -> str:
    if name == "code":
        return f"{target.region:012d}"
    return NAMES[operation.id] if name == "name" else str(target.ids[name])


def due(stage: Stage, operation: Operation, asked: Ask, target: Target) -> Answer:
    """What the roles' data says the answer must be."""
    named = (*operation.names, *asked.names)
    return expected(operation, named, asked.gives, stage.who, target)


def kind_of(answer: httpx.Response) -> Answer | str:
    """Classify an answer; what no well-formed request should get is named as it is."""
    problem = answer.json()["type"].rpartition("/")[2] if answer.status_code >= 400 else ""
    if answer.status_code == 403:
        known = {str(Answer.NO_SCOPE): Answer.NO_SCOPE, str(Answer.NO_PURPOSE): Answer.NO_PURPOSE}
        return known.get(problem, Answer.REFUSED)
    if answer.status_code == 404:
        return Answer.ABSENT
    if answer.status_code in {400, 401, 415, 428, 429} or answer.status_code >= 500:
        return f"{answer.status_code} {problem}"
    if problem in {"validation-failed", "precondition-failed"}:
        return f"{problem}: {answer.json().get('errors')}"
    if "results" in (found := answer.json()) and any(
        result["code"] == "child_not_found" for result in found["results"]
    ):
        return Answer.ABSENT
    return Answer.DONE


def shown(answer: httpx.Response) -> set[UUID]:
    """The ids of a list's items."""
    page: dict[str, Any] = answer.json()
    assert page["next_cursor"] is None, "the list is longer than one page"
    return {UUID(item["id"]) for item in page["items"]}
