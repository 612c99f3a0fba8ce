"""Two operators."""

import pytest

from tests.access.approving import OTHER
from tests.access.factories import Caller, a_caller
from tests.regions.factories import some_regions


@pytest.fixture
async def operators(database, settings) -> tuple[Caller, Caller]:
    """Two people of the operator."""
    await some_regions(database, 120119101200, OTHER)
    one = await a_caller(database, settings, "operator", 0)
    two = await a_caller(database, settings, "operator", 0, agency_id=one.agency_id)
    return one, two
