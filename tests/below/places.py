"""Compare what lies below children with where the children live and are enrolled."""

from app.children import below
from app.core.data.db import SYSTEM, Database


async def strays(database: Database) -> dict[str, int]:
    """Count, by table, the rows whose place is not their child's; not tables without any."""
    found = {}
    async with database.begin(SYSTEM) as tx:
        for table in (table for level in below.FOLLOWING for table in level):
            found[table] = await tx.connection.fetchval(
                f"SELECT count(*) FROM {table} t JOIN children c"
                " ON c.home_county = t.home_county AND c.id = t.child_id"
                " WHERE (t.region_code, t.pupil_of) IS DISTINCT FROM (c.region_code, c.school_id)"
            )
    return {table: count for table, count in found.items() if count}


async def rows(database: Database) -> dict[str, int]:
    """Count the rows of every table below the child."""
    async with database.begin(SYSTEM) as tx:
        return {
            table: await tx.connection.fetchval(f"SELECT count(*) FROM {table}")
            for level in below.FOLLOWING
            for table in level
        }
