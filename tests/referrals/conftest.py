import pytest

from tests.children.factories import a_child
from tests.police_reports.factories import VILLAGE, the_offices


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def child(database):
    return await a_child(database, VILLAGE)
