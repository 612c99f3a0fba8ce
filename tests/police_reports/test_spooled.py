"""A report is taken in also while the audit cannot be written (ADR 34), and filed once it can."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from app.access import queries as access
from app.access.principal import as_kept
from app.core.data import db
from app.core.data.crypto import DecryptionRefused
from app.core.data.db import NATION, SYSTEM, Reach
from app.core.jobs import queue
from app.police_reports import models
from app.police_reports.operations import spooling
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import VILLAGE, a_report, rows, the_offices
from tests.waiting import PATIENCE, until

URL = "/v1/police-reports"
NARRATIVE = "孩子独自在家已有三天。"


@pytest.fixture
async def offices(live_database, settings):
    return await the_offices(live_database, settings)


@pytest.fixture
async def impatient(live_database, keyring, database_urls, settings) -> AsyncIterator[db.Database]:
    """The database, to a process that looks after a tenth of a second why it waits."""
    engine = db.open_engine(database_urls.app, settings.database)
    database = db.Database(engine, keyring, live_database.clock, lock_seconds=0.5)
    yield database
    await database.close()


@asynccontextmanager
async def locked(owner_url: str, how: str = "LOCK TABLE audit_entries IN ACCESS EXCLUSIVE MODE"):
    """Keep the audit from being written inside, in a transaction that is taken back."""
    owner = await asyncpg.connect(owner_url)
    lock = owner.transaction()
    await lock.start()
    await owner.execute(how)
    try:
        yield
    finally:
        await lock.rollback()
        await owner.close()


async def spooled_are_filed(database) -> None:
    """What the worker does of it, each minute and sooner."""
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY[spooling.FILE_SPOOLED].handler(tx, {})
    await run_jobs(database)


async def test_a_report_is_taken_in_and_filed_once_as_of_then(
    app, settings, live_database, impatient, database_urls, offices
) -> None:
    mine = {**offices.school.headers, "idempotency-key": "the-same"}
    body = a_report(found_at=None)
    seen = await rows(live_database, "audit_entries")
    async with calling(app, settings, impatient) as client:
        async with locked(database_urls.owner):
            loop = asyncio.get_running_loop()
            began = loop.time()
            first = await client.post(URL, json=body, headers=mine)
            assert loop.time() - began < settings.database.statement_timeout_ms / 1000 / 2
            assert first.status_code == 202, first.text
            told = first.json()
            assert told["received_at"] == "2026-11-20T02:00:00Z"
            assert first.headers["location"] == f"{URL}/{told['id']}"
            again = await client.post(URL, json=body, headers=mine)
            assert (again.status_code, again.json()) == (202, told)
            assert again.headers["idempotency-replayed"] == "true"
            other = await client.post(URL, json={**body, "id": told["id"]}, headers=mine)
            assert other.json()["id"] != told["id"], "another report under an id that is taken"

            refused = await client.get(URL, headers=offices.school.headers)
            assert refused.json()["type"] == "/problems/record-away"
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            unsaid = await client.post(URL, json={"situations": ["missing"]}, headers=mine)
            assert unsaid.status_code == 422
            unplaced = {"narrative": NARRATIVE, "situations": ["missing"]}
            unplaced = await client.post(URL, json=unplaced, headers=offices.school.headers)
            assert unplaced.json()["type"] == "/problems/report-invalid"
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            await spooled_are_filed(live_database)
            assert await rows(live_database, "police_reports") == []
        assert await rows(live_database, "audit_entries") == seen

        await until(lambda: _is_ready(client))
        await spooled_are_filed(live_database)
        assert await rows(live_database, "spooled_reports") == []
        filed = {str(row["id"]): row for row in await rows(live_database, "police_reports")}
        assert filed.keys() == {told["id"], other.json()["id"]}
        report = filed[told["id"]]
        assert report["reporter_agency_id"] == offices.school.agency_id
        assert report["police_agency_id"] == offices.police.agency_id
        assert report["filed_at"] == report["found_at"] == live_database.clock()
        audited = [
            (row["operation"], row["agency_id"], row["purpose"], str(row["subject_id"]))
            for row in await rows(live_database, "audit_entries")
            if row["operation"] == "fileReport"
        ]
        expected = ("fileReport", offices.school.agency_id, str(offices.school.purpose))
        assert (*expected, told["id"]) in audited
        assert len(audited) == len(filed)
        deliveries = await rows(live_database, "webhook_deliveries")
        assert sorted(str(row["ordering_key"]) for row in deliveries) == sorted(filed)
        duties = await rows(live_database, "duties")
        assert {str(row["subject_id"]) for row in duties} >= filed.keys()
        read = await client.get(f"{URL}/{told['id']}", headers=offices.police.headers)
        assert read.json()["narrative"] == NARRATIVE
        after = await client.post(URL, json=body, headers=mine)
        assert (after.status_code, after.json()) == (202, told)
        assert len(await rows(live_database, "police_reports")) == len(filed)


async def _is_ready(client) -> bool:
    return (await client.get("/readyz")).status_code == 200
