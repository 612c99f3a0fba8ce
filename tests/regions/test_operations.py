import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from app.core.data.db import SYSTEM, Tx
from app.regions import divisions, operations, queries
from app.regions.divisions import Division
from app.regions.operations import BadDivisions, Imported, RegionNotReplaceable
from app.regions.rules import Level
from tests.regions.factories import some_regions

TODAY = date(2026, 11, 20)
HEADER = "code,name,streetCode,provinceCode,cityCode,areaCode"
TOWNSHIP = 120119101000
VILLAGE = 120119101200


def divided(villages: int) -> Iterator[Division]:
    """A synthetic county with as many villages as asked for, in townships of 900."""
    yield Division(120000000000, "测试市", Level.PROVINCE)
    yield Division(120100000000, "测试辖区", Level.PREFECTURE)
    yield Division(120119000000, "测试县", Level.COUNTY)
    for number in range(villages):
        township = 120119000000 + (number // 900 + 1) * 1000
        if number % 900 == 0:
            yield Division(township, f"测试镇{number}", Level.TOWNSHIP)
        yield Division(township + number % 900 + 1, f"测试村{number}", Level.VILLAGE)


def a_file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "villages.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


class TestImportDivisions:
    async def test_takes_twenty_thousand_rows_in_few_statements(self, database, queries) -> None:
        seen: list[int] = []
        async with database.begin(SYSTEM) as tx:
            queries.clear()
            counts = await operations.import_divisions(
                tx.connection, divided(20_000), progress=seen.append
            )
            assert len(queries) <= 10, queries.statements
        assert counts == Imported(read=20_026, added=20_026, renamed=0, ended=0)
        assert seen == [10_000, 20_000, 20_026]

    async def test_does_not_hold_the_rows_in_memory(self, tx: Tx) -> None:
        await operations.import_divisions(tx.connection, divided(10))
        tracemalloc.start()
        await operations.import_divisions(tx.connection, divided(10_000))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000, peak

    async def test_twice_changes_nothing_and_a_new_name_is_taken_over(self, tx: Tx) -> None:
        rows = list(divided(3))
        await operations.import_divisions(tx.connection, rows)
        again = await operations.import_divisions(tx.connection, rows)
        assert again == Imported(read=7, added=0, renamed=0, ended=0)
        rows[-1] = rows[-1]._replace(name="新名村")
        renamed = await operations.import_divisions(tx.connection, rows, source="later edition")
        assert renamed == Imported(read=7, added=0, renamed=1, ended=0)

    async def test_an_old_edition_does_not_bring_back_a_replaced_code(self, tx: Tx) -> None:
        await operations.import_divisions(tx.connection, divided(3))
        await operations.replace_region(tx, 120119001002, 120119001009, date(2026, 1, 1))
        again = await operations.import_divisions(tx.connection, divided(3))
        assert again == Imported(read=7, added=0, renamed=0, ended=1)
        assert await queries.current(tx, 120119001002, TODAY) == 120119001009

    @pytest.mark.parametrize(
        ("row", "told"),
        [
            (Division(130102001001, "无镇村", Level.VILLAGE), "130102001001: the division it lies"),
            (Division(120119001001, "重复村", Level.VILLAGE), "120119001001 comes more than once"),
        ],
    )
    async def test_refuses_an_orphan_or_a_repeated_code_as_a_whole(
        self, database, row: Division, told: str
    ) -> None:
        with pytest.raises(BadDivisions, match=told):
            async with database.begin(SYSTEM) as tx:
                await operations.import_divisions(tx.connection, [*divided(3), row])
        async with database.begin() as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM regions") == 0

    async def test_takes_the_shipped_divisions(self, tx: Tx) -> None:
        counts = await operations.import_divisions(tx.connection, divisions.shipped())
        villages = await operations.import_divisions(tx.connection, divisions.demo_villages())
        assert (counts.added, villages.added) == (44_699, 5_300)


class TestImportVillageFile:
    async def test_adds_the_villages(self, database, tmp_path: Path) -> None:
        await some_regions(database, TOWNSHIP)
        path = a_file(tmp_path, "120119101200,测试村,120119101,12,1201,120119")
        async with database.begin(SYSTEM) as tx:
            counts = await operations.import_village_file(tx.connection, path, source="test")
            assert await queries.current(tx, VILLAGE, TODAY) == VILLAGE
        assert counts.added == 1

    async def test_names_the_lines_that_are_wrong_and_stores_nothing(
        self, database, tmp_path: Path
    ) -> None:
        await some_regions(database, TOWNSHIP)
        path = a_file(
            tmp_path,
            "120119101200,测试村,120119101,12,1201,120119",
            "120119101201,,120119101,12,1201,120119",
            "120119102001,无镇村,120119102,12,1201,120119",
        )
        with pytest.raises(BadDivisions) as refused:
            async with database.begin(SYSTEM) as tx:
                await operations.import_village_file(tx.connection, path, source="test")
        name, township = refused.value.problems
        assert name.startswith("line 3: the name of 120119101201")
        assert township == "line 4: 120119102001: the division it lies in is unknown"
        async with database.begin() as tx:
            assert await queries.current(tx, VILLAGE, TODAY) is None

    async def test_stops_after_a_hundred_bad_lines(self, database, tmp_path: Path) -> None:
        path = a_file(tmp_path, *["nonsense"] * 300)
        with pytest.raises(BadDivisions) as refused:
            async with database.begin(SYSTEM) as tx:
                await operations.import_village_file(tx.connection, path, source="test")
        assert len(refused.value.problems) == 101
        assert refused.value.problems[-1] == "line 101: too many bad lines; stopped reading here"


class TestReplaceRegion:
    async def test_moves_all_below_with_it(self, database) -> None:
        await some_regions(database, VILLAGE)
        async with database.begin(SYSTEM) as tx:
            moved = await operations.replace_region(
                tx, 120119000000, 120120000000, date(2026, 7, 1), name="新县"
            )
            assert moved == 3
            assert await queries.current(tx, VILLAGE, date(2026, 6, 30)) == VILLAGE
            assert await queries.current(tx, VILLAGE, date(2026, 7, 1)) == 120120101200
            assert await queries.current(tx, VILLAGE, TODAY) == 120120101200
            rows = await tx.connection.fetch(
                "SELECT name, parent_code FROM regions WHERE valid_until IS NULL"
                " AND code IN (120120000000, 120120101000) ORDER BY code"
            )
        assert [tuple(row) for row in rows] == [
            ("新县", 120100000000),
            ("测试区划 120119101000", 120120000000),
        ]

    async def test_merges_into_a_place_that_exists(self, database) -> None:
        await some_regions(database, VILLAGE, VILLAGE + 1)
        async with database.begin(SYSTEM) as tx:
            await operations.replace_region(tx, VILLAGE, VILLAGE + 1, date(2026, 7, 1))
            assert await queries.current(tx, VILLAGE, TODAY) == VILLAGE + 1

    async def test_tells_those_who_filed_something_there(self, database) -> None:
        await some_regions(database, VILLAGE)
        async with database.begin(SYSTEM) as tx:
            await operations.replace_region(tx, TOWNSHIP, 120119102000, date(2026, 7, 1))
            row = await tx.connection.fetchrow("SELECT wire_name, region_code, data FROM events")
        assert (row["wire_name"], row["region_code"]) == ("regions.region_replaced", 120119102000)
        data = row["data"]
        assert (data["old_lo"], data["old_hi"]) == (TOWNSHIP, TOWNSHIP + 1000)
        assert (data["shift"], data["on"]) == (1000, "2026-07-01")

    @pytest.mark.parametrize(
        ("old", "new", "on", "told"),
        [
            (VILLAGE, VILLAGE, date(2026, 7, 1), "two codes of one level"),
            (VILLAGE, TOWNSHIP, date(2026, 7, 1), "two codes of one level"),
            (VILLAGE, VILLAGE + 5, date(2026, 11, 21), "still to come"),
            (VILLAGE + 7, VILLAGE + 8, date(2026, 7, 1), "not in force"),
            (VILLAGE, 120119109001, date(2026, 7, 1), "lies in is unknown"),
            (TOWNSHIP, 120119102000, date(2026, 7, 1), "divisions are left below"),
            (VILLAGE, VILLAGE + 5, date(1900, 1, 1), "began on that day or later"),
        ],
    )
    async def test_refuses_what_cannot_be(
        self, database, old: int, new: int, on: date, told: str
    ) -> None:
        existing = [new] if told == "divisions are left below" else []
        await some_regions(database, VILLAGE, *existing)
        async with database.begin(SYSTEM) as tx:
            with pytest.raises(RegionNotReplaceable, match=told):
                await operations.replace_region(tx, old, new, on)
