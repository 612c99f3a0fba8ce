"""Who stayed in the countryside that both parents left, where policy asks for that (DEF-04)."""

from typing import Any

from app.children import derivation
from app.children.rules import policy_of
from scripts.families import VALUES
from tests.children.conftest import SIBLING, VILLAGE
from tests.children.factories import a_file
from tests.children.test_asking import owed
from tests.jobs import run_jobs

MASKED = 120101001000  # the district whose name its source masks (DEMO)


async def test_whether_its_place_is_rural_and_whether_it_stayed_is_asked_and_then_told(
    client, database, open_file, township, director, monkeypatch
) -> None:
    """父母双方从农村居住地流动到其它地区3个月以上,自己留在农村居住地不能和父母双方共同生活."""
    monkeypatch.setattr(derivation, "policy_on", lambda _, on: policy_of(VALUES, MASKED, on))
    family = a_file(VILLAGE)["family"]
    for each in family["parents"]:
        each["work_region"] = "440300000000"
    hukou = {"registered": True, "type": "urban"}
    file = (await open_file(director, family=family, hukou=hukou)).json()
    url = f"/v1/children/{file['id']}"

    async def changed(version: int, **residence: Any) -> tuple[list[str], list[str]]:
        headers = {**township.headers, "if-match": f'"{version}"'}
        answer = await client.patch(url, json={"residence": residence}, headers=headers)
        assert answer.status_code == 200, answer.text
        found = answer.json()["derived"]
        return found["categories"], found["undecided"]

    assert (file["derived"]["categories"], file["derived"]["undecided"]) == ([], ["left_behind"])
    await run_jobs(database)
    assert await owed(client, director) == ["open"]
    why = await client.get(f"{url}/reasons", headers=director.headers)
    (reason,) = why.json()["reasons"]
    assert reason["facts"] == ["residence.rural_place", "residence.rural_since"]

    assert await changed(1, rural_place=True) == ([], ["left_behind"])
    assert await changed(2, rural_since="2016-03-01") == (["left_behind"], [])
    await run_jobs(database)
    assert await owed(client, director) == ["discharged"]
    assert await changed(3, rural_since="2020-01-02") == ([], []), "after its parents left"
    assert await changed(4, rural_place=False, rural_since="2016-03-01") == ([], []), "in a town"
    # Of another place it is asked anew, unless it is said with it.
    assert await changed(5, region_code=str(SIBLING)) == ([], ["left_behind"])
    there = {"rural_place": True, "rural_since": "2016-03-01"}
    assert await changed(6, region_code=str(VILLAGE), **there) == (["left_behind"], [])
