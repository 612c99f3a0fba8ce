"""From filing to proof of delivery: real commits, a real sender, a real receiver."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from app import main
from app.core.data.db import SYSTEM, Database
from tests import schema
from tests.access.factories import a_caller, an_agency
from tests.conftest import NOW
from tests.jobs import run_jobs
from tests.police_reports.factories import CANARY, TOWNSHIP, a_report, filed
from tests.waiting import until
from tests.webhooks.workshop import an_endpoint, receiving, sending, settings_for, verified

URL = "/v1/police-reports"


@pytest.fixture
async def live_client(
    app, settings, live_database: Database, database_urls: schema.Urls
) -> AsyncIterator[httpx.AsyncClient]:
    """The app over the pool, with real commits; empties the database afterwards."""
    async with main.state(settings, live_database) as shared:

        async def with_state(scope, receive, send):
            scope["state"] = dict(shared)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute("TRUNCATE agencies, events, jobs, audit_entries, idempotency_keys CASCADE")
    await owner.close()


async def test_report_reaches_the_police_and_the_chain_proves_it(
    live_client, live_database, settings, database_urls
) -> None:
    police_id = await an_agency(live_database, "police", TOWNSHIP)
    police = await a_caller(live_database, settings, "police", TOWNSHIP, agency_id=police_id)
    school = await a_caller(live_database, settings, "school", TOWNSHIP)
    async with receiving() as receiver:
        _, key = await an_endpoint(
            live_database,
            police_id,
            receiver.url,
            event_types=("police_reports.report_filed",),
            relation="none",
        )
        report_id = await filed(live_client, school)
        async with sending(live_database, settings_for(receiver), database_urls.app):
            await until(lambda: receiver.received)
    await run_jobs(live_database)
    [got] = receiver.received
    async with live_database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT urgent FROM webhook_deliveries")
    assert verified(got, key, NOW)["data"]["fetch"] == f"{URL}/{report_id}"
    for secret in (CANARY, a_report()["subject"]["name"], a_report()["narrative"]):
        assert secret not in got.body.decode()
    answer = await live_client.get(f"{URL}/{report_id}/chain", headers=police.headers)
    chain = answer.json()
    assert chain["state"] == "delivered"
    [delivery] = chain["deliveries"]
    assert delivery["webhook_id"] == got.headers["webhook-id"]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [200]
