import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.core.data import keys
from app.core.data.crypto import Keyring
from app.core.data.envelopes import of_child
from app.core.ids import new_id
from tests.access.factories import Caller, a_caller
from tests.children.factories import a_file
from tests.regions.factories import some_regions

VILLAGE = 120119101200
SIBLING = 120119101201
TOWNSHIP = 120119101000
OTHER_TOWNSHIP_VILLAGE = 120119102201
COUNTY = 120119000000
OTHER_COUNTY_VILLAGE = 120118101201
ONE = new_id()

Open = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(autouse=True)
async def places(database) -> None:
    await some_regions(database, VILLAGE, SIBLING, OTHER_TOWNSHIP_VILLAGE, OTHER_COUNTY_VILLAGE)


@pytest.fixture
def ring() -> Keyring:
    """Keys with that of the child ONE among them."""
    made = Keyring.generate()
    keys.make(made, of_child(ONE))
    return made


@pytest.fixture
async def township(database, settings) -> Caller:
    return await a_caller(database, settings, "township_supervisor", TOWNSHIP)


@pytest.fixture
def open_file(client) -> Open:
    """Open a file as a caller; keywords replace sections or top-level members."""

    async def post(caller: Caller, region_code: int = VILLAGE, **sections: Any) -> httpx.Response:
        # Half an emoji is no text that could be encoded: written as an escape.
        body = json.dumps(a_file(region_code, **sections), default=str)
        headers = {**caller.headers, "content-type": "application/json"}
        return await client.post("/v1/children", content=body, headers=headers)

    return post
