import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.police_reports.factories import VILLAGE, the_offices
from tests.regions.factories import some_regions

FAR = 430111000000
"""A county of another province."""


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def child(client, offices) -> str:
    made = await client.post("/v1/children", json=a_file(VILLAGE), headers=offices.village.headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


@pytest.fixture
async def hospital(database, settings, offices):
    """Somebody at the emergency desk of a hospital in another province."""
    await some_regions(database, FAR)
    return await a_caller(database, settings, "hospital", FAR)
