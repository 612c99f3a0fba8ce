"""`Prefer: handling=strict`: a batch is stored whole or not at all."""

from uuid import uuid4

import orjson
import pytest

from app.core.data.db import SYSTEM
from tests.attendance.factories import a_school, an_event, push


@pytest.fixture
async def school(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(database, school):
    return await school.pupil(database)


async def test_strict_is_all_or_nothing(client, database, school, pupil) -> None:
    events = [an_event(pupil.id), {**an_event(pupil.id), "category": "asleep"}]
    refused = await push(client, school, *events, prefer="handling=strict")
    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/batch-refused"
    assert refused.json()["errors"][0]["pointer"] == "#/events/1/category"
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM attendance_events") == 0
    stored = await push(client, school, events[0], prefer="handling=strict")
    assert stored.headers["preference-applied"] == "handling=strict"


async def test_strict_tells_of_pupils_and_is_audited(client, database, school, pupil) -> None:
    for events, children in (
        ([an_event(pupil.id), an_event(uuid4())], [pupil.id]),
        ([an_event(uuid4())], []),
    ):
        refused = await push(client, school, *events, prefer="handling=strict")
        assert refused.status_code == 422
        async with database.begin(SYSTEM) as tx:
            row = await tx.connection.fetchrow(
                "SELECT decision, rule, child_ids FROM audit_entries ORDER BY id DESC LIMIT 1"
            )
        assert tuple(row) == ("denied", "batch-refused", children)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('"category": "late", "category": "excused"', '"category": "excused"'),
        ('"category": "excused", "x": 1e400', '"category": "excused", "x": null'),
    ],
)
async def test_with_one_key_a_batch_that_says_something_else_is_taken_in(
    client, school, pupil, wrong: str, right: str
) -> None:
    text = orjson.dumps({**an_event(pupil.id), "category": "here"}).decode()
    headers = {**school.system.headers, "idempotency-key": "morning"}
    headers["content-type"] = "application/json"
    answers = []
    for said in (wrong, wrong, right):
        event = text.replace('"category":"here"', said)
        body = f'{{"events": [{event}]}}'
        answers.append(await client.post("/v1/attendance-events", headers=headers, content=body))
    first, again, mended = answers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.content == again.content != mended.content
    assert "rejected" not in [each["status"] for each in mended.json()["results"]]
