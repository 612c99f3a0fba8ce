"""Two phones may make one id: the second visit is kept under an id of ours, and that is told."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from app.children.queries import ChildRef
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.visits.operations import recording
from app.visits.schemas.recording import VisitCreate
from tests.access.factories import a_new_post
from tests.children.factories import a_child, everywhere
from tests.conftest import VILLAGE
from tests.visits.factories import a_visit, something_wrong

NIL = str(UUID(int=0))
HARM = [something_wrong(type="domestic_violence")]


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


async def _count(database) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval("SELECT count(*) FROM visits")


async def test_a_visit_to_another_child_or_of_another_agency_is_kept(
    client, database, director, neighbour, child
) -> None:
    second, theirs = await a_child(database, VILLAGE), await a_child(database, VILLAGE + 1)
    assert (await _record(client, director, a_visit(child.id, id=NIL))).status_code == 201
    for caller, whom in ((director, second), (neighbour, theirs)):
        body = a_visit(whom.id, id=NIL, findings=HARM)
        kept = await _record(client, caller, body)
        assert (kept.status_code, kept.json()["doubts"]) == (201, ["id_in_use"]), kept.text
        assert (kept.json()["id"] != NIL, kept.json()["as_sent"]) == (True, {"id": NIL})
        assert kept.headers["location"] == f"/v1/visits/{kept.json()['id']}"
        again = await _record(client, caller, body)
        assert (again.status_code, again.json()) == (200, kept.json())
        listed = await client.get(f"/v1/children/{whom.id}/visits", headers=caller.headers)
        assert [visit["abnormal"] for visit in listed.json()["items"]] == [True]
    assert await _count(database) == 3


async def test_other_content_about_the_same_child_is_a_correction(
    client, database, director, child
) -> None:
    second = await a_child(database, VILLAGE)
    for whom in (child, second):
        assert (await _record(client, director, a_visit(whom.id, id=NIL))).status_code == 201
        other = await _record(client, director, a_visit(whom.id, id=NIL, findings=HARM))
        assert (other.status_code, other.json()["type"]) == (409, "/problems/visit-differs")
    assert await _count(database) == 2


async def test_of_a_child_nobody_knows_it_waits_under_its_own(
    client, database, director, neighbour, child
) -> None:
    await _record(client, director, a_visit(child.id, id=NIL))
    asked = set()
    for caller in (director, neighbour):
        for body in (a_visit(uuid4(), id=NIL, findings=HARM) for _ in range(2)):
            held, again = [await _record(client, caller, body) for _ in range(2)]
            assert (held.status_code, again.json()) == (202, held.json())
            asked.add(held.json()["unresolved_id"])
    assert len(asked) == 4


async def test_one_that_waited_for_a_child_without_a_file_is_not_dropped_in_silence(tx) -> None:
    nobody = ChildRef(new_id(), 120119000000, VILLAGE, None)
    new = VisitCreate.model_validate(a_visit(nobody.id))
    with pytest.raises(LookupError):
        await recording.store_held(tx, everywhere(), nobody, new, tx.now, new_id())


async def test_sent_again_from_a_new_post_it_is_the_same(
    client, database, settings, director, neighbour
) -> None:
    theirs, mine = await a_child(database, VILLAGE + 1), await a_child(database, VILLAGE)
    assert (await _record(client, neighbour, a_visit(theirs.id, id=NIL))).status_code == 201
    body = a_visit(mine.id, id=NIL, findings=HARM)
    kept = await _record(client, director, body)
    assert kept.status_code == 201, kept.text
    since = date(2026, 11, 19)
    moved = await a_new_post(database, settings, director, "village_director", 120119102201, since)
    again = await _record(client, moved, body)
    assert (again.status_code, again.json()["id"]) == (200, kept.json()["id"])
    assert await _count(database) == 2
    new = await a_child(database, 120119102201)
    kept = await _record(client, moved, a_visit(new.id, id=NIL, visited_on="2026-11-20"))
    assert (kept.status_code, kept.json()["doubts"]) == (201, ["id_in_use"])
