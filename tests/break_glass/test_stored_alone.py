"""A file that is stored and nothing else (PIP-47) is opened by no emergency, and no desk hears of
it; who restricted it lifts that.
"""

import pytest

from app.core.data.db import SYSTEM
from app.elsewhere.queries import MOST
from app.regions.rules import NATION
from tests.break_glass.conftest import ELSEWHERE
from tests.break_glass.factories import broken, file, opened, problem, seen, times_told
from tests.children.factories import a_child, moved
from tests.elsewhere.test_elsewhere import BY_NAME, BY_NUMBER, NOBODY, looked, looks, told
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, rows
from tests.rights.factories import answered, asked, post


async def _restricted(client, offices, child):
    request = await asked(client, offices.village, child, kind="erasure")
    said = {"outcome": "refused", "reason": "kept_by_law"}
    answer = await answered(client, offices.township, request, **said)
    assert answer.json()["restricted_at"] is not None, answer.text
    return answer.json()


async def _lifted(client, offices, request) -> None:
    path = f"/rights-requests/{request['id']}/restriction-end"
    answer = await post(client, offices.township, path, None, f'"{request["version"]}"')
    assert answer.status_code == 200, answer.text


async def test_no_emergency_opens_it_until_the_restriction_is_lifted(
    client, database, offices, child, doctor
) -> None:
    request = await _restricted(client, offices, child)
    for caller in (doctor, offices.township, offices.county):
        assert problem(await broken(client, caller, child)) == (404, "child-not-found")
    assert await rows(database, "break_glass") == []
    await _lifted(client, offices, request)
    glass = await opened(client, doctor, child)
    assert (await file(client, doctor, glass)).status_code == 200


async def test_what_is_open_shuts_with_the_file_and_is_reviewed_once_it_is_back(
    client, database, offices, child, doctor
) -> None:
    glass = await opened(client, doctor, child)
    assert (await file(client, doctor, glass)).status_code == 200
    request = await _restricted(client, offices, child)
    assert problem(await file(client, doctor, glass)) == (404, "child-not-found")
    await run_jobs(database)
    [own] = await seen(client, doctor)
    assert own["id"] == glass["id"], "what one did stays on one's own list"
    assert await seen(client, offices.county) == []
    await _lifted(client, offices, request)
    assert (await file(client, doctor, glass)).status_code == 200
    [waits] = await seen(client, offices.county)
    assert (waits["id"], waits["permitted"]) == (glass["id"], ["reviewBreakGlass"])
    assert await times_told(database, "break_glass.opened") == 1


@pytest.mark.parametrize("sought", [BY_NUMBER, BY_NAME], ids=["number", "name"])
async def test_a_desk_is_answered_as_of_a_child_nobody_knows(
    client, database, offices, child, doctor, queries, sought
) -> None:
    request = await _restricted(client, offices, child)
    answers = []
    for one in (NOBODY, sought):
        queries.statements.clear()
        answer = await looked(client, doctor, **one)
        said = {**answer.json(), "id": None}
        answers.append((answer.status_code, said, list(queries.statements)))
    assert answers[0] == answers[1]
    assert answers[1][1]["known"] is False
    look = answer.json()["id"]
    by_look = await broken(client, doctor, child, child_id=None, look_id=look)
    assert problem(by_look) == (404, "child-not-found")
    await run_jobs(database)
    assert await told(database) == []
    assert await looks(client, offices.county) == []
    async with database.begin(SYSTEM) as tx:
        kept = await tx.connection.fetch("SELECT child_id, region_code FROM looks_elsewhere")
    assert {tuple(row) for row in kept} == {(None, ELSEWHERE)}
    await _lifted(client, offices, request)
    assert (await looked(client, doctor, **sought)).json()["known"] is True


async def test_as_many_as_are_told_of_by_one_name_are_those_that_may_be_used(
    client, database, offices, doctor
) -> None:
    for _ in range(MOST):
        stored = await a_child(database, VILLAGE, name="样小一")
        await moved(database, stored.id, region_code=NATION)
    assert (await looked(client, doctor, **BY_NAME)).json()["known"] is False
    await a_child(database, VILLAGE, name="样小一")
    assert (await looked(client, doctor, **BY_NAME)).json()["known"] is True
