"""A file is held with the county that opened it, wherever its child lives."""

from app.children import queries
from app.core.data.db import SYSTEM
from tests.children.conftest import OTHER_COUNTY_VILLAGE, VILLAGE
from tests.children.factories import a_child, everywhere, moved

COUNTY = VILLAGE // 10**6 * 10**6
OTHER_COUNTY = OTHER_COUNTY_VILLAGE // 10**6 * 10**6


def test_a_remit_within_a_county_lies_in_that() -> None:
    assert queries.own_county(everywhere(VILLAGE, VILLAGE + 1)) == COUNTY
    assert queries.own_county(everywhere(COUNTY, COUNTY + 10**6)) == COUNTY
    assert queries.own_county(everywhere(COUNTY, COUNTY + 10**8)) is None
    assert queries.own_county(everywhere()) is None


async def test_who_lives_where_the_file_was_opened_is_held_in_one_statement(
    database, child
) -> None:
    async with database.begin(SYSTEM) as tx:
        ours = everywhere(COUNTY, COUNTY + 10**6)
        assert await queries.find_many(tx, ours, [child.id]) == {child.id: child}


async def test_who_came_from_another_county_is_held_there(database, request) -> None:
    here = await a_child(database, VILLAGE)
    from_elsewhere = await a_child(database, OTHER_COUNTY_VILLAGE)
    await moved(database, from_elsewhere.id, region_code=VILLAGE)
    ids = {here.id, from_elsewhere.id}
    sent = request.getfixturevalue("queries")  # here the name is that of the module
    for reach in (everywhere(COUNTY, COUNTY + 10**6), everywhere()):
        sent.clear()
        async with database.begin(SYSTEM) as tx:
            found = await queries.find_many(tx, reach, ids)
        assert {(each.id, each.home_county) for each in found.values()} == {
            (here.id, COUNTY),
            (from_elsewhere.id, OTHER_COUNTY),
        }
        assert len(sent) == 3, sent.statements
    async with database.begin(SYSTEM) as tx:
        assert (await queries.hold(tx, list(ids))).keys() == ids
        assert await queries.hold(tx, []) == {}
        there = everywhere(OTHER_COUNTY, OTHER_COUNTY + 10**6)
        assert await queries.find_many(tx, there, ids) == {}
