"""What a file holds (REG-10), what it lacks, and that the township owes that (REG-12: 翔实完备)."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.children.completeness import completion, lacking, of_school_age
from app.children.day import Day
from app.children.sections import File
from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.children.factories import a_file, says
from tests.conftest import VILLAGE
from tests.jobs import run_jobs

WHOLE = {**a_file(VILLAGE), "welfare": {"poor": True, "income_sources": ["farming"]}}
GUARDIAN = WHOLE["guardianship"]["guardian"]


CHILD = UUID(int=7)
UNKNOWN = [{"role": role, "statuses": [{"status": "unknown"}]} for role in ("father", "mother")]


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
            {"guardianship": {"kind": "relatives", "guardian": {**GUARDIAN, "name": None}}},
            ["guardianship.guardian"],
        ),
        ({"guardianship": {"kind": "relatives", "guardian": {**GUARDIAN, "phone": None}}}, []),
        ({"guardianship": {"kind": "parent"}}, []),
        ({"family": {"parents": WHOLE["family"]["parents"][:1]}}, ["family.mother"]),
        ({"family": {"parents": [{"role": "mother"}]}}, ["family.father", "family.mother"]),
        ({"family": {"parents": UNKNOWN}}, ["family.father", "family.mother"]),
        ({"hukou": {}}, ["hukou.registered", "hukou.region_code"]),
        ({"hukou": {"registered": False}}, []),
        (_without("residence", "address"), ["residence.address"]),
        (_without("residence", "lives_with"), ["residence.lives_with"]),
        (_without("identity", "resident_id"), ["identity.resident_id"]),
    ],
    ids=str,
)
def test_what_each_file_is_to_say(sections: dict[str, Any], lacks: list[str]) -> None:
    file = File.model_validate({**WHOLE, **sections})
    assert [*lacking(file, at_school_age=True)] == lacks


def test_who_is_too_young_for_school_is_not_asked_about_it() -> None:
    file = File.model_validate({**WHOLE, "education": {}})
    assert lacking(file, at_school_age=False) == ()
    sixth = date(2022, 3, 1)
    assert [of_school_age(date(2016, 3, 1), Day(sixth - timedelta(days=n))) for n in (1, 0)] == [
        False,
        True,
    ]


def test_what_was_completed_is_of_its_quarter() -> None:
    """Emptied in a later one, that one is asked for, and the earlier stays done."""
    quarter = {completion(CHILD, day) for day in (date(2026, 10, 1), date(2026, 12, 31))}
    assert len(quarter) == 1
    assert completion(CHILD, date(2026, 9, 30)) not in quarter
    assert completion(CHILD, date(2025, 10, 1)) not in quarter


async def test_holds_what_the_form_collects(open_file, database, director) -> None:
    """REG-10: 本人基本信息、父母及監護人信息、家庭經濟狀況、學習情況、健康狀況. And sealed."""
    filled = a_file(VILLAGE)
    for parent in filled["family"]["parents"]:
        parent |= {"birth_date": "1984-02-29", "phone": "+86 10 5550 0102"}
        parent |= {"work_place": "样板工地", "work_region": "440300000000"}
    filled["guardianship"]["guardian"] |= {"birth_date": "1951-10-01", "address": "样板坡1号"}
    income = {"yearly_income": 18765, "members": 5, "income_sources": ["migrant_work"]}
    filled["welfare"] |= {**income, "aids": ["样品补助"]}
    filled["education"] |= {
        "grade": 4,
        "class_name": "四年级1班",
        "boarding": False,
        "results": [
            {"on": "2026-07-03", "subject": "mathematics", "points": 61, "out_of": 100},
            {"on": "2026-07-03", "subject": "overall", "mark": "pass"},
        ],
    }
    filled["health"] |= {"status": "chronic", "illness": "样品病"}
    answer = await open_file(director, **filled)
    assert answer.status_code == 201, answer.text
    assert says(answer.json(), filled)
    async with database.begin(SYSTEM) as tx:
        dump = str([*(await tx.connection.fetchrow("SELECT * FROM children"))])
    told = ("18765", "mathematics", "样品病", "1984-02-29", "1951-10-01", "样板坡")
    assert [each for each in told if each in dump] == []


async def test_the_village_collects_it_household_by_household(
    client, database, open_file, director, township
) -> None:
    """REG-10: 社區(村)以轄區為單位,逐戶排查登記 … 確保信息全面準確; REG-08: who keeps it."""
    lacks = ["guardianship.kind", "guardianship.guardian", "education.stage", "welfare.poor"]
    education = {**a_file(VILLAGE)["education"], "stage": None}
    income = {"income_sources": ["farming"]}
    file = (await open_file(director, guardianship={}, education=education, welfare=income)).json()
    assert file["derived"]["lacking"] == lacks
    home = {"statuses": [{"status": "at_home", "since": "2020-01-01"}]}
    parents = [{"role": role, **home} for role in ("father", "mother")]
    poor = {"family": {"parents": parents}, "welfare": {"poor": True}}
    for number, sections in ((2, {"welfare": {**income, "poor": False}}), (3, poor)):
        identity = {**a_file(VILLAGE)["identity"], "name": f"样小{number}", "resident_id": None}
        if number == 2:
            identity["no_resident_id_reason"] = "not_issued"
        other = (await open_file(director, identity=identity, **sections)).json()
        category = "left_behind" if number == 2 else "difficulty.family"
        assert other["derived"]["categories"] == [category]
        assert bool(other["derived"]["lacking"]) is (number == 3)
    await run_jobs(database)

    async def owed() -> list[tuple[str, ...]]:
        answers = [
            await client.get("/v1/duties", params={"rule": "REG-10"}, headers=who.headers)
            for who in (director, township)
        ]
        first, second = ([*answer.json()["items"]] for answer in answers)
        assert [each["id"] for each in first] == [each["id"] for each in second]
        about = ("child_id", "state", "period", "due_at")
        return [(*(each[name] for name in about), each["bearer"]["role"]) for each in first]

    due = ("2026Q4", "2026-12-31T16:00:00Z", "village_director")
    assert await owed() == [(file["id"], "open", *due)], "of whole files, and of others, nothing"
    for version, (section, change, state) in enumerate(
        [
            ("guardianship", a_file(VILLAGE)["guardianship"], "open"),
            ("education", {"stage": "primary"}, "open"),
            ("welfare", {"poor": False}, "discharged"),
            ("health", {"status": None}, "open"),  # emptied again
        ],
        start=1,
    ):
        headers = {**director.headers, "if-match": f'"{version}"'}
        url = f"/v1/children/{file['id']}"
        answer = await client.patch(url, json={section: change}, headers=headers)
        assert answer.status_code == 200, answer.text
        await run_jobs(database)
        assert await owed() == [(file["id"], state, *due)]


async def _owed(client, caller) -> list[tuple[str, str, str]]:
    params = {"rule": "REG-12.complete"}
    answer = await client.get("/v1/duties", params=params, headers=caller.headers)
    return [
        (each["state"], each["period"], each["bearer"]["role"]) for each in answer.json()["items"]
    ]


async def test_the_township_owes_a_whole_file_of_a_child_in_difficulty(
    client, database, settings, open_file, director, township
) -> None:
    """乡镇…负责民政工作的机构要建立…翔实完备…的困境儿童信息库."""
    left_behind = (await open_file(director)).json()
    assert left_behind["derived"]["lacking"] == ["welfare.income_sources"]
    poor = {"poor": True}
    unnumbered = {"resident_id": None, "no_resident_id_reason": "not_issued"}
    identity = {**a_file(VILLAGE)["identity"], "name": "样小三", **unnumbered}
    whole = {**poor, "income_sources": ["farming"]}
    complete = (await open_file(director, welfare=whole, identity=identity)).json()
    assert "difficulty.family" in complete["derived"]["categories"]
    await run_jobs(database)
    assert await _owed(client, township) == [], "no child in difficulty; nothing lacking"
    identity = {**a_file(VILLAGE)["identity"], "name": "样小二", "resident_id": None}
    file = (await open_file(director, welfare=poor, identity=identity)).json()
    assert "difficulty.family" in file["derived"]["categories"]
    lacks = ["identity.resident_id", "welfare.income_sources"]
    assert file["derived"]["lacking"] == lacks
    listed = await client.get("/v1/children", headers=township.headers)
    assert lacks in [each["derived"]["lacking"] for each in listed.json()["items"]]
    await run_jobs(database)
    assert await _owed(client, township) == [("open", "2026Q4", "township_supervisor")]
    county = await a_caller(database, settings, "civil_affairs", VILLAGE // 10**6 * 10**6)
    for who, may in ((township, []), (county, ["proposeWaiver"])):  # what a family does not say
        params = {"rule": "REG-12.complete"}
        (duty,) = (await client.get("/v1/duties", params=params, headers=who.headers)).json()[
            "items"
        ]
        assert duty["permitted"] == may
    for version, (change, state) in enumerate(
        [
            ({"welfare": {"income_sources": ["farming"]}}, "open"),
            ({"identity": {"no_resident_id_reason": "not_issued"}}, "discharged"),
            ({"welfare": {"income_sources": []}}, "open"),  # emptied again
            ({"welfare": {"income_sources": ["farming"]}}, "discharged"),
            ({"health": {"status": None}}, "open"),
            ({"health": {"status": "healthy"}}, "discharged"),
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
