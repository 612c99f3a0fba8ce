import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.police_reports.factories import VILLAGE, the_offices
from tests.regions.factories import some_regions

ELSEWHERE = 120118000000
"""Another county."""


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def child(client, offices) -> str:
    """The id of a child with a whole file."""
    made = await client.post("/v1/children", json=a_file(VILLAGE), headers=offices.village.headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


@pytest.fixture
async def doctor(database, settings, offices):
    """Somebody at a hospital of another county."""
    await some_regions(database, ELSEWHERE)
    return await a_caller(database, settings, "hospital", ELSEWHERE)
