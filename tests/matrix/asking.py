"""Send a request and tell what kind of answer it got."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import httpx

from app.core.data.db import Database
from tests.conftest import undone
from tests.matrix.asks import ASKS, NAMES
from tests.matrix.data import DONE_FOR, ROLES
from tests.matrix.described import Operation
from tests.matrix.expectation import VISIBLE, Answer, expected
from tests.matrix.facts import Target
from tests.matrix.groups import CALLERS
from tests.matrix.parts import Ask
from tests.matrix.stage import Stage
from tests.matrix.witnessed import REQUEST_ID, faults, rows

WHOLE = os.environ.get("TONGHU_MATRIX") == "whole"


async def ask(
    client: httpx.AsyncClient,
    operation: Operation,
    asked: Ask,
    target: Target,
    headers: Mapping[str, str],
    *,
    if_match: str | None = '"1"',
) -> httpx.Response:
    """Send one request about a target."""
    path = re.sub(r"\{(\w+)\}", lambda name: _in_path(operation, name[1], target), operation.path)
    changes = {"if-match": if_match} if if_match and "If-Match" in operation.headers else {}
    query = asked.query(target) if asked.query else {}
    return await client.request(
        operation.method,
        path,
        params={"limit": "200", **query} if asked.shows and operation.method == "GET" else query,
        json=asked.body(target) if asked.body else None,
        headers={**headers, **changes, "x-request-id": REQUEST_ID},
    )


def _in_path(operation: Operation, name: str, target: Target) -> str:
    if name == "code":
        return f"{target.region:012d}"
    return NAMES[operation.id] if name == "name" else str(target.ids[name])


def due(stage: Stage, operation: Operation, asked: Ask, target: Target) -> Answer:
    """What the roles' data says the answer must be."""
    named = (*operation.names, *asked.names)
    return expected(operation, named, asked.gives, stage.who, target)


def headers_for(stage: Stage, operation: Operation) -> dict[str, str]:
    """The caller's token, and a purpose for which the operation is done."""
    theirs = {*ROLES[stage.who.role]["purposes"]} & DONE_FOR.get(operation.id, frozenset())
    return stage.headers(min(theirs, default=None))


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


class Theatre(NamedTuple):
    """A stage with its database and a client; each request on it is to be `undone`."""

    client: httpx.AsyncClient
    database: Database
    stage: Stage
    kept: dict[tuple[int, str], tuple[httpx.Response, list[Any]]]
    """Answers had already, with what was witnessed: each leaves everything as it was, so asking
    the same again would tell the same.
    """

    async def asked(
        self, operation: Operation, asked: Ask, target: Target
    ) -> tuple[httpx.Response, list[Any]]:
        """Ask for a target under the caller's first purpose, once."""
        key = (id(asked), target.label)
        if key not in self.kept:
            async with undone(self.database):
                headers = headers_for(self.stage, operation)
                answer = await ask(self.client, operation, asked, target, headers)
                self.kept[key] = answer, await rows(self.database)
        return self.kept[key]


def some(theatre: Theatre, operation: Operation, asked: Ask, target: Target) -> bool:
    """Of what a caller may not know, a third, and of the rest a half: others for each operation and
    each caller, so that every target is tried with every operation; `make exam` asks for all, and
    so do those who put faults in.
    """
    stage = theatre.stage
    absent = due(stage, operation, asked, target) is Answer.ABSENT
    return in_turn(stage, ASKS.index(asked), target, 3 if absent else 2)


def in_turn(stage: Stage, number: int, target: Target, of: int = 3) -> bool:
    """Pick one `of` so many that would be asked, another for each caller and each `number`."""
    return WHOLE or (CALLERS.index(stage.asker) + number + stage.targets.index(target)) % of == 0


async def mismatches(
    theatre: Theatre, operation: Operation, asked: Ask, targets: Sequence[Target]
) -> list[str]:
    """Ask for each target and say where the answer is not the one that is due."""
    wrong = []
    for target in targets:
        if not some(theatre, operation, asked, target):
            continue
        answer, witnessed = await theatre.asked(operation, asked, target)
        right, got = due(theatre.stage, operation, asked, target), kind_of(answer)
        if got != right:
            wrong.append(f"{operation.id}, {target.label}: {right!r} expected, got {got!r}")
        wrong += faults(operation, asked, target, answer, witnessed)
    return wrong


def shown(answer: httpx.Response, stage: Stage, asked: Ask) -> set[UUID]:
    """What a list shows of the targets."""
    page: dict[str, Any] = answer.json()
    assert page["next_cursor"] is None, "the list is longer than one page"
    everything = {target.ids[kind] for target in stage.targets for kind in asked.shows}
    return {UUID(item["id"]) for item in page["items"]} & everything


def visible(stage: Stage, asked: Ask) -> set[UUID]:
    """What a list should show of the targets."""
    return {
        target.ids[kind]
        for target in stage.targets
        for kind in asked.shows
        if VISIBLE[kind](stage.who, target)
    }
