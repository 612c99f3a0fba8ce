"""What a row takes is measured where its rows lie: of a table cut by month, in its months."""

import asyncpg

from app.core.data import months
from app.core.data.db import Database
from tests import schema
from tests.plans import sizes


async def test_a_table_in_months_is_as_large_as_its_months(
    live_database: Database, database_urls: schema.Urls
) -> None:
    owner = await asyncpg.connect(database_urls.owner)
    columns = "id, delivery_id, agency_id, number, trigger, started_at, duration_ms,"
    some = "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'auto', now(), 1, false"
    await owner.execute("ALTER TABLE webhook_attempts NO FORCE ROW LEVEL SECURITY")
    try:
        await owner.execute(
            f"INSERT INTO webhook_attempts ({columns} response_truncated, key_ids)"
            " SELECT overlay(gen_random_uuid()::text PLACING '0000' FROM 1)::uuid,"
            f" {some.removeprefix('gen_random_uuid(), ')}, '{{}}' FROM generate_series(1, 1000)"
        )
        await owner.execute("ANALYZE webhook_attempts")
    finally:
        await owner.execute("ALTER TABLE webhook_attempts FORCE ROW LEVEL SECURITY")
        await owner.close()
    assert "webhook_attempts" in months.PARTITIONED
    assert (await sizes.measured(database_urls.owner))["webhook_attempts"].heap > 50
