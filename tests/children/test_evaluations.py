"""对委托监护人进行评估 (RSK-03): by whom, on what grounds, and that it is owed."""

import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs

GROUNDS = {"performance": "well", "life": "well", "education": "well", "health": "well"}
GOOD = {
    "evaluation": "good",
    "evaluated_on": "2026-11-19",
    "evaluated_by": "样板村儿童主任",
    "evaluation_grounds": {**GROUNDS, "notes": "三餐按时,作业有人看"},
}


async def _owed(client, caller) -> list[tuple[str, str]]:
    answer = await client.get("/v1/duties", params={"rule": "RSK-03"}, headers=caller.headers)
    return [(each["state"], each["period"]) for each in answer.json()["items"]]


@pytest.fixture
def patch(client, database):
    async def sent(caller, file, **guardianship):
        read = await client.get(f"/v1/children/{file['id']}", headers=caller.headers)
        answer = await client.patch(
            f"/v1/children/{file['id']}",
            json={"guardianship": guardianship},
            headers={**caller.headers, "if-match": read.headers["etag"]},
        )
        await run_jobs(database)
        return answer

    return sent


async def test_the_community_evaluates_each_guardian_a_child_is_entrusted_to(
    client, database, open_file, director, township, patch
) -> None:
    """各社区…对委托监护人进行评估. A word alone is none; nor is what another agency wrote."""
    with_mother = {**a_file(VILLAGE)["guardianship"], "kind": "parent", "evaluated_by": None}
    at_home = (await open_file(director, guardianship=with_mother)).json()
    await run_jobs(database)
    assert await _owed(client, director) == [], "a parent is no 委托监护人"
    owed = [("open", "2026")]
    await patch(director, at_home, kind="grandparents", evaluated_on="2026-11-19")
    for caller in (director, township):
        assert await _owed(client, caller) == owed
    unperformed = {**GOOD["evaluation_grounds"], "performance": None}
    for lacks in (
        {"evaluated_by": None},
        {"evaluation_grounds": None},
        {"evaluation_grounds": unperformed},
    ):
        await patch(director, at_home, **{**GOOD, **lacks})
        assert await _owed(client, director) == owed, lacks
    last_year = await patch(director, at_home, **{**GOOD, "evaluated_on": "2025-12-31"})
    assert await _owed(client, director) == owed
    done = await patch(director, at_home, **GOOD)
    assert await _owed(client, township) == [("discharged", "2026")]
    shown = done.json()["guardianship"]
    assert {name: shown[name] for name in GOOD} == {
        **GOOD,
        "evaluation_grounds": {**GOOD["evaluation_grounds"], "risks": []},
    }
    await patch(director, at_home, guardian={"name": "样老丁"})
    assert await _owed(client, director) == owed, "another guardian"
    await patch(township, at_home, **{**GOOD, "evaluated_on": "2026-11-20"})
    assert await _owed(client, director) == [("discharged", "2026")]
    log = await client.get(f"/v1/children/{at_home['id']}/history", headers=director.headers)
    days = [
        (entry["role"], change["before"], change["after"])
        for entry in log.json()["items"]
        for change in entry["changes"]
        if change["pointer"] == "/guardianship/evaluated_on"
    ]
    assert days[:2] == [
        ("township_supervisor", "2026-11-19", "2026-11-20"),
        ("village_director", "2025-12-31", "2026-11-19"),
    ], "what was evaluated before stays on record"
    assert last_year.status_code == 200


async def test_what_the_county_writes_evaluates_nobody(
    client, database, settings, open_file, director, patch
) -> None:
    file = (await open_file(director)).json()
    clerk = await a_caller(database, settings, "civil_affairs", VILLAGE // 10**6 * 10**6)
    await patch(clerk, file, **GOOD)
    assert await _owed(client, director) == [("open", "2026")]


@pytest.mark.parametrize(
    ("evaluation", "grounds", "fits"),
    [
        ("good", {}, True),
        ("good", {"education": "basic"}, False),  # 得到较好保障
        ("good", {"risks": ["deviance"]}, False),
        ("fair", {"life": "basic", "risks": ["psychological"]}, True),  # 基本保障…潜在风险
        ("fair", {"health": "not"}, False),
        ("fair", {"performance": "not"}, False),  # 能基本履行
        ("good", {"performance": "basic"}, False),  # 较好履行
        ("fair", {}, True),  # no better: the grounds may be those of the evaluation before
        ("poor", {}, True),
        ("poor", {"health": "not", "risks": ["dropout", "wandering"]}, True),  # 得不到有效保障
    ],
)
async def test_an_evaluation_is_no_better_than_its_grounds(
    open_file, director, evaluation, grounds, fits
) -> None:
    said = {**GOOD, "evaluation": evaluation, "evaluation_grounds": {**GROUNDS, **grounds}}
    answer = await open_file(director, guardianship={"kind": "grandparents", **said})
    assert answer.status_code == (201 if fits else 422), answer.text
    if not fits:
        assert answer.json()["errors"][0]["code"] == "evaluation_unfounded"
