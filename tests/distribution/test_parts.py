"""On tables that lie in parts by what they are spread by, the product does what it does on whole
ones: PostgreSQL itself then refuses a key, a unique rule, an ON CONFLICT or a foreign key that
leaves the column out, as Citus would. `TONGHU_PARTED=1 pytest …` runs any test so.
"""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from app.core.data import distribution
from app.core.data.db import SYSTEM
from tests import schema

HOME = Path(__file__).resolve().parents[2]
SELECTED = (
    "tests/distribution/test_parts.py",
    "tests/children/test_opening.py",
    "tests/children/test_changing.py",
    "tests/children/test_at_once.py",
    "tests/attendance/test_push.py",
    "tests/dropout_alerts/test_reassessment.py",
    "tests/duties/test_operations.py",
    "tests/below/test_moving.py",
    "tests/unresolved/test_referrals.py",
    "tests/police_reports/test_hidden_by_now.py",
)
"""Of each table that is spread, who writes to it. `make exam` runs all there is."""

in_parts = pytest.mark.skipif(not schema.PARTED, reason="is about tables in parts")


@schema.whole_tables
def test_the_product_runs_on_tables_in_parts(pg: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *SELECTED],
        check=False,
        cwd=HOME,
        env={**os.environ, "TONGHU_PARTED": "1", "TONGHU_TEST_SUPERUSER_URL": pg},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:]
    assert " 1 skipped" in run.stdout.splitlines()[-1], "only this one"


@in_parts
async def test_each_spread_table_lies_in_parts(tx) -> None:
    parts = await tx.connection.fetch(
        "SELECT inhparent::regclass::text AS of, count(*) AS n FROM pg_inherits"
        " JOIN pg_class p ON p.oid = inhparent AND p.relkind = 'p' GROUP BY 1"
    )
    found = {row["of"]: row["n"] for row in parts}
    assert {name: found.get(name) for name in distribution.SPREAD} == dict.fromkeys(
        distribution.SPREAD, schema.PARTS
    )


@in_parts
async def test_the_app_may_not_change_where_a_row_lies(tx) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tx.connection.execute("UPDATE children SET home_county = home_county + 1000000")


@in_parts
async def test_two_counties_lie_apart(database, child) -> None:
    async with database.begin(SYSTEM) as tx:
        part = await tx.connection.fetchval("SELECT tableoid::regclass::text FROM children")
        assert part.startswith("children_")
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tx.connection.execute(
                "INSERT INTO child_stays (id, home_county, child_id, region_code, lived_in, since,"
                " until) VALUES ($1, $2, $1, $2, $2, now(), now())",
                child.id,
                child.home_county + 1_000_000,
            )
