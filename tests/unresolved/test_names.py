"""An agreed name of a file takes evidence in and gives nothing of the file out."""

from app.core.data.db import SYSTEM
from tests.children.factories import moved
from tests.conftest import VILLAGE
from tests.unresolved.conftest import OTHER_COUNTY_VILLAGE
from tests.visits.factories import a_visit


async def _record(client, caller, body):
    return await client.post("/v1/visits", json=body, headers=caller.headers)


async def test_what_is_sent_about_a_child_out_of_sight_is_answered_by_what_was_sent(
    client, database, director, child, alias
) -> None:
    await moved(database, child.id, region_code=OTHER_COUNTY_VILLAGE)
    for day in ("2026-11-19", "1990-01-01"):
        body = a_visit(alias, visited_on=day)
        first = await _record(client, director, body)
        again = await _record(client, director, body)
        assert (first.status_code, again.status_code) == (201, 200), first.text
        assert again.json() == first.json()
        told = first.json()
        assert (told["child_id"], told["region_code"]) == (alias, f"{VILLAGE}")
        assert (told["doubts"], told["permitted"]) == ([], [])
        assert str(child.id) not in first.text + str(first.headers)
        assert f"{OTHER_COUNTY_VILLAGE}" not in first.text
    async with database.begin(SYSTEM) as tx:
        stored = await tx.connection.fetch("SELECT child_id, visited_in FROM visits")
        audited = await tx.connection.fetch(
            "SELECT child_ids FROM audit_entries WHERE operation = 'recordVisit'"
            " ORDER BY id DESC LIMIT 4"
        )
    assert {row["child_id"] for row in stored} == {child.id}
    assert OTHER_COUNTY_VILLAGE in {row["visited_in"] for row in stored}
    assert {*audited[0]["child_ids"]} == {child.id}, "the audit says whose file it is"
