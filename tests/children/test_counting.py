"""留守人数 (REG-08): how many there are, of those one may know of."""

from datetime import date

import pytest

from app.children import counting
from app.core.data.db import SYSTEM
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.children.conftest import COUNTY, OTHER_COUNTY_VILLAGE, SIBLING, TOWNSHIP, VILLAGE
from tests.children.factories import a_child
from tests.jobs import run_jobs

URL = "/v1/children/summary"


async def test_children_of_a_place_are_counted_by_category(
    client, database, settings, director, township
) -> None:
    left, poor = "left_behind", "difficulty.family"
    school = await a_caller(database, settings, "school", TOWNSHIP)
    for place, categories, fields in (
        (VILLAGE, [left], {"counted": [left]}),
        (VILLAGE, [left, poor], {"counted": [poor]}),
        (VILLAGE, [], {}),
        (SIBLING, [left], {"counted": [left], "school_id": school.agency_id}),
        (OTHER_COUNTY_VILLAGE, [left], {"counted": [left], "school_id": school.agency_id}),
    ):
        await a_child(database, place, categories=categories, **fields)

    async def counted(caller, **params):
        answer = await client.get(URL, params=params, headers=caller.headers)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        found = {each.pop("category"): tuple(each.values()) for each in said["categories"]}
        return said["region_code"], said["files"], found

    of_village = (f"{VILLAGE}", 3, {poor: (1, 1), left: (2, 1)})
    assert await counted(director) == of_village
    assert await counted(township) == (f"{TOWNSHIP}", 4, {poor: (1, 1), left: (3, 2)})
    assert await counted(township, region_code=f"{VILLAGE}") == of_village
    assert (await counted(director, region_code=f"{SIBLING}"))[1:] == (0, {}), "out of the remit"
    education = await a_caller(database, settings, "education_authority", COUNTY)
    assert await counted(education) == (f"{COUNTY}", 4, {}), "its role reads no categories"
    assert (await counted(school))[1:] == (2, {left: (2, 2)}), "its own pupils, wherever they live"
    where = {"region_code": f"{VILLAGE}"}
    hidden = await client.get(URL, params=where, headers=school.headers)
    assert (hidden.status_code, hidden.json()["type"]) == (403, "/problems/filter-forbidden")


@pytest.mark.parametrize("again", [False, True], ids=["not counted again yet", "counted again"])
async def test_a_county_with_another_code_is_added_up_once(
    client, database, settings, again
) -> None:
    new, province = 120120000000, 120000000000
    await a_child(database, VILLAGE)
    await a_child(database, OTHER_COUNTY_VILLAGE)
    async with database.begin(SYSTEM) as tx:
        for county in await counting.counties(tx):
            await counting.count_county(tx, county)
        await replace_region(tx, COUNTY, new, date(2026, 7, 1))
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        assert new in await counting.counties(tx)
        if again:
            await counting.count_county(tx, new)
    office = await a_caller(database, settings, "civil_affairs", province)
    said = (await client.get(URL, headers=office.headers)).json()
    assert (said["files"], said["as_of"] is None) == (2, False)
