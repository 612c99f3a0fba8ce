"""一人一档、翔实完备 (REG-12): what a file lacks is listed, and the township owes it."""

from typing import Any

import pytest

from app.children.completeness import lacking
from app.children.sections import File
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs

WHOLE = {**a_file(VILLAGE), "welfare": {"poor": True, "income_sources": ["farming"]}}
GUARDIAN = WHOLE["guardianship"]["guardian"]


def _without(section: str, *fields: str) -> dict[str, Any]:
    return {section: {k: v for k, v in WHOLE[section].items() if k not in fields}}


@pytest.mark.parametrize(
    ("sections", "lacks"),
    [
        ({}, []),
        ({"health": {}}, ["health.status"]),
        ({"welfare": {}}, ["welfare.poor", "welfare.income_sources"]),
        ({"education": {}}, ["education.status", "education.stage"]),
        ({"guardianship": {}}, ["guardianship.kind", "guardianship.guardian"]),
        (
            {"guardianship": {"kind": "relatives", "guardian": {**GUARDIAN, "phone": None}}},
            ["guardianship.guardian"],
        ),
        ({"guardianship": {"kind": "parent"}}, []),
        ({"family": {"parents": WHOLE["family"]["parents"][:1]}}, ["family.mother"]),
        ({"family": {"parents": [{"role": "mother"}]}}, ["family.father", "family.mother"]),
        ({"hukou": {}}, ["hukou.registered", "hukou.region_code"]),
        ({"hukou": {"registered": False}}, []),
        (_without("residence", "address"), ["residence.address"]),
        (_without("residence", "lives_with"), ["residence.lives_with"]),
        (_without("identity", "resident_id"), ["identity.resident_id"]),
    ],
    ids=str,
)
def test_what_each_file_is_to_say(sections: dict[str, Any], lacks: list[str]) -> None:
    assert [*lacking(File.model_validate({**WHOLE, **sections}), 10)] == lacks


def test_who_is_too_young_for_school_is_not_asked_about_it() -> None:
    assert lacking(File.model_validate({**WHOLE, "education": {}}), 5) == ()


async def _owed(client, caller) -> list[tuple[str, str, str]]:
    params = {"rule": "REG-12.complete"}
    answer = await client.get("/v1/duties", params=params, headers=caller.headers)
    return [
        (each["state"], each["period"], each["bearer"]["role"]) for each in answer.json()["items"]
    ]


async def test_the_township_owes_a_whole_file_of_a_child_in_difficulty(
    client, database, open_file, director, township
) -> None:
    """乡镇…负责民政工作的机构要建立…翔实完备…的困境儿童信息库."""
    left_behind = (await open_file(director)).json()
    assert left_behind["derived"]["lacking"] == ["welfare.income_sources"]
    await run_jobs(database)
    assert await _owed(client, township) == [], "no child in difficulty"
    poor = {"poor": True}
    identity = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": None}
    file = (await open_file(director, welfare=poor, identity=identity)).json()
    assert "difficulty.family" in file["derived"]["categories"]
    lacks = ["identity.resident_id", "welfare.income_sources"]
    assert file["derived"]["lacking"] == lacks
    listed = await client.get("/v1/children", headers=township.headers)
    assert lacks in [each["derived"]["lacking"] for each in listed.json()["items"]]
    await run_jobs(database)
    assert await _owed(client, township) == [("open", "2026Q4", "township_supervisor")]
    for version, (change, state) in enumerate(
        [
            ({"welfare": {"income_sources": ["farming"]}}, "open"),
            ({"identity": {"no_resident_id_reason": "not_issued"}}, "discharged"),
        ],
        start=1,
    ):
        answer = await client.patch(
            f"/v1/children/{file['id']}",
            json=change,
            headers={**township.headers, "if-match": f'"{version}"'},
        )
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
        assert [each[0] for each in await _owed(client, director)] == [state]
