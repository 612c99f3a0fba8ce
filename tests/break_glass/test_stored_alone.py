"""A file that is stored and nothing else (PIP-47) opens in an emergency, marked and reviewed: a
child in danger comes first. No desk is told of it.
"""

import pytest

from app.core.data.db import SYSTEM
from app.elsewhere.queries import MOST
from app.regions.rules import NATION
from tests.access.factories import a_caller
from tests.break_glass.factories import broken, file, opened, problem, review, seen, urgent
from tests.children.factories import a_child, moved
from tests.elsewhere.test_elsewhere import BY_NAME, BY_NUMBER, NOBODY, looked, looks, told
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE
from tests.police_reports.test_owing import owed
from tests.rights.factories import answered_by_two, asked, post


@pytest.fixture
def restrict(client, database, settings, offices):
    async def put_away(child):
        request = await asked(client, offices.village, child, kind="erasure")
        said = {"outcome": "refused", "reason": "kept_by_law"}
        two = (client, database, settings, offices.township)
        answer = await answered_by_two(*two, request, **said)
        assert answer.json()["restricted_at"] is not None, answer.text
        return answer.json()

    return put_away


async def _lifted(client, offices, request) -> None:
    path = f"/rights-requests/{request['id']}/restriction-end"
    answer = await post(client, offices.township, path, None, f'"{request["version"]}"')
    assert answer.status_code == 200, answer.text


async def test_an_emergency_opens_it_marked_and_it_is_reviewed_where_it_lay(
    client, database, offices, child, doctor, restrict
) -> None:
    await restrict(child)
    await run_jobs(database)
    assert (await client.get(f"/v1/children/{child}", headers=urgent(doctor))).status_code == 403
    glass = await opened(client, doctor, child)
    assert (glass["stored_alone"], glass["region_code"]) == (True, str(VILLAGE))
    read = await file(client, doctor, glass)
    assert read.json()["identity"]["name"] == "样小一"
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        told = await tx.connection.fetchrow(
            "SELECT region_code, data -> 'stored_alone' AS marked FROM events"
            " WHERE wire_name = 'break_glass.opened'"
        )
    assert tuple(told) == (VILLAGE, True)
    for caller in (offices.village, offices.township, offices.county):
        assert (await client.get("/v1/children", headers=caller.headers)).json()["items"] == []
    [duty] = await owed(client, offices.county, "GOV-04.review")
    assert (duty["subject_id"], duty["region_code"]) == (glass["id"], str(VILLAGE))
    [waits] = await seen(client, offices.county)
    assert (waits["id"], waits["permitted"]) == (glass["id"], ["reviewBreakGlass"])
    assert (await review(client, offices.county, glass)).status_code == 200
    assert problem(await file(client, doctor, glass)) == (403, "glass-shut")


async def test_put_away_again_it_is_reviewed_where_it_lay_last(
    client, database, offices, child, doctor, restrict
) -> None:
    await _lifted(client, offices, await restrict(child))
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE rights_requests SET restricted_from = $1",
            offices.township.claims["region_code"],
        )
    await restrict(child)
    assert (await opened(client, doctor, child))["region_code"] == str(VILLAGE)


async def test_who_looked_after_it_opens_it_like_others_and_another_office_reviews(
    client, database, settings, offices, child, doctor, restrict
) -> None:
    city = await a_caller(database, settings, "civil_affairs", 120000000000)
    await restrict(child)
    glass = await opened(client, offices.county, child)
    assert problem(await review(client, offices.county, glass)) == (403, "opened-by-you")
    assert (await review(client, city, glass)).status_code == 200


async def test_what_is_open_stays_so_and_its_review_with_whom_it_was(
    client, database, offices, child, doctor, restrict
) -> None:
    glass = await opened(client, doctor, child)
    done = await opened(client, doctor, (await a_child(database, VILLAGE)).id)
    assert (await review(client, offices.county, done)).status_code == 200
    request = await restrict(child)
    await run_jobs(database)
    assert (await file(client, doctor, glass)).status_code == 200
    waits = [each for each in await seen(client, offices.county) if each["review"] is None]
    assert [(each["id"], each["permitted"]) for each in waits] == [
        (glass["id"], ["reviewBreakGlass"])
    ]
    assert waits[0]["stored_alone"] is False, "it was used when it was opened"
    assert (await review(client, offices.county, glass)).status_code == 200
    await _lifted(client, offices, request)
    assert len(await seen(client, offices.county)) == 2


@pytest.mark.parametrize("sought", [BY_NUMBER, BY_NAME], ids=["number", "name"])
async def test_a_desk_is_answered_as_of_a_child_nobody_knows(
    client, database, offices, child, doctor, queries, restrict, sought
) -> None:
    request = await restrict(child)
    answers = []
    for one in (NOBODY, sought):
        queries.statements.clear()
        answer = await looked(client, doctor, **one)
        said = {**answer.json(), "id": None}
        answers.append((answer.status_code, said, list(queries.statements)))
    assert answers[0] == answers[1]
    assert answers[1][1]["known"] is False
    await run_jobs(database)
    assert await told(database) == []
    assert await looks(client, offices.county) == []
    assert [each["known"] for each in await looks(client, doctor)] == [False, False]
    async with database.begin(SYSTEM) as tx:
        named = "SELECT count(*) FROM audit_children c JOIN audit_entries a ON a.id = c.entry_id"
        of_looks = f"{named} WHERE a.operation = 'lookElsewhere' AND c.child_ids <> '{{}}'"
        assert await tx.connection.fetchval(of_looks) == 0
    by_look = {"child_id": None, "look_id": answer.json()["id"]}
    glass = await opened(client, doctor, child, **by_look)
    assert (glass["child_id"], glass["stored_alone"]) == (child, True)
    await _lifted(client, offices, request)
    assert (await looked(client, doctor, **sought)).json()["known"] is True


async def test_as_many_as_are_told_of_by_one_name_are_those_that_may_be_used(
    client, database, offices, doctor
) -> None:
    for _ in range(MOST):
        stored = await a_child(database, VILLAGE, name="样小一")
        await moved(database, stored.id, region_code=NATION)
    unknown = (await looked(client, doctor, **BY_NAME)).json()
    assert unknown["known"] is False
    by_look = {"child_id": None, "look_id": unknown["id"]}
    none = await broken(client, doctor, stored.id, **by_look)
    assert problem(none) == (404, "child-not-found"), "of several, none is meant"
    await a_child(database, VILLAGE, name="样小一")
    assert (await looked(client, doctor, **BY_NAME)).json()["known"] is True
