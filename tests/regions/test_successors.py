"""What ships about codes that were replaced since 1984 (app/regions/data/SOURCE.md)."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date

import pytest

from app.core.data import db
from app.core.data.db import SYSTEM, Tx
from app.regions import divisions, operations, queries, rules
from app.regions.rules import Level
from tests.conftest import NOW, pinned

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def shipped() -> dict[int, divisions.Replaced]:
    return {row.code: row for row in divisions.replaced()}


def test_counties_and_their_townships_are_shipped(shipped) -> None:
    assert Counter(rules.level_of(code) for code in shipped) == {
        Level.PREFECTURE: 4 + 104,
        Level.COUNTY: 224 + 1928,
        Level.TOWNSHIP: 2653,
    }
    above = [row for row in shipped.values() if rules.level_of(row.code) is not Level.TOWNSHIP]
    assert Counter(row.succession for row in above) == {
        "whole": 161 + 1976,
        "merged": 57 + 51,
        "split": 10 + 5,
    }


def test_every_code_ends_in_one_that_is_shipped_as_in_force(shipped) -> None:
    today = {division.code for division in divisions.shipped()}
    assert not today & shipped.keys()
    for code in shipped:
        end = code
        while end in shipped:
            last = shipped[end]
            end = last.successor_code
            # So no code leads back to itself, and a successor outlives what it took over.
            assert end not in shipped or shipped[end].valid_until > last.valid_until, code
        assert end in today, code


def test_each_code_is_shipped_once() -> None:
    codes = [row.code for row in divisions.replaced()]
    assert len(codes) == len(set(codes))


# County → district, → county-level city, districts merged, another prefecture, twice: by the
# documents of the State Council (国函) or the Ministry of Civil Affairs (民函).
@pytest.mark.parametrize(
    ("old", "new", "how"),
    [
        (120225000000, 120119000000, "whole"),  # 蓟县 → 蓟州区
        (530522000000, 530581000000, "whole"),  # 腾冲县 → 腾冲市
        (120223000000, 120118000000, "whole"),  # 静海县 → 静海区
        (120221000000, 120117000000, "whole"),  # 宁河县 → 宁河区
        (330183000000, 330111000000, "whole"),  # 富阳市 → 富阳区
        (370882000000, 370812000000, "whole"),  # 兖州市 → 兖州区
        (440184000000, 440117000000, "whole"),  # 从化市 → 从化区
        (440183000000, 440118000000, "whole"),  # 增城市 → 增城区
        (110103000000, 110101000000, "merged"),  # 崇文区 → 东城区, 2010
        (510202000000, 500103000000, "whole"),  # 渝中区, of 四川 until 1997
        (410224000000, 410212000000, "whole"),  # 开封县 → 祥符区
        (110223000000, 110112000000, "whole"),  # 通县 → 通州区, 国函〔1997〕30号
        (522401000000, 520502000000, "whole"),  # 毕节市 → 七星关区, 国函〔2011〕130号
        (522421000000, 522401000000, "whole"),  # 毕节县 → 毕节市
        (522201000000, 520602000000, "split"),  # 铜仁市 → 碧江区, 国函〔2011〕131号
        (142701000000, 140802000000, "whole"),  # 运城市 → 盐湖区, 国函〔2000〕68号
        (622821000000, 621021000000, "whole"),  # 庆阳县 → 庆城县, 国函〔2002〕55号
        (510200000000, 500000000000, "merged"),  # 重庆市 of 四川 → the municipality, 1997
        (130103000000, None, None),  # 石家庄 桥东区: divided, no successor is certain
        (522322000000, 522302000000, "whole"),  # 兴仁县 → 兴仁市
        (421023000000, 421088000000, "whole"),  # 监利县 → 监利市
        (310108000000, 310106000000, "merged"),  # 闸北区 → 静安区
        (320611000000, 320613000000, "merged"),  # 港闸区 → 崇川区, 国函〔2020〕79号
        (
            330104000000,
            330102000000,
            "split",
        ),  # 江干区 → 上城区, a part to 钱塘区, 国函〔2021〕29号
        (341521000000, 340422000000, "whole"),  # 寿县, from 六安 to 淮南
        (371202000000, 370116000000, "whole"),  # 莱城区 → 莱芜区, 国函〔2018〕163号
        (371200000000, 370100000000, "merged"),  # 莱芜市 → 济南市
        (540530000000, 540581000000, "whole"),  # 错那县 → 错那市
        (340702000000, 340705000000, "merged"),  # 铜官山区 → 铜官区, 国函〔2015〕181号
        (230712000000, 230723000000, "merged"),  # 汤旺河区 → 汤旺县, 国函〔2019〕63号
        (370634000000, 370614000000, "merged"),  # 长岛县 → 蓬莱区, 国函〔2020〕81号
    ],
)
def test_changes_are_those_of_the_documents(shipped, old: int, new: int | None, how) -> None:
    found = shipped.get(old)
    assert (found and found.successor_code, found and found.succession) == (new, how)


@pytest.fixture(scope="module")
async def nation(database_urls, settings, keyring) -> AsyncIterator[db.Database]:
    # Connections of its own: on the others, plans may have been kept for a handful of divisions.
    own = db.Database(db.open_engine(database_urls.app, settings.database), keyring, lambda: NOW)
    async with pinned(own, keyring, NOW) as database:
        async with database.begin(SYSTEM) as tx:
            await operations.import_divisions(tx.connection, divisions.shipped())
            await tx.connection.execute("SELECT count_rows('regions')")  # lest plans be for a few
            await operations.import_replaced(tx.connection, divisions.replaced())
        yield database
    await own.close()


class TestLoading:
    @pytest.fixture
    async def loaded(self, nation: db.Database) -> AsyncIterator[Tx]:
        async with nation.begin(SYSTEM) as tx:
            yield tx

    async def test_twice_adds_nothing(self, loaded: Tx) -> None:
        assert await operations.import_replaced(loaded.connection, divisions.replaced()) == 0
        again = await operations.import_divisions(loaded.connection, divisions.shipped())
        assert (again.added, again.renamed, again.ended) == (0, 0, 0)

    async def test_every_old_code_stands_for_a_place_in_force(self, loaded: Tx, shipped) -> None:
        stands = await queries.current_of(loaded, shipped, TODAY)
        assert stands.keys() == shipped.keys()

    async def test_follows_a_county_that_was_replaced_twice(self, loaded: Tx) -> None:
        """错那县 was 542232 until 2015, 540530 until 2022, and is 错那市 540581."""
        assert await queries.current(loaded, 542232000000, TODAY) == 540581000000

    async def test_follows_counties_of_another_prefecture_and_kind(self, loaded: Tx) -> None:
        """By what resident numbers of the eighties begin with."""
        for old, new in ((512424, 510185), (370622, None), (152726, 150625), (510202, 500103)):
            found = await queries.current(loaded, old * 10**6, TODAY)
            assert found == (new and new * 10**6)

    async def test_below_a_code_of_before_2009_the_county_answers(self, loaded: Tx) -> None:
        """萧山市 330181 is 萧山区 330109, whose townships have other digits by now."""
        assert await queries.current(loaded, 330181101000, TODAY) == 330109000000

    async def test_a_split_county_leads_each_township_to_where_it_is(self, loaded: Tx) -> None:
        """Of 江干区 the most became 上城区 and the east, such as 下沙街道, 钱塘区."""
        name = "SELECT name FROM regions WHERE code = $1 AND valid_until IS NULL"
        counties = {
            await loaded.connection.fetchval(name, rules.county_of(place))
            for place in (
                await queries.current_of(
                    loaded, [row.code for row in divisions.replaced() if _in(row, 330104)], TODAY
                )
            ).values()
        }
        assert counties == {"上城区", "钱塘区"}

    async def test_what_is_known_weighs_more(self, loaded: Tx) -> None:
        """Such as what an operator did: `tonghu regions replace`."""
        rows = [row for row in divisions.replaced() if row.code == 120225000000]
        other = [rows[0]._replace(successor_code=120118000000)]
        assert await operations.import_replaced(loaded.connection, other) == 0
        assert await queries.current(loaded, 120225000000, TODAY) == 120119000000


def _in(row: divisions.Replaced, county: int) -> bool:
    return row.code // 10**6 == county
