"""Systems that have no date write the first or the last there is: it is kept and marked, and
everybody who has a part goes on reading the report.
"""

import pytest

from app.core.data.db import SYSTEM
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, the_offices
from tests.police_reports.test_chain import ACCEPT, URL, step

FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def all_read(client, offices, report_id: str) -> None:
    for who in (offices.police, offices.township, offices.county, offices.school):
        for path in ("", f"/{report_id}", f"/{report_id}/chain"):
            answer = await client.get(URL + path, headers=who.headers)
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "sent", [FIRST, "0001-01-01T08:00:00+08:00", "0001-01-01T00:00:00+14:00", LAST]
)
async def test_a_report_found_at_no_time_is_kept_as_sent(client, database, offices, sent) -> None:
    report_id = await filed(client, offices.school, found_at=sent)
    await run_jobs(database)
    await all_read(client, offices, report_id)
    answer = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
    assert "field_unread" in answer.json()["doubts"]
    assert answer.json()["as_sent"]["unread"] == {"found_at": sent}


@pytest.mark.parametrize("sent", [FIRST, LAST])
async def test_a_step_at_no_time_is_taken_and_stands_where_it_came_in(
    client, database, offices, sent
) -> None:
    report_id = await filed(client, offices.school)
    accepted = {**ACCEPT, "accepted_at": sent}
    answer = await step(client, offices.police, report_id, "acknowledgement", accepted)
    assert (answer.status_code, answer.json()["at_ahead"]) == (201, sent == LAST)
    await run_jobs(database)
    await all_read(client, offices, report_id)
    read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
    assert [each["in_order_by"] for each in read.json()["steps"]] == ["recorded_at"]


@pytest.mark.parametrize("stored", ["infinity", "-infinity", "0001-01-01T00:00:00.000001Z"])
async def test_what_is_stored_so_already_is_read(client, database, offices, stored) -> None:
    report_id = await filed(client, offices.school)
    await step(client, offices.police, report_id, "acknowledgement", ACCEPT)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            f"UPDATE police_reports SET found_at = '{stored}', acknowledged_at = '{stored}'"
        )
        await tx.connection.execute(
            "INSERT INTO police_report_steps (id, home_county, report_id, step, at, recorded_at,"
            " agency_id, codes, content_index, out_of_order) SELECT gen_random_uuid(), home_county,"
            f" report_id, 'dispatched', '{stored}', recorded_at, agency_id, '{{}}', '', false"
            " FROM police_report_steps"
        )
    await all_read(client, offices, report_id)
