"""What of an office is refused, by whom it is asked and as it stands."""

import pytest

from app.core.ids import new_id
from tests.access.approving import problem
from tests.access.factories import Caller, a_caller, an_agency
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE
from tests.regions.factories import some_regions

WHY = {"reason": "合成记录:机构撤并,县编办来函。"}


@pytest.fixture
async def county(database, settings) -> Caller:
    await some_regions(database, VILLAGE)
    return await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)


@pytest.fixture
async def closed(client, database, county) -> str:
    """A hospital that was closed."""
    agency = str(await an_agency(database, "hospital", TOWNSHIP))
    url = f"/v1/agencies/{agency}/closure"
    answer = await client.post(url, json=WHY, headers=county.headers)
    assert answer.status_code == 200, answer.text
    return agency


async def merge(client, who, agency, successor):
    body = {"successor_id": str(successor)}
    return await client.post(f"/v1/agencies/{agency}/merger", json=body, headers=who.headers)


class TestMerged:
    async def test_of_power_by_operators_alone(self, client, database, county) -> None:
        """Into another of its kind, too: who reads the reports of a place is theirs to say."""
        station, bureau = [
            await an_agency(database, "police", place) for place in (TOWNSHIP, COUNTY)
        ]
        refused = await merge(client, county, station, bureau)
        assert problem(refused) == (403, "kind-not-yours")
        shown = await client.get(f"/v1/agencies/{station}", headers=county.headers)
        assert shown.json()["active"]

    async def test_none_that_there_is_not(self, client, database, county) -> None:
        hospital = await an_agency(database, "hospital", COUNTY)
        refused = await merge(client, county, new_id(), hospital)
        assert problem(refused) == (404, "agency-not-found")

    async def test_none_that_is_no_more(self, client, database, county, closed) -> None:
        hospital = await an_agency(database, "hospital", COUNTY)
        refused = await merge(client, county, closed, hospital)
        assert problem(refused) == (409, "agency-closed")


async def test_nobody_is_told_to_call_an_office_that_is_no_more(client, county, closed) -> None:
    url = f"/v1/agencies/{closed}/public-contact"
    body = {"public_contact": "022-12345678"}
    refused = await client.put(url, json=body, headers=county.headers)
    assert problem(refused) == (409, "agency-closed")
    shown = await client.get(f"/v1/agencies/{closed}", headers=county.headers)
    assert shown.json()["public_contact"] is None
