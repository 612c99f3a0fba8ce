"""A place keeps the school days it set when it gets another code, or joins another place."""

from datetime import date

from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.regions.operations import replace_region
from tests.regions.factories import some_regions

VILLAGE, TOWNSHIP, OTHER = 120119101200, 120119101000, 120119102000
SATURDAY, SUNDAY = date(2026, 11, 21), date(2026, 11, 22)


async def days(database: Database) -> list[tuple[int, date, bool]]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT region_code, day, is_school_day FROM school_calendar_days ORDER BY 1, 2"
        )
    return [tuple(row) for row in rows]


async def set_day(database: Database, place: int, day: date, *, is_school_day: bool) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO school_calendar_days (id, region_code, day, is_school_day, source)"
            " VALUES ($1, $2, $3, $4, 'test')",
            new_id(),
            place,
            day,
            is_school_day,
        )


async def test_days_go_along(database) -> None:
    await some_regions(database, VILLAGE)
    await set_day(database, TOWNSHIP, SATURDAY, is_school_day=True)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, TOWNSHIP, OTHER, date(2026, 7, 1))
    assert await days(database) == [(OTHER, SATURDAY, True)]


async def test_where_it_joins_another_that_ones_day_holds(database) -> None:
    await some_regions(database, TOWNSHIP, OTHER)
    await set_day(database, TOWNSHIP, SATURDAY, is_school_day=True)
    await set_day(database, TOWNSHIP, SUNDAY, is_school_day=True)
    await set_day(database, OTHER, SATURDAY, is_school_day=False)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, TOWNSHIP, OTHER, date(2026, 7, 1))
    joined = [each for each in await days(database) if each[0] == OTHER]
    assert joined == [(OTHER, SATURDAY, False), (OTHER, SUNDAY, True)]
