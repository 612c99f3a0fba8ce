"""What was sent under one id with two contents, or by a number that is no more, is not lost."""

import pytest

from app.core.data.db import SYSTEM
from app.unresolved.operations import settling
from tests.attendance.factories import an_event, codes, push, statuses
from tests.unresolved.conftest import NUMBER, count, listed, numbered, of_number, slots


async def test_an_id_that_waits_is_not_free_for_a_pupil(
    client, database, school, teacher, pupil, act
) -> None:
    held = of_number()
    await push(client, school, held)
    known = {**held, "student": {"child_id": str(pupil.id)}, "category": "present"}
    answer = await push(client, school, known)
    assert (statuses(answer), codes(answer)) == (["conflict"], ["id_taken"])
    assert await count(database, "attendance_events") == 0
    (item,) = await listed(client, teacher)
    await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
    assert [row["category"] for row in await slots(database)] == ["unexcused"]


async def test_what_waits_and_is_known_by_now_is_stored(client, database, school, pupil) -> None:
    held = of_number()
    await push(client, school, held)
    await numbered(database, pupil, **NUMBER)
    assert statuses(await push(client, school, held)) == ["accepted"]
    async with database.begin(SYSTEM) as tx:
        await settling.look_again(tx, pupil.id)
    assert statuses(await push(client, school, held)) == ["duplicate"]
    assert await count(database, "attendance_events") == 1


@pytest.mark.parametrize("together", [True, False])
async def test_two_contents_under_one_id_are_both_kept_and_marked(
    client, database, school, teacher, pupil, act, together
) -> None:
    first = of_number("2026-11-19")
    second = {**first, "school_day": "2026-11-20", "category": "late"}
    batches = [[first, second, second]] if together else [[first], [second], [second]]
    results = [
        each for batch in batches for each in (await push(client, school, *batch)).json()["results"]
    ]
    assert [each["status"] for each in results] == ["unresolved", "conflict", "conflict"]
    assert results[1]["pointer"].endswith("/id")
    (item,) = await listed(client, teacher)
    read = await client.get(f"/v1/unresolved/{item['id']}", headers=teacher.headers)
    sent = [each["sent"]["category"] for each in read.json()["evidence"]]
    assert sent == ["unexcused", "late"]
    await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
    days = [(row["day"], row["category"]) for row in await slots(database)]
    assert days == [("2026-11-19", "unexcused"), ("2026-11-20", "late")]


async def test_of_a_pupil_and_of_nobody_under_one_id_in_one_batch(
    client, database, school, pupil
) -> None:
    known = an_event(pupil.id)
    answer = await push(client, school, {**known, "student": NUMBER, "reason": "x"}, known)
    assert statuses(answer) == ["conflict", "accepted"]
    assert await count(database, "unresolved_evidence") == 1


async def test_a_retry_after_the_pupils_number_was_corrected_asks_nothing(
    client, database, school, teacher, pupil
) -> None:
    await numbered(database, pupil, **NUMBER)
    event = of_number()
    assert statuses(await push(client, school, event)) == ["accepted"]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM child_external_ids")
    await numbered(database, pupil, **{**NUMBER, "number": "G000000000000000002"})
    assert statuses(await push(client, school, event)) == ["duplicate"]
    assert await listed(client, teacher) == []
    other = {**event, "category": "present"}
    assert statuses(await push(client, school, other)) == ["conflict"]
    assert len(await listed(client, teacher)) == 1


async def test_a_retry_after_the_question_was_corrected_is_known_by_either_number(
    client, database, school, teacher, pupil, act
) -> None:
    await numbered(database, pupil, **NUMBER)
    right = of_number()
    wrong = {**right, "student": {**NUMBER, "number": "G000000000000000007"}}
    await push(client, school, wrong)
    (item,) = await listed(client, teacher)
    await act(teacher, item["id"], "correction", student=NUMBER)
    assert statuses(await push(client, school, wrong, right)) == ["duplicate"] * 2
    assert await listed(client, teacher, "?state=open") == []
    assert await count(database, "attendance_events") == 1


async def test_a_retry_of_what_was_stored_under_another_id_asks_nothing(
    client, school, teacher, pupil, act
) -> None:
    first, second = (of_number(day) for day in ("2026-11-19", "2026-11-20"))
    second = {**second, "id": first["id"]}
    await push(client, school, first, second)
    (item,) = await listed(client, teacher)
    await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
    answer = await push(client, school, first, second)
    assert statuses(answer) == ["duplicate", "conflict"]
    assert await listed(client, teacher, "?state=open") == []
