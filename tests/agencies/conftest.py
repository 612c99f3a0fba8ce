from collections.abc import Awaitable, Callable

import pytest

from app.agencies import queries


@pytest.fixture
def serving(database) -> Callable[..., Awaitable[object]]:
    """`queries.serving` in a transaction of its own."""

    async def find(kind: str, region_code: int, **more: object) -> object:
        async with database.begin() as tx:
            return await queries.serving(tx, kind, region_code, **more)

    return find
