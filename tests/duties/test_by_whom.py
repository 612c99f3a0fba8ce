"""What counts as done is told by who recorded it, not by what was typed (VIS-01)."""

import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.conftest import VILLAGE
from tests.duties.test_clock_ahead import _state
from tests.duties.test_day_unread import _record
from tests.jobs import run_jobs
from tests.visits.factories import a_visit, something_wrong

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
    ("by", "visitor_type", "state"),
    [
        ("director", "child_director", "discharged"),
        ("director", "teacher", "open"),
        ("county", "child_director", "open"),
    ],
)
async def test_nobody_else_pays_attention_or_explains_in_the_name_of_the_director(
    client, database, settings, director, by, visitor_type, state
) -> None:
    """VIS-03: 各村(居)儿保专干…予以重点关注,积极宣传…法律法规和政策措施."""
    county = await a_caller(database, settings, "civil_affairs", COUNTY)
    child = await a_child(database, VILLAGE)
    found = a_visit(child.id, findings=[something_wrong()], policies_explained=[])
    looked = [{"domain": "guardianship", "abnormal": False}]
    said = {"findings": looked, "visitor_type": visitor_type, "visited_on": "2026-11-19"}
    again = a_visit(child.id, policies_explained=["child_protection"], **said)
    sender = {"director": director, "county": county}[by]
    for caller, visit in ((director, found), (sender, again)):
        sent = await client.post("/v1/visits", json=visit, headers=caller.headers)
        assert sent.status_code == 201, sent.text
        await run_jobs(database)
    read = await client.get(f"/v1/duties?child_id={child.id}", headers=director.headers)
    states = {each["rule"]: each["state"] for each in read.json()["items"]}
    assert (states["VIS-03"], states["VIS-03.explain"]) == (state, state)


@pytest.mark.parametrize(
    ("place", "state"),
    [("home", "discharged"), ("school", "open"), ("childrens_home", "open")],
)
async def test_a_family_is_visited_where_it_lives(client, database, director, place, state) -> None:
    """VIS-01: 开展家庭走访…实地走访; VIS-08: 對留守兒童家庭進行定期走訪."""
    await _record(client, database, director, place=place)
    assert await _state(client, director) == state
