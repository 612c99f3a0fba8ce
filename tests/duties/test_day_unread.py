"""A visit counts in the quarter of its day (VIS-01): in none, if that cannot be read."""

import pytest

from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.duties.test_clock_ahead import _nightly, _state
from tests.jobs import run_jobs
from tests.visits.factories import a_visit, something_wrong


async def _record(client, database, caller, **said) -> str:
    child = await a_child(database, VILLAGE, categories=["left_behind"])
    await _nightly(database)
    body = a_visit(child.id, **said)
    answer = await client.post("/v1/visits", json=body, headers=caller.headers)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    return body["id"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("2026年9月30日", "open"),
        ("2026-9-30", "open"),
        ("30/9/2026", "open"),
        ("0001-01-01", "open"),
        (None, "open"),
        ("2026年11月18日", "discharged"),
        ("20261118", "discharged"),
    ],
)
async def test_a_quarter_is_visited_by_a_visit_of_a_day_in_it(
    client, database, director, said, state
) -> None:
    await _record(client, database, director, visited_on=said)
    assert await _state(client, director) == state


@pytest.mark.parametrize("day", ["2026-11-18", "2026-11-20"], ids=["before", "when it came"])
async def test_once_its_day_is_said_it_counts(client, database, director, day) -> None:
    visit = await _record(client, database, director, visited_on="30/9/2026")
    corrections = [({"note": "在家"}, "open"), ({"visited_on": day}, "discharged")]
    for version, (changes, state) in enumerate([*corrections, ({"note": "好"}, "discharged")], 1):
        answer = await client.patch(
            f"/v1/visits/{visit}",
            json=changes,
            headers={**director.headers, "if-match": f'"{version}"'},
        )
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
        assert await _state(client, director) == state


@pytest.mark.parametrize(
    ("said", "state"), [("30/9/2026", "open"), ("2026-11-19", "discharged")], ids=["unread", "read"]
)
async def test_nobody_followed_a_finding_up_on_a_day_nobody_knows(
    client, database, director, said, state
) -> None:
    """VIS-03: followed up after the day on which something was wrong."""
    child = await a_child(database, VILLAGE)
    for visit in (
        a_visit(child.id, visited_on="2026-11-18", findings=[something_wrong()]),
        a_visit(
            child.id, visited_on=said, findings=[{"domain": "guardianship", "abnormal": False}]
        ),
    ):
        answer = await client.post("/v1/visits", json=visit, headers=director.headers)
        assert answer.status_code == 201, answer.text
    await run_jobs(database)
    owed = await client.get("/v1/duties", params={"rule": "VIS-03"}, headers=director.headers)
    assert [duty["state"] for duty in owed.json()["items"]] == [state]
