"""One bad event never loses the others of its batch (I2, I4)."""

import orjson
import pytest

from app.core.data.db import SYSTEM
from tests.attendance import test_push
from tests.attendance.factories import a_school, an_event, codes, statuses


@pytest.fixture
async def school(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(database, school):
    return await school.pupil(database)


@pytest.mark.parametrize(
    ("dirt", "code"),
    [
        ('"reason": "a\\u0000"', "json_nul_character"),
        ('"reason": "\\ud800"', "json_lone_surrogate"),
        ('"id": "\\ud800"', "json_lone_surrogate"),
        ('"sequence": 1000000000000000000000000000000', "json_integer_too_large"),
        pytest.param(f'"sequence": {"9" * 5000}', "json_integer_too_large", id="5,000 digits"),
        pytest.param(f'"sequence": -{"9" * 5000}', "json_integer_too_large", id="as many below 0"),
        ('"sequence": NaN', "json_number_not_finite"),
        ('"sequence": 1, "sequence": 2', "json_duplicate_key"),
        (f'"reason": {"[" * 40}{"]" * 40}', "json_too_deep"),
    ],
    ids=lambda each: each[:30],
)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_event_that_no_database_keeps_loses_no_other(
    client, database, school, pupil, dirt, code, wrapped
) -> None:
    good = [an_event(pupil.id, f"2026-11-{day}") for day in (16, 17, 18)]
    kind = "application/json"
    if wrapped:
        good = [test_push.TestCloudEvents.wrap(each) for each in good]
        kind = "application/cloudevents-batch+json"
    first, *rest = (orjson.dumps(each).decode() for each in good)
    listed = ", ".join([first, f'{{"source": "urn:x", {dirt}}}', *rest])
    answer = await client.post(
        "/v1/attendance-events",
        headers={**school.system.headers, "content-type": kind},
        content=f"[{listed}]" if wrapped else f'{{"events": [{listed}]}}',
    )
    assert answer.status_code == 202, answer.text
    assert statuses(answer) == ["accepted", "rejected", "accepted", "accepted"]
    assert codes(answer)[1] == code
    assert answer.json()["results"][1]["source"] == "urn:x"
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM attendance_events") == 3
