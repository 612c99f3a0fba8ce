"""Divisions for tests."""

from app.core.data.db import SYSTEM, Database
from app.regions import rules

_DIVISIONS = """
INSERT INTO regions (code, name, level, parent_code, source)
SELECT code, '测试区划 ' || code, level, parent_code, 'test'
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS u (code, level, parent_code)
WHERE NOT EXISTS (SELECT FROM regions r WHERE r.code = u.code)
"""


async def some_regions(database: Database, *codes: int) -> None:
    """Make the divisions and everything above them, once each, named after their codes."""
    wanted = {place for code in codes for place in rules.lineage(code)} - {rules.NATION}
    levels = [rules.level_of(code) for code in wanted]
    parents = [rules.parent_of(code) or rules.NATION for code in wanted]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_DIVISIONS, [*wanted], levels, parents)
