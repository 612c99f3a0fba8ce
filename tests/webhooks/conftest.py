from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from app.core.data.db import Database
from tests import schema
from tests.access.factories import an_agency
from tests.conftest import NOW
from tests.webhooks.workshop import HOME, Clock, Receiver, receiving


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def live(
    live_database: Database, database_urls: schema.Urls, clock: Clock
) -> AsyncIterator[Database]:
    """Real commits, the test's own clock; empties what deliveries and agencies left behind."""
    yield Database(live_database.engine, live_database.keyring, clock)
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute(
        "TRUNCATE webhook_attempts, webhook_deliveries, subscriptions, webhook_endpoints"
    )
    await owner.execute("TRUNCATE events, event_named, event_feed, subject_sequences, jobs")
    await owner.execute("DELETE FROM agencies")
    await owner.close()


@pytest.fixture
async def bureau(live: Database) -> UUID:
    """A police agency, the receiver of mandatory deliveries."""
    return await an_agency(live, "police", HOME)
