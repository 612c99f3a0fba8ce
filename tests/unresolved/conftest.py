from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.children.indexes import external_index
from app.children.queries import ChildRef
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs import queue
from tests.access.factories import Caller, a_caller
from tests.attendance.factories import School, a_school, an_event
from tests.children.factories import a_child, a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.visits.factories import a_visit

TOWNSHIP = 120119101000
COUNTY = 120119000000
OTHER_COUNTY = 120118000000
OTHER_COUNTY_VILLAGE = 120118101201

NUMBER = {"system": "xueji", "number": "G000000000000000001"}

Act = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(autouse=True)
async def places(database) -> None:
    await some_regions(database, VILLAGE, VILLAGE + 1, OTHER_COUNTY_VILLAGE)


@pytest.fixture
async def township(database, settings) -> Caller:
    return await a_caller(database, settings, "township_supervisor", TOWNSHIP)


@pytest.fixture
async def county(database, settings) -> Caller:
    return await a_caller(database, settings, "civil_affairs", COUNTY)


@pytest.fixture
async def other_county(database, settings) -> Caller:
    return await a_caller(database, settings, "civil_affairs", OTHER_COUNTY)


@pytest.fixture
def act(client) -> Act:
    """Settle a question as a caller, on the version it has now."""

    async def post(caller: Caller, item: str, act: str, **body: Any) -> httpx.Response:
        if act in {"attachment", "correction"}:
            body = {"words": "已核实", **body}
        read = await client.get(f"/v1/unresolved/{item}", headers=caller.headers)
        headers = {**caller.headers, "if-match": read.headers.get("etag", '"1"')}
        return await client.post(f"/v1/unresolved/{item}/{act}", json=body, headers=headers)

    return post


@pytest.fixture
async def alias(client, director, township, child, act) -> str:
    """What the director's phone called the child, by the word of the township."""
    body = a_visit(uuid4())
    sent = await client.post("/v1/visits", json=body, headers=director.headers)
    item = sent.json()["unresolved_id"]
    attached = await act(township, item, "attachment", child_id=str(child.id))
    assert attached.json()["state"] == "attached", attached.text
    return body["child_id"]


@pytest.fixture
async def elsewhere(client, database, settings) -> str:
    """A file in another county; its id."""
    stranger = await a_caller(database, settings, "village_director", OTHER_COUNTY_VILLAGE)
    answer = await client.post(
        "/v1/children", json=a_file(OTHER_COUNTY_VILLAGE), headers=stranger.headers
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.fixture
async def refused(client, database, director, elsewhere) -> dict:
    """What the director's phone sent, and the answer."""
    body = a_file(VILLAGE, id=str(new_id()))
    answer = await client.post("/v1/children", json=body, headers=director.headers)
    assert answer.status_code == 202, answer.text
    await run_jobs(database)
    return {**body, "referral_id": answer.json()["referral_id"]}


async def listed(client, caller: Caller, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/unresolved{query}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def tick(database: Database, job: str) -> None:
    """Run a job that is run every few minutes, and all that follows from it."""
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY[job].handler(tx, {})
    await run_jobs(database)


async def count(database: Database, table: str) -> int:
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetchval(f"SELECT count(*) FROM {table}")


async def numbered(database: Database, child, system: str, number: str) -> None:
    """Let a child have a number of another system."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO child_external_ids (index, child_id, home_county, region_code,"
            " pupil_of, section) VALUES ($1, $2, $3, $4, $5, 'education')",
            external_index(tx.keyring, system, number),
            child.id,
            child.home_county,
            child.region_code,
            child.school_id,
        )


@pytest.fixture
async def school(database, settings) -> School:
    return await a_school(database, settings)


@pytest.fixture
async def teacher(database, settings, school) -> Caller:
    return await a_caller(database, settings, "school", TOWNSHIP, agency_id=school.id)


@pytest.fixture
async def pupil(database, school) -> ChildRef:
    return await a_child(
        database,
        VILLAGE,
        school_id=school.id,
        education={"school_id": str(school.id)},
        residence={"region_code": f"{VILLAGE}"},
    )


def of_number(day: str = "2026-11-20", **fields: Any) -> dict[str, Any]:
    """An absence of whoever has NUMBER."""
    return {**an_event(uuid4(), day), "student": NUMBER, **fields}


async def slots(database: Database) -> list[Any]:
    """What half-days say by now."""
    async with database.begin(SYSTEM) as tx:
        return await tx.connection.fetch(
            "SELECT child_id, school_id, school_day::text AS day, category"
            " FROM attendance_slots ORDER BY school_day"
        )
