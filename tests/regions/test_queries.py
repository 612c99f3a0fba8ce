from datetime import date

from app.core.data.db import Tx
from app.regions import queries
from app.regions.models import Region
from tests.regions.factories import some_regions

TODAY = date(2026, 11, 20)
VILLAGE = 120119101200
TOWNSHIP = 120119101000


async def test_knows_a_division_and_all_above_it(database) -> None:
    await some_regions(database, VILLAGE)
    async with database.begin() as tx:
        known = await queries.known(tx, [VILLAGE, TOWNSHIP, 120119999000], TODAY)
    assert known == {VILLAGE, TOWNSHIP}


async def test_a_code_is_known_through_its_last_day_and_not_after(tx: Tx) -> None:
    add_period(tx, VILLAGE, until=date(2025, 12, 31))
    await tx.flush()
    assert await queries.known(tx, [VILLAGE], date(2025, 12, 31)) == {VILLAGE}
    assert await queries.known(tx, [VILLAGE], date(2026, 1, 1)) == set()


async def test_current_follows_successors_to_the_end(tx: Tx) -> None:
    add_period(tx, 120119101001, until=date(2024, 12, 31), successor=120119101002)
    add_period(tx, 120119101002, until=date(2025, 12, 31), successor=120119101003)
    add_period(tx, 120119101003)
    await tx.flush()
    assert await queries.current(tx, 120119101001, TODAY) == 120119101003
    assert await queries.current(tx, 120119101001, date(2025, 6, 1)) == 120119101002
    assert await queries.current(tx, 120119101001, date(2024, 6, 1)) == 120119101001
    assert await queries.current(tx, 120119101003, TODAY) == 120119101003


async def test_current_is_nothing_for_an_unknown_or_abolished_code(tx: Tx) -> None:
    add_period(tx, 120119101001, until=date(2024, 12, 31))
    await tx.flush()
    assert await queries.current(tx, 120119101001, TODAY) is None
    assert await queries.current(tx, 120119101009, TODAY) is None


def add_period(
    tx: Tx, code: int, *, until: date | None = None, successor: int | None = None
) -> None:
    tx.session.add(
        Region(
            code=code,
            name="测试村",
            level="village",
            parent_code=TOWNSHIP,
            valid_until=until,
            successor_code=successor,
            source="test",
        )
    )
