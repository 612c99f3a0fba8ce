"""Divisions for tests."""

from app.core.data.db import SYSTEM, Database
from app.regions import rules
from app.regions.models import Region


async def some_regions(database: Database, *codes: int) -> None:
    """Make the divisions and everything above them, once each, named after their codes."""
    wanted = {place for code in codes for place in rules.lineage(code)} - {rules.NATION}
    async with database.begin(SYSTEM) as tx:
        there = {row["code"] for row in await tx.connection.fetch("SELECT code FROM regions")}
        for code in sorted(wanted - there):
            tx.session.add(
                Region(
                    code=code,
                    name=f"测试区划 {code}",
                    level=rules.level_of(code),
                    parent_code=rules.parent_of(code) or rules.NATION,
                    source="test",
                )
            )
