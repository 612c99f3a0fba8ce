from datetime import UTC, datetime

import pytest

from tests.children.factories import a_child

VILLAGE = 120119101200
COUNTY = 120119000000
TOWNSHIP = 120119101000


class Time:
    """The clock of a test, which it may set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def set(self, *moment: int) -> None:
        """Go to an instant, in UTC."""
        self.now = datetime(*moment, tzinfo=UTC)


@pytest.fixture
def time(database, now) -> Time:
    database.clock = Time(now)
    return database.clock


@pytest.fixture
async def child(database):
    return await a_child(database, VILLAGE, categories=["left_behind"], priority_flags=["no_hukou"])
