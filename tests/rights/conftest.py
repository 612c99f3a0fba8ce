import pytest

from tests.police_reports.factories import the_offices


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)
