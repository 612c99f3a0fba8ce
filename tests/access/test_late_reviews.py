"""A review that nobody makes in its time is not forgotten: it goes to those above, who are told."""

from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from tests.access.approving import REASON
from tests.access.factories import a_caller, an_agency
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, VILLAGE
from tests.regions.factories import some_regions
from tests.webhooks.test_router import registered

_DUE = "UPDATE jobs SET run_at = now() WHERE name = 'access.review_due'"
_OVER = "UPDATE reviews SET due_at = due_at - interval '73 hours'"
_TOLD = """
SELECT told_to, data, region_code FROM events WHERE wire_name = 'approvals.review_late'
"""


@pytest.fixture
async def regions(database):
    await some_regions(database, VILLAGE)


async def _its_time_passes(database) -> list[tuple[set[UUID], dict[str, object], int]]:
    """Return whom was told of what, and of where."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_OVER)
        assert await tx.connection.execute(_DUE) == "UPDATE 1"
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(_TOLD)
    return [
        ({UUID(each) for each in row["told_to"]}, row["data"], row["region_code"]) for row in rows
    ]


async def _owed(client, who) -> list[tuple[str, str, list[str]]]:
    page = await client.get("/v1/reviews", headers=who.headers)
    return [(one["operation"], one["state"], one["permitted"]) for one in page.json()["items"]]


async def _suspended_by_a_colleague(client, database, settings):
    """One of three administrators of a school suspends another: the third is to look at that."""
    school = await an_agency(database, "school", VILLAGE)
    one, two, three = [
        await a_caller(database, settings, "administrator", VILLAGE, agency_id=school)
        for _ in range(3)
    ]
    at = f"/v1/staff/{two.subject_id}/suspension"
    assert (await client.post(at, headers=one.headers)).status_code == 200
    return school, three


async def test_an_offices_own_goes_to_who_stands_above(
    client, database, settings, operators, regions
) -> None:
    """Of an administrator the operator. The office, and who runs the platform, are told."""
    school, three = await _suspended_by_a_colleague(client, database, settings)
    assert await _owed(client, three) == [("suspendStaff", "owed", ["finishReview"])]
    assert await _owed(client, operators[0]) == []
    [(told, data, place)] = await _its_time_passes(database)
    assert told == {school, operators[0].agency_id}
    assert (data["operation"], data["done_by_agency_id"]) == ("suspendStaff", str(school))
    assert place == VILLAGE
    assert await _owed(client, operators[0]) == [("suspendStaff", "late", ["finishReview"])]
    assert await _owed(client, three) == [("suspendStaff", "late", [])]


async def test_what_is_reviewed_of_a_place_stays_there_and_is_told_above(
    client, database, settings, regions
) -> None:
    """An education authority's notices are turned: civil affairs of the county let it lie."""
    offices = {
        await an_agency(database, "civil_affairs", place)
        for place in (COUNTY, COUNTY // 10**8 * 10**8)
    }
    county = await a_caller(database, settings, "civil_affairs", COUNTY, machine=False)
    schools = await a_caller(database, settings, "education_authority", COUNTY)
    await registered(client, schools, event_types=["duties.*"])
    owed = [("registerWebhookEndpoint", "owed", ["finishReview"])]
    assert await _owed(client, county) == owed
    [(told, _, place)] = await _its_time_passes(database)
    assert told == {schools.agency_id, *offices}
    assert place == COUNTY
    assert await _owed(client, county) == [("registerWebhookEndpoint", "late", ["finishReview"])]


async def test_of_what_was_looked_at_nobody_is_told(
    client, database, settings, operators, regions
) -> None:
    _, three = await _suspended_by_a_colleague(client, database, settings)
    [owed] = (await client.get("/v1/reviews", headers=three.headers)).json()["items"]
    said = {"finding": "proper", "note": REASON}
    at = f"/v1/reviews/{owed['id']}/finding"
    assert (await client.post(at, json=said, headers=three.headers)).status_code == 200
    assert await _its_time_passes(database) == []
    assert await _owed(client, operators[0]) == []
