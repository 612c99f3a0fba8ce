"""AZ-3: what a caller may not know of is answered byte for byte like what does not exist."""

import re
from dataclasses import replace

import httpx
import pytest

from app.core.ids import new_id
from tests.conftest import undone
from tests.matrix.asking import ask, due, headers_for, some
from tests.matrix.asks import ASKS
from tests.matrix.expectation import Answer
from tests.matrix.facts import Target
from tests.matrix.groups import asked_by

CHANGING = {"ratelimit"}
"""Headers that say something about the caller, not about what was asked for."""

NEW_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""In the answer to a batch, which is taken in whatever it says: the batch's."""


def _unknown(target: Target) -> Target:
    return replace(target, ids={kind: new_id() for kind in target.ids})


def _bytes(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [pair for pair in answer.headers.multi_items() if pair[0] not in CHANGING]
    if not answer.is_success:
        return answer.status_code, headers, answer.content
    told = [(name, NEW_ID.sub("", value)) for name, value in headers]
    return answer.status_code, told, NEW_ID.sub("", answer.text).encode()


async def test_outside_the_remit_looks_unknown(theatre, described) -> None:
    client, database, stage, _ = theatre
    for operation, each in asked_by(ASKS, described, stage.asker):
        hidden = [t for t in stage.targets if due(stage, operation, each, t) is Answer.ABSENT]
        hidden = [t for t in hidden if some(theatre, operation, each, t)]
        if not hidden:
            continue
        async with undone(database):
            asked = headers_for(stage, operation)
            unknown = await ask(client, operation, each, _unknown(hidden[0]), asked)
        for target in hidden:
            known, _ = await theatre.asked(operation, each, target)
            assert _bytes(known) == _bytes(unknown), (operation.id, target.label)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_in_either_language(theatre, described, language) -> None:
    client, database, stage, _ = theatre
    headers = {**stage.headers(), "accept-language": language}
    for operation, each in asked_by(ASKS, described, stage.asker):
        hidden = [t for t in stage.targets if due(stage, operation, each, t) is Answer.ABSENT]
        if each.operation != "readChild" or not hidden:
            continue
        async with undone(database):
            known = await ask(client, operation, each, hidden[0], headers)
            unknown = await ask(client, operation, each, _unknown(hidden[0]), headers)
        assert known.status_code == 404
        assert _bytes(known) == _bytes(unknown)
