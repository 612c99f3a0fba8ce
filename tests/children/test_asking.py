"""What a file does not say, somebody must ask: never silence (REG-03)."""

from datetime import timedelta

from app.children import derivation
from app.children.rules import policy_of
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.policy.queries import values
from tests.access.factories import renewed
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs

SHANXI = 140105101001


def _parents() -> list[dict[str, object]]:
    return a_file(VILLAGE)["family"]["parents"]


async def owed(client, caller) -> list[str]:
    params = {"rule": "REG-03.ask"}
    answer = await client.get("/v1/duties", params=params, headers=caller.headers)
    assert {duty["period"] for duty in answer.json()["items"]} <= {"2026Q4"}, "每季度"
    return [duty["state"] for duty in answer.json()["items"]]


async def test_a_file_that_leaves_a_category_open_is_asked_about(
    client, database, open_file, director
) -> None:
    """A mother away, of the father nothing known: undecided, with a duty to ask; never nothing."""
    family = a_file(VILLAGE)["family"]
    mother = [each for each in family["parents"] if each["role"] == "mother"]
    file = (await open_file(director, family={"parents": mother})).json()
    assert file["derived"]["undecided"] == ["left_behind"]
    await run_jobs(database)
    assert await owed(client, director) == ["open"]
    for undecided in ("left_behind", "orphan"):
        params = {"undecided": undecided}
        found = await client.get("/v1/children", params=params, headers=director.headers)
        listed = [each["id"] for each in found.json()["items"]]
        assert listed == ([file["id"]] if undecided == "left_behind" else [])

    why = await client.get(f"/v1/children/{file['id']}/reasons", headers=director.headers)
    (reason,) = why.json()["reasons"]
    assert (reason["result"], reason["holds"]) == ("left_behind", None)
    assert "family.father.statuses" in reason["facts"]
    assert "DEF-01" in reason["obligations"]

    answer = await client.patch(
        f"/v1/children/{file['id']}",
        json={"family": family},
        headers={**director.headers, "if-match": '"1"'},
    )
    assert answer.json()["derived"]["categories"] == ["left_behind"]
    await run_jobs(database)
    assert await owed(client, director) == ["discharged"]


async def test_whether_a_hardship_is_over_is_asked_from_its_review_on(
    client, database, settings, open_file, director, monkeypatch
) -> None:
    """DEF-14: 临时困境儿童…遭遇突发事件、意外伤害、重大疾病或其他特殊困难陷入困境的儿童."""
    monkeypatch.setattr(derivation, "policy_on", lambda _, on: policy_of(values(), SHANXI, on))
    hurt = {"kind": "accidental_injury", "since": "2026-11-01", "review_on": "2026-11-21"}
    at_home = [{**each, "statuses": [{"status": "at_home"}]} for each in _parents()]
    given = {"family": {"parents": at_home}, "welfare": {"poor": False, "hardships": [hurt]}}
    file = (await open_file(director, **given)).json()
    assert file["derived"]["categories"] == ["difficulty.temporary"]
    await run_jobs(database)
    assert await owed(client, director) == []

    tomorrow = database.clock() + timedelta(days=1)
    monkeypatch.setattr(database, "clock", lambda: tomorrow)
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.rederive", [{}])
    await run_jobs(database)
    director = renewed(database, settings, director)
    assert await owed(client, director) == ["open"]
    path, over = f"/v1/children/{file['id']}", {**hurt, "until": "2026-11-20"}
    why = (await client.get(f"{path}/reasons", headers=director.headers)).json()["reasons"]
    assert [(each["result"], each["facts"]) for each in why if each["holds"] is None] == [
        ("difficulty.temporary", ["welfare.hardships"])
    ]
    headers = {**director.headers, "if-match": '"1"'}
    answer = await client.patch(path, json={"welfare": {"hardships": [over]}}, headers=headers)
    found = answer.json()["derived"]
    assert (found["categories"], found["undecided"]) == ([], [])
    await run_jobs(database)
    assert await owed(client, director) == ["discharged"]
