"""A file that must be kept and not used is stored and nothing else (PIP-47)."""

from datetime import date
from uuid import UUID

import pytest

from app.access.roles import roles
from app.children import rederiving
from app.core.data.db import SYSTEM, Reach
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.children.factories import RESIDENT_ID
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, rows
from tests.rights.factories import (
    a_filed_child,
    answered,
    answered_by_two,
    asked,
    post,
    problem,
    shown,
)
from tests.visits.factories import a_visit


@pytest.fixture
async def child_id(client, offices):
    return await a_filed_child(client, offices.village)


@pytest.fixture
def erased(client, database, settings, offices):
    """Have an erasure answered: by one alone, as far as they may, else by two."""

    async def answer(child_id, **said):
        request = await asked(client, offices.village, child_id, kind="erasure")
        said = said or {"outcome": "refused", "reason": "kept_by_law"}
        alone = await answered(client, offices.township, request, **said)
        if alone.status_code == 200:
            assert alone.json()["restricted_at"] is None, "nobody does that alone"
            return alone.json()
        assert problem(alone) == (403, "approval-required")
        by_two = (client, database, settings, offices.township, request)
        answer = await answered_by_two(*by_two, **said)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return answer


async def _seen(client, caller, child_id):
    """Everywhere a file may show, how many times it does."""
    search = {"resident_id": RESIDENT_ID}
    counts = {
        "list": len((await shown(client, caller, "/children"))["items"]),
        "search": len((await post(client, caller, "/children/search", search)).json()["items"]),
        "name": len(
            (await post(client, caller, "/children/search", {"name": "样小一"})).json()["items"]
        ),
        "count": (await shown(client, caller, "/children/summary"))["files"],
        "visits": len((await shown(client, caller, "/visits"))["items"]),
        "duties": len((await shown(client, caller, "/duties?rule=VIS-01&state=open"))["items"]),
    }
    read = await client.get(f"/v1/children/{child_id}", headers=caller.headers)
    trial = {"parameter": "lbc.age_limit", "region_code": str(COUNTY), "value": 14}
    tried = await post(client, caller, "/children/policy-trials", trial)
    return {**counts, "read": read.status_code, "tried": tried.json()["files"]}


SHOWN = {"list": 1, "search": 1, "name": 1, "count": 1, "visits": 1, "duties": 1, "read": 200}
GONE = {**dict.fromkeys(SHOWN, 0), "read": 404}


async def test_what_is_kept_by_law_alone_is_nowhere_and_comes_back(
    client, database, offices, child_id, erased
) -> None:
    await post(client, offices.village, "/visits", a_visit(child_id, visited_on="2026-09-01"))
    await run_jobs(database)
    for caller in (offices.village, offices.township, offices.county):
        assert await _seen(client, caller, child_id) == {**SHOWN, "tried": 1}
    request = await erased(child_id)
    assert request["restricted_at"] == "2026-11-20T02:00:00Z"
    assert request["permitted"] == ["liftRestriction"]
    await run_jobs(database)
    for caller in (offices.village, offices.township, offices.county):
        assert await _seen(client, caller, child_id) == {**GONE, "tried": 0}
    # Nothing of it is lost, and who answered still has the request.
    assert len(await rows(database, "visits")) == 1
    path = f"/rights-requests/{request['id']}"
    assert (await shown(client, offices.township, path))["id"] == request["id"]
    stale = await post(client, offices.township, f"{path}/restriction-end", None, '"1"')
    assert problem(stale) == (412, "precondition-failed")
    lifted = await post(
        client, offices.township, f"{path}/restriction-end", None, f'"{request["version"]}"'
    )
    assert lifted.status_code == 200, lifted.text
    assert lifted.json()["permitted"] == []
    await run_jobs(database)
    for caller in (offices.village, offices.township, offices.county):
        assert await _seen(client, caller, child_id) == {**SHOWN, "tried": 1}
    again = await post(
        client, offices.township, f"{path}/restriction-end", None, f'"{lifted.json()["version"]}"'
    )
    assert problem(again) == (409, "not-restricted")


async def test_who_uses_it_again_does_not_have_the_last_word(
    client, database, settings, offices, child_id, erased
) -> None:
    """Two let it be stored alone, as a family was told; of one who undoes it, another is told."""
    request = await erased(child_id)
    path = f"/rights-requests/{request['id']}/restriction-end"
    done = await post(client, offices.township, path, None, f'"{request["version"]}"')
    assert done.status_code == 200, done.text
    [review] = (await shown(client, offices.county, "/reviews"))["items"]
    assert (review["operation"], review["role"]) == ("liftRestriction", "civil_affairs")
    assert review["region_code"] == str(VILLAGE)
    said = {"finding": "improper", "note": "合成记录:档案应仅予存储。"}
    place = f"/reviews/{review['id']}/finding"
    colleague = await a_caller(database, settings, "civil_affairs", COUNTY)
    assert (await post(client, colleague, place, said)).status_code == 200


async def test_the_database_hides_it_by_itself(client, database, offices, child_id, erased) -> None:
    await post(client, offices.village, "/visits", a_visit(child_id))
    await erased(child_id)
    async with database.begin(Reach(COUNTY, COUNTY + 10**6)) as tx:
        for table in ("children", "visits", "child_names", "resident_ids", "child_changes"):
            assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_new_rules_do_not_bring_it_back(client, database, offices, child_id, erased) -> None:
    await erased(child_id)
    async with database.begin(SYSTEM) as tx:
        await rederiving.rederive_file(tx, COUNTY, UUID(child_id))
    (child,) = await rows(database, "children")
    assert (child["categories"], child["region_code"]) == ([], 0)


@pytest.mark.parametrize(
    ("said", "restricted"),
    [
        ({"outcome": "granted"}, True),
        ({"outcome": "partly", "reason": "kept_by_law"}, True),
        ({"outcome": "refused", "reason": "needed_by_law"}, False),
        ({"outcome": "partly", "reason": "of_somebody_else"}, False),
    ],
)
async def test_what_a_duty_still_needs_goes_on(
    client, database, offices, child_id, erased, said, restricted
) -> None:
    request = await erased(child_id, **said)
    assert (request["restricted_at"] is not None) == restricted
    (child,) = await rows(database, "children")
    assert child["region_code"] == (0 if restricted else VILLAGE)


async def test_what_is_restricted_already_stays_so(client, offices, child_id, erased) -> None:
    second = await asked(client, offices.village, child_id, kind="erasure")
    await erased(child_id)
    said = {"outcome": "refused", "reason": "kept_by_law"}
    # The other request went out of sight with its file; whoever held it before finds it locked.
    assert problem(await answered(client, offices.township, second, **said)) == (
        404,
        "rights-request-not-found",
    )


async def test_who_keeps_copies_where_it_lay_lets_it_go(
    client, database, offices, child_id, erased
) -> None:
    await erased(child_id)
    async with database.begin(SYSTEM) as tx:
        left = await tx.connection.fetch(
            "SELECT subject_id, region_code FROM events WHERE wire_name = 'children.child_left'"
        )
    assert [tuple(each) for each in left] == [(UUID(child_id), VILLAGE)]


def test_nobody_holds_a_post_of_the_nation_that_sees_children() -> None:
    assert not [
        role.code
        for role in roles().values()
        if "nation" in role.levels and role.relation != "none"
    ]


async def test_it_comes_back_where_it_lay_by_the_code_of_now(
    client, database, offices, child_id, erased
) -> None:
    request = await erased(child_id)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, VILLAGE, VILLAGE + 9, date(2026, 11, 1))
    await run_jobs(database)
    path = f"/rights-requests/{request['id']}/restriction-end"
    lifted = await post(client, offices.township, path, None, f'"{request["version"]}"')
    assert lifted.status_code == 200, lifted.text
    (child,) = await rows(database, "children")
    assert child["region_code"] == VILLAGE + 9
