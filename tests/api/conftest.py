"""A world of every kind of write, for the tests of what is refused and what is not."""

from collections.abc import AsyncIterator

import pytest

from tests.api.world import World, a_world
from tests.conftest import NOW, calling, pinned, undone


@pytest.fixture(scope="module")
async def stage(app, settings, pool, keyring) -> AsyncIterator[World]:
    """The world of every test here, made once: each takes back what it did."""
    async with pinned(pool, keyring, NOW) as database, calling(app, settings, database) as client:
        yield await a_world(client, database, settings)


@pytest.fixture
async def world(stage: World) -> AsyncIterator[World]:
    async with undone(stage.database):
        yield stage
