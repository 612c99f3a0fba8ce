"""A report is taken in also while the audit cannot be written (ADR 34), and filed once it can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from structlog.testing import capture_logs

from app.access import queries as access
from app.access.principal import Principal, as_kept, kept
from app.access.roles import role as role_of
from app.access.tokens import Claims
from app.core import settings as config
from app.core.data import db
from app.core.data.db import NATION, SYSTEM, Database, Reach
from app.core.data.envelopes import DecryptionRefused
from app.core.data.sql import insert
from app.core.jobs import queue
from app.police_reports import models
from app.police_reports.operations import spooling
from tests import schema
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.conftest import calling
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    CANARY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    filed,
    rows,
    the_offices,
)
from tests.waiting import PATIENCE, until

AUDIT = "audit_entries"
URL = "/v1/police-reports"
NARRATIVE = "孩子独自在家已有三天。"


@pytest.fixture
async def offices(live_database, settings):
    return await the_offices(live_database, settings)


@pytest.fixture
async def impatient(live_database, keyring, database_urls) -> AsyncIterator[db.Database]:
    """The database, to a process that looks soon why it waits, and else would wait too long."""
    long = int(PATIENCE * 4_000)
    limits = config.Database(lock_timeout_ms=long, statement_timeout_ms=long)
    engine = db.open_engine(database_urls.app, limits)
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


async def spooled_are_filed(database) -> list[str]:
    """What the worker does of it, each minute and sooner; returns the jobs that ran."""
    async with database.begin(SYSTEM) as tx:
        await queue.REGISTRY[spooling.FILE_SPOOLED].handler(tx, {})
    return await run_jobs(database)


async def test_a_report_is_taken_in_and_filed_once_as_of_then(
    app, settings, live_database, impatient, database_urls, offices
) -> None:
    mine = {**offices.school.headers, "idempotency-key": "the-same"}
    body = a_report(found_at=None)
    known = a_report(id=str(uuid4()))
    async with calling(app, settings, impatient) as client:
        await filed(client, offices.village, **known)
        seen = {row["id"] for row in await rows(live_database, "audit_entries")}
        async with locked(database_urls.owner):
            async with asyncio.timeout(PATIENCE):
                first = await client.post(URL, json=body, headers=mine)
            assert first.status_code == 202, first.text
            told = first.json()
            assert told["received_at"] == "2026-11-20T02:00:00Z"
            assert first.headers["location"] == f"{URL}/{told['report_id']}"
            again = await client.post(URL, json=body, headers=mine)
            assert (again.status_code, again.json()) == (202, told)
            assert again.headers["idempotency-replayed"] == "true"
            other = await client.post(URL, json={**body, "id": told["report_id"]}, headers=mine)
            sent = [{**known, "narrative": "又一件事。"}] * 2
            anew = [
                await client.post(URL, json=each, headers=offices.school.headers) for each in sent
            ]
            ids = {
                told["report_id"],
                other.json()["report_id"],
                *(each.json()["report_id"] for each in anew),
            }
            assert len({*ids, known["id"]}) == 4, "each is one, and none under an id that is taken"

            await _all_else_is_refused(client, offices)
            assert spooling.FILE_ONE not in await spooled_are_filed(live_database)
            assert len(await rows(live_database, "police_reports")) == 1
        assert {row["id"] for row in await rows(live_database, "audit_entries")} == seen
        soon = [row["name"] for row in await rows(live_database, "jobs") if row["payload"] != "{}"]
        assert soon.count(spooling.FILE_SPOOLED) == 1, "however many came"

        await until(lambda: _is_ready(client))
        received_at = live_database.clock()
        later = received_at + timedelta(hours=1)
        await spooled_are_filed(Database(impatient.engine, impatient.keyring, lambda: later))
        assert await rows(live_database, "spooled_reports") == []
        stored = {str(row["id"]): row for row in await rows(live_database, "police_reports")}
        assert stored.keys() == {*ids, known["id"]}
        report = stored[told["report_id"]]
        assert report["reporter_agency_id"] == offices.school.agency_id
        assert report["police_agency_id"] == offices.police.agency_id
        assert report["filed_at"] == report["found_at"] == received_at
        audited = {
            str(row["subject_id"]): (row["operation"], row["agency_id"], row["purpose"], row["at"])
            for row in await rows(live_database, "audit_entries")
            if row["id"] not in seen
        }
        mark = ("fileReport", offices.school.agency_id, str(offices.school.purpose), later)
        assert audited == dict.fromkeys(ids, mark)
        deliveries = await rows(live_database, "webhook_deliveries")
        assert sorted(str(row["ordering_key"]) for row in deliveries) == sorted(stored)
        duties = await rows(live_database, "duties")
        assert {str(row["subject_id"]) for row in duties} >= stored.keys()
        read = await client.get(f"{URL}/{told['report_id']}", headers=offices.police.headers)
        assert read.json()["narrative"] == NARRATIVE
        after = await client.post(URL, json=body, headers=mine)
        assert (after.status_code, after.json()) == (202, told)
        assert len(await rows(live_database, "police_reports")) == len(stored)


async def _all_else_is_refused(client, offices) -> None:
    headers = offices.school.headers
    refused = await client.get(URL, headers=headers)
    assert refused.json()["type"] == "/problems/record-away"
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    unsaid = await client.post(URL, json={"situations": ["missing"]}, headers=headers)
    assert unsaid.status_code == 422
    unplaced = {"narrative": NARRATIVE, "situations": ["missing"]}
    unplaced = await client.post(URL, json=unplaced, headers=headers)
    assert unplaced.json()["type"] == "/problems/report-invalid"
    assert (await client.get("/livez")).status_code == 200
    with capture_logs() as logs:
        assert (await client.get("/readyz")).status_code == 503
    assert [line["cause"] for line in logs if line["event"] == "request"] == ["record_away"]


async def _is_ready(client) -> bool:
    return (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("REVOKE INSERT ON {} FROM tonghu_app", "GRANT INSERT ({1}) ON {0} TO tonghu_app"),
        ("ALTER TABLE {} RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO {}"),
        # As of a month that no partition takes.
        ("ALTER TABLE {} ADD CHECK (false) NOT VALID", "ALTER TABLE {0} DROP CONSTRAINT {0}_check"),
    ],
)
async def test_whatever_keeps_the_audit_from_being_written(
    app, settings, live_database, impatient, database_urls, offices, broken, mended
) -> None:
    """The report does; what a row says does not."""
    async with impatient.begin() as tx:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await impatient.recording.kept(tx, lambda _: tx.connection.execute("SELECT 1 / 0"))
    assert impatient.recording.missing is None
    owner = await asyncpg.connect(database_urls.owner)
    body = a_report(urgency="standard")
    async with calling(app, settings, impatient) as client:
        await owner.execute(broken.format(AUDIT))
        try:
            answer = await client.post(URL, json=body, headers=offices.school.headers)
            assert answer.status_code == 202, answer.text
            assert (await client.get("/readyz")).status_code == 503
        finally:
            said = sorted(f"{c}" for t, p, c in schema.declared() if (t, p) == (AUDIT, "INSERT"))
            await owner.execute(mended.format(AUDIT, ", ".join(said)))
            await owner.close()
        await until(lambda: _is_ready(client))
        answer = await client.post(URL, json=body, headers=offices.school.headers)
        assert answer.status_code == 201, answer.text


async def test_what_it_is_about_is_of_the_record_too(
    app, settings, live_database, impatient, database_urls, offices
) -> None:
    """Where of whom it tells cannot be written, a report waits; it does not fail until held."""
    owner = await asyncpg.connect(database_urls.owner)
    child = await a_child(live_database, VILLAGE, school_id=offices.school.agency_id)
    await owner.execute("ALTER TABLE audit_children ADD CHECK (false) NOT VALID")
    try:
        async with calling(app, settings, impatient) as client:
            body = a_report(child_id=str(child.id))
            answer = await client.post(URL, json=body, headers=offices.school.headers)
        assert answer.status_code == 202, answer.text
        assert spooling.FILE_ONE not in await spooled_are_filed(live_database)
        async with live_database.begin(SYSTEM) as tx:  # it was queued a moment before
            await queue.REGISTRY[spooling.FILE_ONE].handler(tx, {"id": answer.json()["report_id"]})
        assert len(await rows(live_database, "spooled_reports")) == 1
    finally:
        await owner.execute("ALTER TABLE audit_children DROP CONSTRAINT audit_children_check")
        await owner.close()
    assert spooling.FILE_ONE in await spooled_are_filed(live_database)
    assert [str(row["id"]) for row in await rows(live_database, "police_reports")] == [
        answer.json()["report_id"]
    ]


async def test_what_waits_is_read_by_nobody_without_the_key(
    app, settings, live_database, impatient, database_urls, offices
) -> None:
    async with calling(app, settings, impatient) as client, locked(database_urls.owner):
        answer = await client.post(URL, json=a_report(), headers=offices.school.headers)
        assert answer.status_code == 202, answer.text
    [row] = await rows(live_database, "spooled_reports")
    assert row["urgent"]
    kept = str(dict(row)) + row["sealed"].decode("latin-1")
    for said in (NARRATIVE, CANARY, str(offices.school.agency_id), "living_alone"):
        assert said not in kept
        assert said.encode() not in row["sealed"]
    everybody = Reach(*NATION, agency=offices.school.agency_id, caller="client:somebody")
    for reach in (None, everybody):
        async with live_database.begin(reach) as tx:
            assert await tx.connection.fetch("SELECT * FROM spooled_reports") == []
    ring = live_database.keyring
    of_web = replace(ring, unspool={})
    with pytest.raises(DecryptionRefused):
        of_web.unseal_away(models.SPOOLED, row["id"], row["sealed"])
    sent = orjson.loads(ring.unseal_away(models.SPOOLED, row["id"], row["sealed"]))
    assert orjson.loads(sent["body"].encode("latin-1")) == a_report()
    assert as_kept({**sent}).agency_id == offices.school.agency_id


async def test_what_cannot_be_filed_is_kept_and_held(
    app, settings, live_database, impatient, database_urls, offices
) -> None:
    async with calling(app, settings, impatient) as client, locked(database_urls.owner):
        answer = await client.post(URL, json=a_report(), headers=offices.school.headers)
    async with live_database.begin(SYSTEM) as tx:
        await queue.REGISTRY[spooling.FILE_SPOOLED].handler(tx, {})
        await queue.REGISTRY[spooling.FILE_SPOOLED].handler(tx, {})
        found = await tx.connection.fetch(
            "UPDATE jobs SET status = 'held' WHERE name = $1 RETURNING dedupe_key",
            spooling.FILE_ONE,
        )
        assert [row["dedupe_key"] for row in found] == [answer.json()["report_id"]]
    withheld = Database(impatient.engine, replace(impatient.keyring, unspool={}), impatient.clock)
    with pytest.raises(DecryptionRefused):
        async with withheld.begin(SYSTEM) as tx:
            await queue.REGISTRY[spooling.FILE_ONE].handler(tx, {"id": answer.json()["report_id"]})
    await spooled_are_filed(live_database)  # it is not tried again by itself
    assert len(await rows(live_database, "spooled_reports")) == 1
    async with live_database.begin(SYSTEM) as tx:
        held = await queue.held(tx.connection)
        await queue.release(tx.connection, [each["id"] for each in held])
    await run_jobs(live_database)
    [report] = await rows(live_database, "police_reports")
    assert str(report["id"]) == answer.json()["report_id"]


async def test_the_urgent_are_filed_first_and_of_these_the_oldest(
    database, monkeypatch, now
) -> None:
    monkeypatch.setattr(spooling, "_PER_RUN", 1)
    waiting = [
        {"id": uuid4(), "urgent": urgent, "received_at": now - timedelta(minutes=minutes)}
        for urgent, minutes in ((True, 10), (False, 30), (True, 20), (False, 40))
    ]
    async with database.begin(SYSTEM) as tx:
        for row in waiting:
            sent = {"content_index": b"-", "sealed": b"-"}
            await insert(tx.connection, "spooled_reports", {**row, **sent})
        for _ in waiting:
            await queue.REGISTRY[spooling.FILE_SPOOLED].handler(tx, {})
        jobs = "SELECT dedupe_key FROM jobs WHERE name = $1 ORDER BY id"
        order = [UUID(row[0]) for row in await tx.connection.fetch(jobs, spooling.FILE_ONE)]
    assert order == [waiting[place]["id"] for place in (2, 0, 3, 1)]


async def test_two_agencies_that_send_the_same_are_two(
    app, settings, live_database, impatient, database_urls, offices
) -> None:
    body = a_report(id=str(uuid4()))
    callers = (offices.school, offices.village)
    async with calling(app, settings, impatient) as client:
        async with locked(database_urls.owner):
            heard = [
                (await client.post(URL, json=body, headers=caller.headers)).json()["report_id"]
                for caller in (*callers, *callers)
            ]
        assert heard[:2] == heard[2:]
        assert heard[0] != heard[1]
        await until(lambda: _is_ready(client))
        for caller, own, others in zip(callers, heard, reversed(heard[:2]), strict=False):
            waits = await client.get(f"{URL}/{own}", headers=caller.headers)
            assert (waits.status_code, waits.headers["retry-after"]) == (503, "2")
            assert waits.json()["type"] == "/problems/report-waits"
            assert (await client.get(f"{URL}/{others}", headers=caller.headers)).status_code == 404
        await spooled_are_filed(live_database)
        for caller, own in zip(callers, heard, strict=False):
            read = await client.get(f"{URL}/{own}", headers=caller.headers)
            assert read.status_code == 200, read.text
    stored = {
        str(row["id"]): row["reporter_agency_id"]
        for row in await rows(live_database, "police_reports")
    }
    assert stored == {heard[0]: offices.school.agency_id, heard[1]: offices.village.agency_id}


@pytest.mark.parametrize("called", ["by its id", "by none", "by another's"])
async def test_sent_again_before_it_is_filed_it_is_as_of_when_it_came(
    app, settings, live_database, impatient, database_urls, offices, called
) -> None:
    """A receipt is worth what it says: the police's time runs from then (REP-08)."""
    body = a_report(id="no id" if called == "by none" else str(uuid4()))
    others = {**body, "narrative": "另一件事。"}
    received_at = live_database.clock()
    later = Database(
        impatient.engine, impatient.keyring, lambda: received_at + timedelta(minutes=4)
    )
    async with calling(app, settings, impatient) as client:
        if called == "by another's":
            await filed(client, offices.village, **others)
        async with locked(database_urls.owner):
            first = await client.post(URL, json=body, headers=offices.school.headers)
            assert first.status_code == 202, first.text
    async with calling(app, settings, later) as client:
        await until(lambda: _is_ready(client))
        again = await client.post(URL, json=body, headers=offices.school.headers)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["report_id"])
    await spooled_are_filed(live_database)
    stored = {str(row["id"]): row for row in await rows(live_database, "police_reports")}
    assert len(stored) == 1 + (called == "by another's")
    assert stored[again.json()["id"]]["filed_at"] == received_at
    assert await rows(live_database, "spooled_reports") == []


@pytest.mark.parametrize("role", ["school", "village_director", "hospital"])
async def test_it_is_filed_in_the_reach_its_sender_had(database, settings, role) -> None:
    """A school its pupils, a director the village, a hospital no file."""
    caller = await a_caller(database, settings, role, VILLAGE if "_" in role else TOWNSHIP)
    said = {**caller.claims}
    del said["region_code"]
    claims = Claims(**said, token_id=uuid4(), issued_at=0, expires_at=0)
    reach = "SELECT array_agg(current_setting('tonghu.' || name)) FROM unnest($1::text[]) AS name"
    async with database.begin() as tx:
        row = await access.open_reach(tx, claims, relation=role_of(role).relation)
        opened = await tx.connection.fetchval(reach, list(SYSTEM.settings))
        principal = Principal(
            subject=claims.subject,
            staff_id=None,
            client_id=UUID(claims.client_id),
            agency_id=row["agency_id"],
            agency_kind=row["agency_kind"],
            role=role_of(role),
            region_code=row["region_code"],
            region_lo=row["remit_lo"],
            region_hi=row["remit_hi"],
            scopes=claims.scopes,
            request_id="-",
            ip=None,
            served=tuple(row["served"]),
        )
        restored = as_kept(orjson.loads(orjson.dumps(kept(principal), default=str)))
        assert restored == principal
        await tx.reach(SYSTEM)
        await tx.reach(access.reach_of(restored))
        assert await tx.connection.fetchval(reach, list(SYSTEM.settings)) == opened
