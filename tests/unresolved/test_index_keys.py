"""Questions about a number are one question, whichever index key was the first then (DB-5)."""

from app.children import reindexing
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.unresolved.operations import knowing, settling
from tests.attendance.factories import push, statuses
from tests.conftest import VILLAGE
from tests.index_keys import rotate
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.unresolved.conftest import NUMBER, count, listed, numbered, of_number, slots
from tests.unresolved.test_attendance import a_pupil


async def test_is_asked_once_and_decided_for_both(
    client, database, school, teacher, pupil, act
) -> None:
    event = of_number("2026-11-18")
    await push(client, school, event)
    rotate(database)
    assert statuses(await push(client, school, event)) == ["unresolved"]
    other = {**event, "category": "excused"}
    assert statuses(await push(client, school, other)) == ["conflict"]
    await push(client, school, of_number("2026-11-19"))
    (item,) = await listed(client, teacher)
    assert item["claim"]["student"] == NUMBER
    attached = await act(teacher, item["id"], "attachment", child_id=str(pupil.id))
    assert attached.json()["state"] == "attached", attached.text
    rotate(database)
    await push(client, school, of_number("2026-11-20"))
    await run_jobs(database)
    assert [row["day"] for row in await slots(database)] == [
        "2026-11-18",
        "2026-11-19",
        "2026-11-20",
    ]


async def test_is_told_of_by_a_file(client, database, settings, school) -> None:
    await some_regions(database, VILLAGE)
    child = await a_pupil(client, database, settings, school.id, student_numbers=[])
    await push(client, school, of_number())
    rotate(database)
    await child.change(education={"student_numbers": [NUMBER]})
    await run_jobs(database)
    assert [row["child_id"] for row in await slots(database)] == [child.id]


async def test_is_corrected_into_one_that_is_asked(client, database, school, teacher, act) -> None:
    await push(client, school, of_number())
    rotate(database)
    wrong = {**NUMBER, "number": "G000000000000000007"}
    await push(client, school, of_number(student=wrong))
    items = await listed(client, teacher)
    (mistyped,) = [each for each in items if each["claim"]["student"] == wrong]
    await act(teacher, mistyped["id"], "correction", student=NUMBER)
    assert len([each for each in await listed(client, teacher) if each["state"] == "open"]) == 1


async def test_is_renewed(client, database, school, pupil) -> None:
    """By a job; one that is asked of a file's id stays as it is."""
    await push(client, school, of_number())
    await numbered(database, pupil, **NUMBER)
    rotate(database)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "unresolved.reindex", [{}])
        await tx.connection.execute("INSERT INTO reindexed (home_county, kid) VALUES (0, 'new')")
    assert (await run_jobs(database)).count("unresolved.reindex") == 2
    async with database.begin(SYSTEM) as tx:
        assert not await reindexing.is_left(tx, reindexing.QUESTIONS)
        claim = await tx.connection.fetchval("SELECT claim FROM unresolved")
        assert claim == knowing.claim_index(tx, {"student": NUMBER})
        assert await settling.look_again(tx, pupil.id) is None
    assert await count(database, "unresolved") == 1
