"""Nobody changes or closes an office that there is not, nor one of power that is not theirs."""

import pytest

from app.core.ids import new_id
from tests.access.approving import problem
from tests.access.factories import Caller, a_caller, an_agency
from tests.police_reports.factories import COUNTY, TOWNSHIP
from tests.regions.factories import some_regions

ACTS = pytest.mark.parametrize(
    ("what", "body"),
    [
        ("changes", {"based_on": 1, "name": "合成机构"}),
        ("closure", {"reason": "合成记录:机构撤并,县编办来函。"}),
    ],
)


@pytest.fixture
async def county(database, settings) -> Caller:
    await some_regions(database, TOWNSHIP)
    return await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)


async def send(client, who, agency, what, body):
    return await client.post(f"/v1/agencies/{agency}/{what}", json=body, headers=who.headers)


@ACTS
async def test_what_there_is_not(client, county, what, body) -> None:
    answer = await send(client, county, new_id(), what, body)
    assert problem(answer) == (404, "agency-not-found")


@ACTS
@pytest.mark.parametrize("kind", ["police", "supervision", "operator"])
async def test_of_power_by_operators_alone(client, database, county, kind, what, body) -> None:
    """Whoever closed a station would decide who reads the reports of its place."""
    office = await an_agency(database, kind, TOWNSHIP)
    place = f"/v1/agencies/{office}"
    before = (await client.get(place, headers=county.headers)).json()
    answer = await send(client, county, office, what, body)
    assert problem(answer) == (403, "kind-not-yours")
    after = (await client.get(place, headers=county.headers)).json()
    assert (after, after["active"]) == (before, True)
