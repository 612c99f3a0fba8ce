"""Agencies, posts and people for tests."""

from datetime import date
from uuid import UUID

from app.agencies import operations, queries
from app.agencies.models import PostHolding
from app.agencies.queries import PostRef
from app.core.data.db import SYSTEM, Database
from tests.access.factories import an_agency
from tests.regions.factories import some_regions


async def a_post(database: Database, kind: str, region_code: int, role: str) -> PostRef:
    """A post for the whole region of a new agency."""
    await some_regions(database, region_code)
    agency_id = await an_agency(database, kind, region_code)
    async with database.begin(SYSTEM) as tx:
        agency = await queries.find(tx, agency_id)
        assert agency is not None
        post = await operations.add_post(tx, agency, role, "测试岗位", region_code)
        found = await queries.find_post(tx, post.id)
    assert found is not None
    return found


async def a_person(database: Database, agency_id: UUID, name: str = "测试员") -> UUID:
    async with database.begin(SYSTEM) as tx:
        return (await operations.hire(tx, agency_id, name)).id


async def a_holding(database: Database, post: PostRef, staff_id: UUID, since: date) -> PostHolding:
    async with database.begin(SYSTEM) as tx:
        return await operations.hold_post(tx, post, staff_id, since)
