import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_child

VILLAGE = 120119101200


@pytest.fixture
async def director(database, settings):
    return await a_caller(database, settings, "village_director", VILLAGE)


@pytest.fixture
async def neighbour(database, settings):
    return await a_caller(database, settings, "village_director", VILLAGE + 1)


@pytest.fixture
async def child(database):
    return await a_child(database, VILLAGE)
