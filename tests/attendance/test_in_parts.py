"""One bad event never loses the others of its batch (I2, I4), nor what is bad beside it the event:
it is refused only where it does not say whom, which day or what.
"""

from typing import Any

import orjson
import pytest

from app.core.data.db import SYSTEM
from tests.attendance import test_push
from tests.attendance.factories import a_school, an_event, codes, statuses
from tests.attendance.test_rolls import a_roll


@pytest.fixture
async def school(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(database, school):
    return await school.pupil(database)


async def _send(client, school, *events: str, wrapped: bool):
    kind = "cloudevents-batch+json" if wrapped else "json"
    listed = ", ".join(events)
    return await client.post(
        "/v1/attendance-events",
        headers={**school.system.headers, "content-type": f"application/{kind}"},
        content=f"[{listed}]" if wrapped else f'{{"events": [{listed}]}}',
    )


def _with(event: dict[str, Any], dirt: str, *, wrapped: bool) -> str:
    """Write an event with more in it, and without what that says."""
    rest = {name: said for name, said in event.items() if not dirt.startswith(f'"{name}"')}
    spoilt = f"{orjson.dumps(rest).decode()[:-1]}, {dirt}}}"
    if not wrapped:
        return spoilt
    envelope = test_push.TestCloudEvents.wrap(event, data=None)
    return orjson.dumps(envelope).decode().replace('"data":null', f'"data": {spoilt}')


BESIDE = [
    ('"reason": "a\\u0000"', {"reason": "a\ufffd", "characters": {"reason": "U+0000"}}),
    ('"reason": "\\ud83d"', {"reason": "\ufffd", "characters": {"reason": "U+D83D"}}),
    (f'"reason": {"[" * 40}{"]" * 40}', {"characters": {"reason": "json_too_deep"}}),
    ('"teacher": NaN', {"teacher": "nan", "characters": {"teacher": "nan"}}),
    (
        '"teacher\\u0000": 1',
        {"teacher\ufffd": 1, "characters": {"teacher\ufffd": "'teacher\\x00'"}},
    ),
    (f'"teacher": {10**30}', {"teacher": str(10**30), "characters": {"teacher": str(10**30)}}),
    (f'"sequence": {10**30}', {"sequence": str(10**30), "characters": {"sequence": str(10**30)}}),
    (f'"sequence": {"9" * 5000}', {"sequence": str(2**63), "characters": {"sequence": str(2**63)}}),
    ('"sequence": NaN', {"sequence": "nan", "characters": {"sequence": "nan"}}),
    ('"sequence": 1, "sequence": 2', {"characters": {"sequence (1)": 1}}),
    (
        '"category": "unexcused", "category": "unexcused"',
        {"characters": {"category (1)": "unexcused"}},
    ),
]


@pytest.mark.parametrize(("dirt", "aside"), BESIDE, ids=lambda each: str(each)[:30])
@pytest.mark.parametrize("wrapped", [False, True])
async def test_what_no_database_keeps_beside_an_event_is_kept_aside(
    client, school, pupil, dirt, aside, wrapped
) -> None:
    event = _with(an_event(pupil.id), dirt, wrapped=wrapped)
    answer = await _send(client, school, event, wrapped=wrapped)
    assert statuses(answer) == ["accepted"], answer.text
    params = {"child_id": str(pupil.id), "since": "2026-11-01"}
    read = await client.get("/v1/attendance-events", headers=school.system.headers, params=params)
    (stored,) = read.json()["items"]
    assert stored["category"] == "unexcused"
    assert aside.items() <= stored["as_sent"].items()
    assert answer.json()["results"][0]["unread"] == sorted(stored["as_sent"])
    again = await _send(client, school, event, wrapped=wrapped)
    assert statuses(again) == ["duplicate"]


@pytest.mark.parametrize(
    ("dirt", "code"),
    [
        ('"id": "\\ud800"', "json_lone_surrogate"),
        ('"source": "a\\u0000"', "json_nul_character"),
        ('"student": {"system": "xueji", "number": "1\\u0000"}', "json_nul_character"),
        ('"student": NaN', "json_number_not_finite"),
        ('"school_day": 1000000000000000000000000000000', "json_integer_too_large"),
        ('"category": "present", "category": "unexcused"', "json_duplicate_key"),
        ('"student": {}, "student": {"child_id": "{child_id}"}', "json_duplicate_key"),
    ],
    ids=lambda each: each[:30],
)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_event_that_does_not_say_whom_which_day_or_what_loses_no_other(
    client, database, school, pupil, dirt, code, wrapped
) -> None:
    good = [an_event(pupil.id, f"2026-11-{day}") for day in (16, 17, 18)]
    dirt = dirt.replace("{child_id}", str(pupil.id))
    bad = _with(an_event(pupil.id), dirt, wrapped=wrapped)
    first, *rest = [_with(each, '"x": 1', wrapped=wrapped) for each in good]
    answer = await _send(client, school, first, bad, *rest, wrapped=wrapped)
    assert answer.status_code == 202, answer.text
    assert statuses(answer) == ["accepted", "rejected", "accepted", "accepted"]
    assert codes(answer)[1] == code
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM attendance_events") == 3


async def test_a_roll_keeps_nothing_aside_but_what_its_clock_says(client, school) -> None:
    rolls = [
        _with(a_roll(), dirt, wrapped=False) for dirt in ('"time": NaN', '"except": "\\ud83d"')
    ]
    answer = await _send(client, school, *rolls, wrapped=False)
    assert statuses(answer) == ["accepted", "rejected"]
