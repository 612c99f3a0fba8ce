"""Row-level security hides by itself what `visible` leaves out."""

from uuid import uuid4

import pytest

from app.core.data.db import Reach
from tests.conftest import VILLAGE
from tests.unresolved.conftest import COUNTY, OTHER_COUNTY, TOWNSHIP
from tests.visits.factories import a_visit

TABLES = ("unresolved", "unresolved_evidence")


@pytest.mark.parametrize(
    ("lo", "hi", "school", "rows"),
    [
        (TOWNSHIP, TOWNSHIP + 1000, False, 1),
        (COUNTY, COUNTY + 10**6, False, 1),
        (COUNTY, COUNTY + 10**6, True, 0),
        (VILLAGE + 1, VILLAGE + 2, False, 0),
        (OTHER_COUNTY, OTHER_COUNTY + 10**6, False, 0),
    ],
)
async def test_by_place(client, database, director, lo, hi, school, rows) -> None:
    await client.post("/v1/visits", json=a_visit(uuid4()), headers=director.headers)
    reach = Reach(lo, hi, agency=uuid4(), school=uuid4() if school else None)
    async with database.begin(reach) as tx:
        for table in TABLES:
            assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == rows, table


async def test_and_by_the_agency_that_sent_it(client, database, director) -> None:
    await client.post("/v1/visits", json=a_visit(uuid4()), headers=director.headers)
    async with database.begin(Reach(0, 1, agency=director.agency_id)) as tx:
        for table in TABLES:
            assert await tx.connection.fetchval(f"SELECT count(*) FROM {table}") == 1, table
