"""留守人数 (REG-08): how many there are, of those one may know of."""

from tests.access.factories import a_caller
from tests.children.conftest import COUNTY, OTHER_COUNTY_VILLAGE, SIBLING, TOWNSHIP, VILLAGE
from tests.children.factories import a_child

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
