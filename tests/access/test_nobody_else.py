"""What one did alone is looked at by those above once nobody else is in the post."""

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.agencies.factories import a_person
from tests.regions.factories import some_regions

TOWNSHIP = 120119101000


async def owed(database) -> list[tuple]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT region_code, role FROM reviews ORDER BY done_at, id"
        )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    "gone",
    [
        "UPDATE post_holdings SET until = '2026-11-20' WHERE staff_id = $1",
        "UPDATE staff_accounts SET active = false WHERE staff_id = $1",
    ],
    ids=["left", "suspended"],
)
async def test_those_above_have_it_with_what_was_owed_before(
    client, database, settings, gone
) -> None:
    await some_regions(database, TOWNSHIP)
    one = await a_caller(database, settings, "administrator", TOWNSHIP)
    other = await a_caller(database, settings, "administrator", TOWNSHIP, agency_id=one.agency_id)

    async def lets_go() -> None:
        person = await a_person(database, one.agency_id)
        answer = await client.post(f"/v1/staff/{person}/end", headers=one.headers)
        assert answer.status_code == 200, answer.text

    for _ in range(2):
        await lets_go()
    own, above = (None, "administrator"), (TOWNSHIP, "operator")
    assert await owed(database) == [own, own]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE reviews SET role = 'school'"
            " WHERE id = (SELECT id FROM reviews ORDER BY id LIMIT 1)"
        )
        await tx.connection.execute(gone, other.subject_id)
    await lets_go()
    found = await owed(database)
    assert sorted(map(str, found)) == sorted(map(str, [(None, "school"), above, above]))
