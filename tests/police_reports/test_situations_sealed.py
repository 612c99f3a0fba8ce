"""What the release before wrote in the clear of a report is read, and sealed once that is gone."""

import pytest

from app.core.data import former, sealed
from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.police_reports.operations import situations
from tests.access.factories import a_caller
from tests.children.conftest import VILLAGE
from tests.children.factories import a_file
from tests.conftest import calling
from tests.former import left, parts
from tests.jobs import run_jobs
from tests.police_reports.factories import filed, rows, the_offices


async def kept(database) -> tuple[list[str], list[str]]:
    """Return the situations of the report there is: in the clear, and in all."""
    async with database.begin(SYSTEM) as tx:
        plain = await tx.connection.fetchval("SELECT situations FROM police_reports")
    [report] = await rows(database, "police_reports")
    return plain, report["situations"]


@pytest.mark.parametrize("batch", [1, 1000])
async def test_they_are_sealed_and_none_is_lost(
    batch, app, live_database, database_urls, settings, now, monkeypatch
) -> None:
    monkeypatch.setattr(situations, "BATCH", batch)
    database = live_database
    await left(database_urls.owner, now - former.FOR_THE_LATE)
    offices = await the_offices(database, settings)
    async with calling(app, settings, database) as client:
        await filed(client, offices.village, situations=["living_alone"])
    assert await kept(database) == ([], ["living_alone"])
    async with database.begin(SYSTEM) as tx:  # as it says anew which are meant
        await tx.connection.execute("UPDATE police_reports SET situations = '{missing}'")
        await queue.enqueue(tx.connection, "police_reports.seal_situations", [{}])
    await run_jobs(database)
    assert await kept(database) == ([], ["living_alone", "missing"])
    async with database.begin(SYSTEM) as tx:
        assert former.SITUATIONS in await parts(tx.connection), "more may have come meanwhile"
        await queue.enqueue(tx.connection, "police_reports.seal_situations", [{}])
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        assert await parts(tx.connection) == {former.NAMES, former.FINDINGS}


async def test_while_the_release_before_may_run_they_are_written_for_it_too(
    app, live_database, database_urls, settings, now
) -> None:
    await left(database_urls.owner, now)
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        await filed(client, offices.village, situations=["living_alone"])
        director = await a_caller(live_database, settings, "village_director", VILLAGE)
        opened = await client.post("/v1/children", json=a_file(VILLAGE), headers=director.headers)
        assert opened.status_code == 201, opened.text
    async with live_database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "police_reports.seal_situations", [{}])
        await queue.enqueue(tx.connection, "visits.seal_findings", [{}])
    await run_jobs(live_database)
    assert await kept(live_database) == (["living_alone"], ["living_alone"])
    [report] = await rows(live_database, "police_reports")
    assert await rows(live_database, "report_keys") == [], "the release before knows none"
    assert report["narrative_sealed"][:1] == b"\x01"
    assert await rows(live_database, "child_keys") == []
    async with live_database.begin(SYSTEM) as tx:
        for each in sealed.TABLES:
            for column in each.places:
                under = f"SELECT count(*) FROM {each.table} t WHERE substr(t.{column}, 1, 1) = $1"
                assert not await tx.connection.fetchval(under, b"\x04"), (each.table, column)
