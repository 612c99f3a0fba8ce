"""AZ-3: what a caller may not know of is answered byte for byte like what does not exist."""

import re
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from app.api import openapi
from app.core.ids import new_id
from tests.matrix.asking import ask, due, undone
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation, operations
from tests.matrix.expectation import ROLES, Answer
from tests.matrix.facts import Target
from tests.matrix.stage import a_stage

CHANGING = {"ratelimit"}
"""Headers that say something about the caller, not about what was asked for."""

NEW_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""In the answer to a batch, which is taken in whatever it says: the batch's."""


@pytest.fixture(scope="module")
def described(app: FastAPI) -> dict[str, Operation]:
    return operations(openapi.document(app))


def _unknown(target: Target) -> Target:
    return replace(target, ids={kind: new_id() for kind in target.ids})


def _bytes(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [pair for pair in answer.headers.multi_items() if pair[0] not in CHANGING]
    body = NEW_ID.sub(b"", answer.content) if answer.is_success else answer.content
    return answer.status_code, headers, body


@pytest.mark.parametrize("role", ROLES)
async def test_outside_the_remit_looks_unknown(client, database, settings, described, role) -> None:
    stage = await a_stage(database, settings, role, ROLES[role]["for"][0])
    for each in ASKS:
        operation = described[each.operation]
        hidden = [t for t in stage.targets if due(stage, operation, each, t) is Answer.ABSENT]
        for target in hidden:
            async with undone(database):
                known = await ask(client, operation, each, target, stage.headers())
            async with undone(database):
                unknown = await ask(client, operation, each, _unknown(target), stage.headers())
            assert _bytes(known) == _bytes(unknown), (operation.id, target.label)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_in_either_language(client, database, settings, described, language) -> None:
    stage = await a_stage(database, settings, "village_director", "staff")
    headers = {**stage.headers(), "accept-language": language}
    (asked,) = (each for each in ASKS if each.operation == "readChild")
    target = next(t for t in stage.targets if t.label == "sibling village")
    known = await ask(client, described["readChild"], asked, target, headers)
    unknown = await ask(client, described["readChild"], asked, _unknown(target), headers)
    assert known.status_code == 404
    assert _bytes(known) == _bytes(unknown)
