"""What counts as done is told by who recorded it, not by what was typed (VIS-01)."""

import pytest

from tests.access.factories import a_caller
from tests.conftest import VILLAGE
from tests.duties.test_clock_ahead import _state
from tests.duties.test_day_unread import _record

COUNTY = VILLAGE // 10**6 * 10**6
TOWNSHIP = VILLAGE // 1000 * 1000


@pytest.mark.parametrize(
    ("role", "place"), [("civil_affairs", COUNTY), ("township_supervisor", TOWNSHIP)]
)
async def test_nobody_else_visits_in_the_name_of_the_director(
    client, database, settings, director, role, place
) -> None:
    """VIS-01: the child director, on site. A clerk who types `child_director` was not there."""
    clerk = await a_caller(database, settings, role, place)
    await _record(client, database, clerk, visitor_type="child_director")
    assert await _state(client, director) == "open"


@pytest.mark.parametrize(
    ("place", "state"),
    [("home", "discharged"), ("school", "open"), ("childrens_home", "open")],
)
async def test_a_family_is_visited_where_it_lives(client, database, director, place, state) -> None:
    """VIS-01: 开展家庭走访…实地走访; VIS-08: 對留守兒童家庭進行定期走訪."""
    await _record(client, database, director, place=place)
    assert await _state(client, director) == state
