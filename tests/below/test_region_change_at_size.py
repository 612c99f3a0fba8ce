"""What a change of a county costs: statements by sets of rows, never by rows."""

from datetime import date

import pytest

from app.core.data.db import SYSTEM, Database
from app.regions import following
from app.regions.operations import replace_region
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

pytestmark = pytest.mark.usefixtures("swept")

COUNTY, VILLAGE, NEW = 120119000000, 120119101200, 120120000000
CHILDREN = 2 * following.BATCH + 100

_CHILDREN = """
INSERT INTO children (id, home_county, region_code, name, name_reversed, name_pinyin,
    name_initials, sex, birth_date, version, created_at, updated_at, residence)
SELECT gen_random_uuid(), $1::bigint, $2::bigint + n % 2, '测', '测', 'ce', 'c', 'female',
       '2016-03-01', 1, now(), now(), jsonb_build_object('region_code', ($2::bigint + n % 2)::text)
FROM generate_series(1, $3::int) AS n
"""
_DUTIES = """
INSERT INTO duties (id, rule, child_id, subject_id, home_county, region_code, bearer_role, period,
    counts_from, counts_until, opened_at, due_at, state, version)
SELECT gen_random_uuid(), 'VIS-01', id, id, home_county, region_code, 'village_director', '2026Q4',
       '2026-10-01', '2026-12-31', now(), now(), 'open', 1 FROM children
"""
_FACTS = """
INSERT INTO child_facts (id, home_county, child_id, region_code, kind, since, value_sealed,
    recorded_at, stated_by)
SELECT gen_random_uuid(), home_county, id, region_code, 'residence', '2020-01-01', '-', now(), '-'
FROM children
"""


async def a_county(database: Database, children: int) -> None:
    await some_regions(database, VILLAGE, VILLAGE + 1)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_CHILDREN, COUNTY, VILLAGE, children)
        await tx.connection.execute(_DUTIES)
        await tx.connection.execute(_FACTS)
        await tx.connection.execute("SELECT count_rows('children', 'duties', 'child_facts')")


async def test_statements_grow_with_sets_of_rows(database, queries) -> None:
    await a_county(database, CHILDREN)
    queries.clear()
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, NEW, date(2026, 7, 1))
    moves = [each for each in queries.statements if "UPDATE" in each]
    about_children = [each for each in moves if "UPDATE children" in each]
    below = [each for each in moves if each.startswith("WITH place AS")]
    duties = [each for each in moves if "UPDATE duties" in each]
    assert [len(each) for each in (about_children, below, duties)] == [3, 6, 3]
    assert len(queries) <= 53, queries.statements
    async with database.begin(SYSTEM) as tx:
        for table in ("children", "duties", "child_facts"):
            left = f"SELECT count(*) FROM {table} WHERE region_code < $1"
            assert await tx.connection.fetchval(left, NEW) == 0


async def test_hukou_is_renamed_a_set_a_transaction(database) -> None:
    await a_county(database, CHILDREN)
    async with database.begin(SYSTEM) as tx:
        hukou = "UPDATE children SET hukou = jsonb_build_object('region_code', $1::text)"
        await tx.connection.execute(hukou, str(VILLAGE))
        await replace_region(tx, COUNTY, NEW, date(2026, 7, 1))
    assert (await run_jobs(database)).count("children.rename_next_hukou") == 4  # the last sees none
    async with database.begin(SYSTEM) as tx:
        said = await tx.connection.fetch("SELECT DISTINCT hukou ->> 'region_code' FROM children")
    assert [row[0] for row in said] == [str(VILLAGE + NEW - COUNTY)]


async def test_looking_again_costs_a_statement_a_table(database, queries) -> None:
    await a_county(database, 1)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, NEW, date(2026, 7, 1))
        event = await tx.connection.fetchval("SELECT data FROM events")
    queries.clear()
    async with database.begin(SYSTEM) as tx:
        await following.take_along(tx, following.RegionReplaced.model_validate(event))
    # Of a report also where its child lives, and lived.
    assert len(queries) <= 36, len(queries)
