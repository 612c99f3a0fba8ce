"""Nobody knows the child, and no office of the place may know of the report: the police owe it."""

from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, filed, the_offices
from tests.police_reports.test_chain import AT, step
from tests.police_reports.test_unknown_child import owed
from tests.unresolved.conftest import listed, tick

PROVINCE = 120000000000


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def report_id(client, database, offices) -> str:
    found = await filed(client, offices.school, suspect_agency_id="民政局的人")
    await run_jobs(database)
    return found


async def test_the_police_in_charge_owe_it_and_settle_it(
    client, database, offices, child, report_id
) -> None:
    [duty] = await owed(client, offices.police)
    assert (duty["state"], duty["bearer"]["role"]) == ("open", "police")
    assert duty["bearer"]["agency_id"] == str(offices.police.agency_id)
    for caller in (offices.township, offices.county):
        assert await owed(client, caller) == await listed(client, caller) == []
    body = {"identified_at": AT, "child_id": str(child.id), "basis": "民警走访辨认。"}
    answer = await step(client, offices.police, report_id, "child", body)
    assert answer.status_code == 201, answer.text
    await run_jobs(database)
    assert [duty["state"] for duty in await owed(client, offices.police)] == ["discharged"]


async def test_an_office_that_comes_and_may_know_owes_it_then(
    client, database, settings, offices, report_id
) -> None:
    province = await a_caller(database, settings, "civil_affairs", PROVINCE)
    for _ in range(2):
        await tick(database, "police_reports.ask_again")
        [duty] = await owed(client, province)
        assert (duty["bearer"]["role"], duty["state"]) == ("civil_affairs", "open")
        assert await owed(client, offices.police) == []
    [item] = await listed(client, province, "?kind=report")
    assert (item["report_id"], item["id"]) == (report_id, duty["subject_id"])
    assert (await owed(client, offices.county), await listed(client, offices.county)) == ([], [])


async def test_nor_does_an_office_miss_it_that_nothing_is_hidden_from(
    client, database, settings, offices
) -> None:
    await filed(client, offices.school)
    await run_jobs(database)
    late = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    assert await owed(client, late) == []
    async with database.begin(SYSTEM) as tx:  # as the release before had it queued
        await queue.enqueue(tx.connection, "police_reports.ask_on", [{"after": str(UUID(int=0))}])
    await run_jobs(database)
    [duty] = await owed(client, late)
    assert duty["bearer"]["agency_id"] == str(offices.township.agency_id)
