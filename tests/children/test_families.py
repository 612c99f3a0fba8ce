"""Every family of the table has what its sentence says, and no more."""

import pytest

from scripts.families import Family, families
from tests.access.factories import a_caller
from tests.children.conftest import COUNTY

FAMILIES = families()


def test_they_are_many_and_of_many_places() -> None:
    assert len(FAMILIES) >= 80
    assert len({family.region for family in FAMILIES}) >= 4


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f"{f.region}: {f.says} [{f.source}]")
def test_what_follows_is_what_the_sentence_says(family: Family) -> None:
    found, then = family.derived(), family.then
    assert {
        "categories": set(found.categories),
        "flags": set(found.priority_flags),
        "undecided": set(found.undecided),
        "uncounted": set(found.categories) - set(found.counted),
    } == {key: set(then.get(key, ())) for key in ("categories", "flags", "undecided", "uncounted")}


async def test_an_adoption_is_known_to_who_registers_it_alone(
    client, database, settings, open_file, director
) -> None:
    """民法典 1110: what adopters and givers want kept secret nobody may tell."""
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    file = (await open_file(director)).json()
    dead = [{"role": role, "statuses": [{"status": "dead"}]} for role in ("father", "mother")]
    adoption = {"adopted_on": "2022-05-01", "adopted_by": "two", "birth_parents": dead}
    path = f"/v1/children/{file['id']}"
    changed = await client.patch(
        path, json={"adoption": adoption}, headers={**county.headers, "if-match": '"1"'}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["adoption"].items() >= {"adopted_by": "two"}.items()
    assert changed.json()["derived"]["categories"] == ["left_behind"], "no orphan"
    for where in (path, f"{path}/history", f"{path}/reasons"):
        told = (await client.get(where, headers=county.headers)).text
        hidden = (await client.get(where, headers=director.headers)).text
        assert ("dead" in told) is ("reasons" not in where)
        assert not any(word in hidden for word in ("dead", "adopted"))
    refused = await client.patch(
        path, json={"adoption": {}}, headers={**director.headers, "if-match": '"2"'}
    )
    assert refused.status_code == 403
