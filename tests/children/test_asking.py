"""What a file does not say, somebody must ask: never silence (REG-03)."""

from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs


async def owed(client, caller) -> list[str]:
    params = {"rule": "REG-03.ask"}
    answer = await client.get("/v1/duties", params=params, headers=caller.headers)
    assert {duty["period"] for duty in answer.json()["items"]} == {"2026Q4"}, "每季度"
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
