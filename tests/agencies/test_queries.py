from datetime import date

from app.agencies import queries
from app.core.data.db import SYSTEM
from tests.access.factories import an_agency
from tests.regions.factories import some_regions

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

    async def test_one_that_is_inactive_is_passed_over(self, database, serving) -> None:
        county = await an_agency(database, "police", COUNTY)
        station = await an_agency(database, "police", TOWNSHIP)
        for nearest, next_one in ((station, county), (county, None)):
            async with database.begin(SYSTEM) as tx:
                await tx.connection.execute(
                    "UPDATE agencies SET active = false WHERE id = $1", nearest
                )
            assert await serving("police", VILLAGE) == next_one


async def test_the_same_agency_is_one_that_is_there(database) -> None:
    """What was closed is not registered again by its name: another takes its place."""
    closed = await an_agency(database, "police", TOWNSHIP)
    await some_regions(database, TOWNSHIP)
    async with database.begin(SYSTEM) as tx:
        name = await tx.connection.fetchval("SELECT name FROM agencies WHERE id = $1", closed)
        same = ("police", f" {name} ", TOWNSHIP)
        assert await queries.find_same(tx, *same) == closed
        await tx.connection.execute("UPDATE agencies SET active = false WHERE id = $1", closed)
        assert await queries.find_same(tx, *same) is None
