from datetime import date

import pytest

from app.core.data.db import Tx
from app.regions import queries as regions
from app.regions import rules
from app.regions.models import Region
from tests.regions.factories import some_regions

TODAY = date(2026, 11, 20)
VILLAGE = 120119101200
TOWNSHIP = 120119101000
COUNTY = 120119000000
OLD_END = date(2016, 12, 31)


async def test_knows_a_division_and_all_above_it(database) -> None:
    await some_regions(database, VILLAGE)
    async with database.begin() as tx:
        stands = await regions.current_of(tx, [VILLAGE, TOWNSHIP, 120119999000], TODAY)
    assert stands == {VILLAGE: VILLAGE, TOWNSHIP: TOWNSHIP}


async def test_a_code_is_known_through_its_last_day_and_not_after(tx: Tx) -> None:
    add_period(tx, VILLAGE, until=date(2025, 12, 31))
    await tx.flush()
    assert await regions.current(tx, VILLAGE, date(2025, 12, 31)) == VILLAGE
    assert await regions.current(tx, VILLAGE, date(2026, 1, 1)) is None


async def test_current_follows_successors_to_the_end(tx: Tx) -> None:
    add_period(tx, 120119101001, until=date(2024, 12, 31), successor=120119101002)
    add_period(tx, 120119101002, until=date(2025, 12, 31), successor=120119101003)
    add_period(tx, 120119101003)
    await tx.flush()
    assert await regions.current(tx, 120119101001, TODAY) == 120119101003
    assert await regions.current(tx, 120119101001, date(2025, 6, 1)) == 120119101002
    assert await regions.current(tx, 120119101001, date(2024, 6, 1)) == 120119101001
    assert await regions.current(tx, 120119101003, TODAY) == 120119101003


async def test_current_is_nothing_for_an_unknown_or_abolished_code(tx: Tx) -> None:
    add_period(tx, 120119101001, until=date(2024, 12, 31))
    await tx.flush()
    assert await regions.current(tx, 120119101001, TODAY) is None
    assert await regions.current(tx, 120119101009, TODAY) is None


class TestBelowAReplacedPlace:
    """A county that has another code since 2017; the table knows none of its old villages."""

    async def test_the_same_last_digits_lie_below_the_successor(self, tx: Tx) -> None:
        add_period(tx, 120225000000, until=OLD_END, successor=COUNTY, succession="whole")
        for code in (COUNTY, TOWNSHIP, VILLAGE):
            add_period(tx, code)
        await tx.flush()
        assert await regions.current_of(
            tx, [120225000000, 120225101000, 120225101200, 120225101999, 120225999000], TODAY
        ) == {
            120225000000: COUNTY,
            120225101000: TOWNSHIP,
            120225101200: VILLAGE,
            120225101999: COUNTY,
            120225999000: COUNTY,
        }

    async def test_a_township_that_is_known_leads_better_than_its_county(self, tx: Tx) -> None:
        add_period(tx, 120225000000, until=OLD_END, successor=COUNTY, succession="split")
        add_period(tx, 120225105000, until=OLD_END, successor=TOWNSHIP, succession="whole")
        for code in (COUNTY, TOWNSHIP, VILLAGE):
            add_period(tx, code)
        await tx.flush()
        assert await regions.current(tx, 120225105200, TODAY) == VILLAGE
        assert await regions.current(tx, 120225105201, TODAY) == TOWNSHIP

    @pytest.mark.parametrize("succession", ["merged", "split"])
    async def test_last_digits_say_nothing_where_the_whole_did_not_move(
        self, tx: Tx, succession: str
    ) -> None:
        add_period(tx, 120225000000, until=OLD_END, successor=COUNTY, succession=succession)
        for code in (COUNTY, TOWNSHIP):
            add_period(tx, code)
        await tx.flush()
        assert await regions.current(tx, 120225101000, TODAY) == COUNTY

    async def test_nor_once_it_was_split_though_a_part_moved_whole_since(self, tx: Tx) -> None:
        """Of which part a place below was nobody knows, whatever became of the part."""
        add_period(tx, 120225000000, until=OLD_END, successor=120226000000, succession="split")
        part_until = date(2024, 12, 31)
        add_period(tx, 120226000000, until=part_until, successor=COUNTY, succession="whole")
        for code in (COUNTY, TOWNSHIP):
            add_period(tx, code)
        await tx.flush()
        assert await regions.current(tx, 120225101000, TODAY) == COUNTY
        assert await regions.current(tx, 120226101000, TODAY) == TOWNSHIP

    async def test_a_code_that_never_was_below_a_place_in_force_is_nothing(self, tx: Tx) -> None:
        for code in (COUNTY, TOWNSHIP):
            add_period(tx, code)
        await tx.flush()
        unknown = [120119102000, 120119101001, 990101000000, 0]
        assert await regions.current_of(tx, unknown, TODAY) == {}


async def test_codes_that_hold_cost_one_look_up(database, queries) -> None:
    """Nobody asks what took their place."""
    await some_regions(database, VILLAGE, VILLAGE + 1)
    queries.clear()
    async with database.begin() as tx:
        assert await regions.current_of(tx, [VILLAGE, VILLAGE + 1], TODAY)
    assert queries.statements == [" ".join(regions._IN_FORCE.split())]


def add_period(
    tx: Tx,
    code: int,
    *,
    until: date | None = None,
    successor: int | None = None,
    succession: str | None = None,
) -> None:
    tx.session.add(
        Region(
            code=code,
            name="测试村",
            level=rules.level_of(code),
            parent_code=rules.parent_of(code),
            valid_until=until,
            successor_code=successor,
            succession=succession,
            source="test",
        )
    )
