"""Two things sent under one id: both are kept, and each is stored where it belongs."""

from uuid import UUID, uuid4

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.attendance.factories import VILLAGE, a_school, an_event, push, statuses
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.unresolved.conftest import COUNTY, listed
from tests.visits.factories import a_visit, something_wrong


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


async def _visits(database) -> list:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch("SELECT id, child_id, abnormal FROM visits ORDER BY id")


async def test_what_waits_under_an_id_is_in_the_way_of_other_content(
    client, database, director, township, child, act
) -> None:
    waits = a_visit(uuid4(), findings=[something_wrong()])
    held = await _record(client, director, waits)
    other = await _record(client, director, {**waits, "findings": []})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/visit-differs")
    again = await _record(client, director, waits)
    assert (again.status_code, again.json()) == (202, held.json())
    await act(township, held.json()["unresolved_id"], "attachment", child_id=str(child.id))
    (stored,) = await _visits(database)
    assert (str(stored["id"]), stored["child_id"]) == (waits["id"], child.id)
    assert stored["abnormal"]


async def test_what_waits_under_an_id_is_not_in_the_way_of_another_child(
    client, database, director, township, child, act
) -> None:
    waits = a_visit(uuid4(), findings=[something_wrong()])
    held = await _record(client, director, waits)
    known = await _record(client, director, {**waits, "child_id": str(child.id), "findings": []})
    assert (known.status_code, known.json()["doubts"]) == (201, ["id_in_use"])
    unknown = {**waits, "child_id": str(uuid4())}
    asked = await _record(client, director, unknown)
    assert asked.status_code == 202, asked.text
    assert asked.json() != held.json()
    await act(township, asked.json()["unresolved_id"], "attachment", child_id=str(child.id))
    await act(township, held.json()["unresolved_id"], "attachment", child_id=str(child.id))
    stored = await _visits(database)
    assert sorted(row["abnormal"] for row in stored) == [False, True, True]
    assert waits["id"] in {str(row["id"]) for row in stored}
    again = await _record(client, director, unknown)
    assert (again.status_code, again.json()["abnormal"]) == (200, True)
    assert len(await _visits(database)) == 3


async def test_two_agencies_phones_made_one_id(
    client, database, director, neighbour, township, child, act
) -> None:
    theirs = await a_child(database, VILLAGE + 1)
    body = a_visit(uuid4(), note="家中无人")
    second = {**body, "findings": [something_wrong()]}
    asked = [
        (await _record(client, caller, sent)).json()["unresolved_id"]
        for caller, sent in ((director, body), (neighbour, second))
    ]
    for item, whom in zip(asked, (child, theirs), strict=True):
        answer = await act(township, item, "attachment", child_id=str(whom.id))
        assert (answer.status_code, answer.json()["state"]) == (200, "attached")
    stored = {row["child_id"]: row for row in await _visits(database)}
    assert stored.keys() == {child.id, theirs.id}
    assert str(stored[child.id]["id"]) == body["id"] != str(stored[theirs.id]["id"])
    again = await _record(client, neighbour, second)
    assert (again.status_code, again.json()["unresolved_id"]) == (202, asked[1])
    assert len(await _visits(database)) == 2
    seen = await client.get(f"/v1/children/{theirs.id}/visits", headers=neighbour.headers)
    assert [visit["abnormal"] for visit in seen.json()["items"]] == [True]


async def test_an_event_whose_id_was_used_for_somebody_else_before(
    client, database, settings, act
) -> None:
    school = await a_school(database, settings)
    bureau = await a_caller(database, settings, "education_authority", COUNTY)
    first, second = [
        await a_child(
            database,
            VILLAGE,
            name=name,
            school_id=school.id,
            education={"school_id": str(school.id)},
        )
        for name in ("样一", "样二")
    ]
    event = an_event(uuid4(), "2026-11-20")
    other = {**event, "student": {"child_id": str(second.id)}}
    assert statuses(await push(client, school, other)) == ["accepted"]
    assert statuses(await push(client, school, event)) == ["conflict"]  # and kept
    await run_jobs(database)
    (item,) = await listed(client, bureau)
    answer = await act(bureau, item["id"], "attachment", child_id=str(first.id))
    assert (answer.status_code, answer.json()["state"]) == (200, "attached"), answer.text
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT child_id, event_id FROM attendance_events")
        slots = await tx.connection.fetch("SELECT child_id FROM attendance_slots")
    stored = {row["child_id"]: row["event_id"] for row in rows}
    assert stored.keys() == {first.id, second.id} == {row["child_id"] for row in slots}
    assert stored[second.id] == event["id"] != stored[first.id]
    assert UUID(stored[first.id])
