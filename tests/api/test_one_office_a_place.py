"""A second office of a place would read what is kept from the first."""

import pytest

from tests.access.approving import send_by_two
from tests.access.factories import a_caller
from tests.regions.factories import some_regions

COUNTY, TOWNSHIP = 120119000000, 120119101000
PLACES = {"civil_affairs": COUNTY, "education": COUNTY, "township_government": TOWNSHIP}


@pytest.fixture(autouse=True)
async def places(database) -> None:
    await some_regions(database, COUNTY, TOWNSHIP)


@pytest.mark.parametrize("kind", PLACES)
async def test_is_registered_by_the_operator_alone(client, database, settings, kind) -> None:
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    operator = await a_caller(database, settings, "operator", 0)
    body = {"kind": kind, "name": "第一科", "region_code": f"{PLACES[kind]:012d}"}

    async def register(caller):
        return await client.post("/v1/agencies", json=body, headers=caller.headers)

    if kind != "civil_affairs":  # the county itself is the first
        colleague = await a_caller(
            database, settings, "civil_affairs", COUNTY, agency_id=county.agency_id
        )
        how = ("createAgency", "POST", "/v1/agencies", body)
        made = (
            await send_by_two(client, county, colleague, *how)
            if kind == "education"
            else await register(county)
        )
        assert made.status_code == 201, made.text
    second = await register(county)
    assert (second.status_code, second.json()["type"]) == (409, "/problems/place-served")
    alone = await register(operator)
    assert (alone.status_code, alone.json()["type"]) == (403, "/problems/approval-required")
    other = await a_caller(database, settings, "operator", 0, agency_id=operator.agency_id)
    how = ("createAgency", "POST", "/v1/agencies", body)
    assert (await send_by_two(client, operator, other, *how)).status_code == 201


async def test_schools_are_many(client, database, settings) -> None:
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    for _ in range(2):
        body = {"kind": "school", "name": "小学", "region_code": f"{TOWNSHIP:012d}"}
        answer = await client.post("/v1/agencies", json=body, headers=county.headers)
        assert answer.status_code == 201, answer.text
