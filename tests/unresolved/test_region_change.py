"""A place gets another code: what waits there is owed and tried again under the new one."""

from datetime import date
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.unresolved.conftest import COUNTY, listed
from tests.visits.factories import a_visit

NEW = 120120000000
SHIFT = NEW - COUNTY


async def test_it_is_owed_and_stored_at_the_new_code(client, database, settings, director) -> None:
    chosen = new_id()
    for body in (a_visit(chosen), a_visit(uuid4())):
        answer = await client.post("/v1/visits", json=body, headers=director.headers)
        assert answer.status_code == 202, answer.text
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, NEW, date(2026, 7, 1))
    township = await a_caller(database, settings, "township_supervisor", 120119101000 + SHIFT)
    items = await listed(client, township, "?state=open")
    assert {item["region_code"] for item in items} == {f"{120119101000 + SHIFT}"}
    assert {item["sender"]["region_code"] for item in items} == {f"{VILLAGE + SHIFT}"}
    assert len(items) == 2
    opened = await client.post(
        "/v1/children", json=a_file(VILLAGE + SHIFT, id=str(chosen)), headers=township.headers
    )
    assert opened.status_code == 201, opened.text
    await run_jobs(database)
    (stored,) = await listed(client, township, "?state=attached")
    assert stored["child_id"] == str(chosen)


@pytest.fixture
def replaced(database):
    async def replace(old: int, new: int) -> None:
        async with database.begin(SYSTEM) as tx:
            await replace_region(tx, old, new, date(2026, 7, 1))
        await run_jobs(database)

    return replace


async def _to_answer(client, office) -> list[str]:
    items = await listed(client, office, "?state=open&kind=referral")
    return [item["id"] for item in items if "answerUnresolved" in item["permitted"]]


async def _owed(client, office) -> list[str]:
    answer = await client.get("/v1/duties?state=open", headers=office.headers)
    return [duty["subject_id"] for duty in answer.json()["items"] if duty["rule"] == "REG-12"]


@pytest.mark.usefixtures("refused")
class TestReferred:
    """Two files, and the place of one passes to another office: as when the file moves."""

    async def test_the_office_of_both_answers_alone(
        self, client, database, director, refused, county, other_county, act, replaced
    ) -> None:
        """Once, and nobody is asked again whether the two that it told apart are one."""
        await replaced(120118101000, 120119109000)
        assert await _to_answer(client, other_county) == []
        assert await _owed(client, other_county) == []
        (item,) = await _to_answer(client, county)
        assert item == refused["referral_id"]
        said = await act(county, item, "answer", answer="another_child", words="已核实")
        assert (said.status_code, said.json()["state"]) == (200, "answered")
        await run_jobs(database)
        assert await listed(client, county, "?state=open&kind=referral") == []
        body = {name: refused[name] for name in refused if name != "referral_id"}
        again = await client.post("/v1/children", json=body, headers=director.headers)
        assert (again.status_code, again.json()["id"]) == (200, refused["id"])

    async def test_so_it_does_where_the_file_was_to_be_opened(
        self, client, county, other_county, act, replaced
    ) -> None:
        await replaced(120119101000, 120118109000)
        assert await _to_answer(client, county) == []
        (item,) = await _to_answer(client, other_county)
        assert await _owed(client, other_county) == [item]
        said = await act(other_county, item, "answer", answer="same_child", words="已核实")
        assert (said.status_code, said.json()["state"]) == (200, "answered")

    async def test_what_one_has_answered_stands(
        self, client, database, settings, county, other_county, act, replaced
    ) -> None:
        third = 120117000000
        await some_regions(database, third + 101201)
        office = await a_caller(database, settings, "civil_affairs", third)
        (item,) = await _to_answer(client, county)
        await act(county, item, "answer", answer="same_child", words="已核实")
        await replaced(120118101000, third + 109000)
        assert await _to_answer(client, other_county) == []
        (theirs,) = await _to_answer(client, office)
        said = await act(office, theirs, "answer", answer="same_child", words="已核实")
        assert (said.status_code, said.json()["state"]) == (200, "answered")

    async def test_the_same_sent_again_is_the_same(
        self, client, director, refused, county, other_county, act, replaced
    ) -> None:
        """It is known by what was sent, not by the code its place has today."""
        for office in (county, other_county):
            (item,) = await _to_answer(client, office)
            await act(office, item, "answer", answer="same_child", words="已核实")
        await replaced(COUNTY, NEW)
        body = {name: refused[name] for name in refused if name != "referral_id"}
        again = await client.post("/v1/children", json=body, headers=director.headers)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/answered-already")
        assert again.headers["location"] == f"/v1/unresolved/{refused['referral_id']}"
