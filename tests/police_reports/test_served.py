"""What is hidden from an agency is hidden from everybody who served it, whatever post they hold."""

from datetime import date

import pytest

from app.core.data.db import Reach
from app.regions.rules import subtree
from tests.access.factories import a_new_post
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, filed, the_offices
from tests.police_reports.test_chain import URL


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def teacher(database, settings, offices):
    """Of the school reported, now at the township."""
    on = date(2026, 11, 20)
    return await a_new_post(database, settings, offices.school, "township_supervisor", TOWNSHIP, on)


async def test_nothing_of_a_report_against_it(client, database, offices, teacher) -> None:
    accused = str(offices.school.agency_id)
    report = await filed(client, offices.village, suspect_agency_id=accused)
    other = await filed(client, offices.village, narrative="另一件")
    await run_jobs(database)
    assert (await client.get(f"{URL}/{report}", headers=offices.township.headers)).is_success
    assert (await client.get(f"{URL}/{report}", headers=teacher.headers)).status_code == 404
    assert (await client.get(f"{URL}/{other}", headers=teacher.headers)).status_code == 200
    for path in ("police-reports", "duties", "unresolved"):
        seen = await client.get(f"/v1/{path}", headers=offices.township.headers)
        assert report in seen.text, path
        answer = await client.get(f"/v1/{path}", headers=teacher.headers)
        assert answer.status_code == 200, answer.text
        assert report not in answer.text, path


async def test_nor_once_it_is_named(client, offices, teacher) -> None:
    report = await filed(client, offices.village, suspect_agency_id="学校的老师")
    naming = {"named_at": "2026-11-20T09:55:00+08:00", "basis": "合成记录:家长指认"}
    body = {**naming, "suspect_agency_id": str(offices.school.agency_id)}
    answer = await client.post(f"{URL}/{report}/suspect", json=body, headers=offices.police.headers)
    assert answer.status_code == 201, answer.text
    assert (await client.get(f"{URL}/{report}", headers=offices.township.headers)).is_success
    assert (await client.get(f"{URL}/{report}", headers=teacher.headers)).status_code == 404


async def test_the_rows_say_so_too(client, database, offices) -> None:
    accused = offices.school.agency_id
    await filed(client, offices.village, suspect_agency_id=str(accused))
    await run_jobs(database)
    township = offices.township.agency_id
    for served, expected in (((township,), 1), ((township, accused), 0)):
        reach = Reach(*subtree(TOWNSHIP), agency=township, caller="staff:x", served=served)
        async with database.begin(reach) as tx:
            for table in ("police_reports", "unresolved"):
                count = await tx.connection.fetchval(f"SELECT count(*) FROM {table}")
                assert count == expected, table
