"""What the release before wrote in the clear of a report is read, and sealed once that is gone."""

import asyncpg
import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.police_reports.operations import situations
from tests.conftest import calling
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
    batch, client, database, settings, monkeypatch
) -> None:
    monkeypatch.setattr(situations, "BATCH", batch)
    offices = await the_offices(database, settings)
    await filed(client, offices.village, situations=["living_alone"])
    assert await kept(database) == ([], ["living_alone"])
    async with database.begin(SYSTEM) as tx:  # as it says anew which are meant
        await tx.connection.execute("UPDATE police_reports SET situations = '{missing}'")
        await queue.enqueue(tx.connection, "police_reports.seal_situations", [{}])
    await run_jobs(database)
    assert await kept(database) == ([], ["living_alone", "missing"])


async def test_while_the_release_before_may_run_they_are_written_for_it_too(
    app, live_database, database_urls, settings, now
) -> None:
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute("INSERT INTO former_release (since) VALUES ($1)", now)
    await owner.close()
    offices = await the_offices(live_database, settings)
    async with calling(app, settings, live_database) as client:
        await filed(client, offices.village, situations=["living_alone"])
    async with live_database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "police_reports.seal_situations", [{}])
        await queue.enqueue(tx.connection, "visits.seal_findings", [{}])
    await run_jobs(live_database)
    assert await kept(live_database) == (["living_alone"], ["living_alone"])
