"""What an office's own people were to look at lies with somebody after it is no more."""

from datetime import date
from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from tests.access.approving import send_by_two
from tests.access.factories import a_caller, an_agency
from tests.agencies.factories import a_person
from tests.police_reports.factories import COUNTY, TOWNSHIP
from tests.regions.factories import some_regions


@pytest.fixture
async def hospital(client, database, settings) -> UUID:
    """One of its two administrators let somebody go, which the other was to review; both left."""
    await some_regions(database, TOWNSHIP)
    one = await a_caller(database, settings, "administrator", TOWNSHIP)
    await a_caller(database, settings, "administrator", TOWNSHIP, agency_id=one.agency_id)
    person = await a_person(database, one.agency_id)
    ended = await client.post(f"/v1/staff/{person}/end", headers=one.headers)
    assert ended.status_code == 200, ended.text
    assert await owed(database) == [(one.agency_id, None, "administrator")]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE post_holdings SET until = $1", date(2026, 11, 20))
        await tx.connection.execute(
            "UPDATE agencies SET kind = 'hospital' WHERE id = $1", one.agency_id
        )
    return one.agency_id


async def owed(database) -> list[tuple]:
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(
            "SELECT agency_id, region_code, role FROM reviews WHERE operation = 'endStaff'"
        )
    return [tuple(row) for row in rows]


async def test_with_those_above_once_it_is_closed(client, database, settings, hospital) -> None:
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    body = {"reason": "合成记录:机构撤并,县编办来函。"}
    closed = await client.post(
        f"/v1/agencies/{hospital}/closure", json=body, headers=county.headers
    )
    assert closed.status_code == 200, closed.text
    assert await owed(database) == [(hospital, TOWNSHIP, "operator")]


async def test_with_who_goes_on_in_its_place(client, database, settings, hospital) -> None:
    successor = await an_agency(database, "hospital", TOWNSHIP)
    one = await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)
    two = await a_caller(
        database, settings, "civil_affairs", COUNTY, agency_id=one.agency_id, machine=False
    )
    merger = (f"/v1/agencies/{hospital}/merger", {"successor_id": str(successor)})
    merged = await send_by_two(client, one, two, "mergeAgency", "POST", *merger)
    assert merged.status_code == 200, merged.text
    assert await owed(database) == [(successor, None, "administrator")]
