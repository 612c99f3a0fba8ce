import pytest

from tests.insiders.stage import Town, a_town


@pytest.fixture
async def town(client, database, settings) -> Town:
    return await a_town(client, database, settings)
