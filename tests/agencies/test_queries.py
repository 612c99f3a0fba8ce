from datetime import date

from app.agencies import queries
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from tests.access.factories import an_agency
from tests.agencies.factories import a_holding, a_person, a_post

VILLAGE, TOWNSHIP, COUNTY = 120119101200, 120119101000, 120119000000
TODAY = date(2026, 11, 20)


class TestServing:
    async def test_the_nearest_comes_first(self, database, serving) -> None:
        county = await an_agency(database, "police", COUNTY)
        station = await an_agency(database, "police", TOWNSHIP)
        await an_agency(database, "police", TOWNSHIP + 1000)
        await an_agency(database, "education", TOWNSHIP)
        assert await serving("police", VILLAGE) == station
        assert await serving("police", 120119105001) == county
        assert await serving("police", 120101001000) is None

    async def test_one_that_is_suspect_or_inactive_is_passed_over(self, database, serving) -> None:
        county = await an_agency(database, "police", COUNTY)
        station = await an_agency(database, "police", TOWNSHIP)
        assert await serving("police", VILLAGE, excluding=[station]) == county
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", county)
        assert await serving("police", VILLAGE, excluding=[station]) is None

    async def test_all_that_serve_nearest_first(self, database) -> None:
        county = await an_agency(database, "police", COUNTY)
        station = await an_agency(database, "police", TOWNSHIP)
        education = await an_agency(database, "education", COUNTY)
        async with database.begin() as tx:
            found = await queries.all_serving(tx, ["police", "education"], VILLAGE)
        assert found == [("police", station), *sorted_by_id(county, education)]


async def test_names_leaves_out_the_unknown(database) -> None:
    station = await an_agency(database, "police", TOWNSHIP)
    async with database.begin() as tx:
        found = await queries.names(tx, [station, new_id()])
    assert found == {station: "测试机构 police 120119101000"}


async def test_holders_are_those_in_the_post_that_day_nearest_first(database) -> None:
    village = await a_post(database, "village_committee", VILLAGE, "village_director")
    above = await a_post(database, "village_committee", TOWNSHIP, "village_director")
    here, there, gone = [
        await a_person(database, post.agency_id) for post in (village, above, village)
    ]
    await a_holding(database, above, there, date(2020, 1, 1))
    await a_holding(database, village, here, date(2026, 11, 20))
    left = await a_holding(database, village, gone, date(2020, 1, 1))
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE post_holdings SET until = $2 WHERE id = $1", left.id, TODAY
        )
        today = await queries.holders(tx, "village_director", VILLAGE, TODAY)
        before = await queries.holders(tx, "village_director", VILLAGE, date(2026, 11, 19))
    assert today == [here, there]
    assert before == [gone, there]


def sorted_by_id(police, education):
    return sorted([("police", police), ("education", education)], key=lambda pair: pair[1])
