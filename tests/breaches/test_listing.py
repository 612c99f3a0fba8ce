"""Whom to tell, read out of the audit."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.audit import operations as audit
from app.breaches import listing, yearly
from app.breaches.listing import Asked
from app.core.data.db import SYSTEM
from app.core.data.months import first_id
from app.core.http.shown import Seen
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.conftest import NOW, VILLAGE
from tests.police_reports.factories import a_report, the_offices
from tests.rights.factories import a_filed_child, answered_by_two, asked, copied

DAY = timedelta(days=1)
OTHER_COUNTY = 120118000000


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def _concerned(database, since=NOW - DAY, until=NOW + DAY, **only):
    async with database.begin(SYSTEM) as tx:
        return [each async for each in listing.concerned(tx, Asked(since, until, **only))]


async def _read(client, caller, child):
    await client.get(f"/v1/children/{child.id}", headers=caller.headers)


async def test_each_child_once_with_the_office_that_tells(
    client, database, settings, offices
) -> None:
    here, beyond = await a_child(database, VILLAGE), await a_child(database, OTHER_COUNTY + 101200)
    stranger = await a_caller(database, settings, "civil_affairs", OTHER_COUNTY)
    for _ in range(2):
        await _read(client, offices.village, here)
    await _read(client, stranger, beyond)
    await _read(client, stranger, here)  # nothing was shown
    found = {each.child_id: each for each in await _concerned(database)}
    assert found.keys() == {here.id, beyond.id}
    one = found[here.id]
    assert (one.looks, one.operations, one.place) == (2, ["readChild"], VILLAGE)
    assert one.office_id == offices.township.agency_id
    assert found[beyond.id].office_id == stranger.agency_id


async def test_narrowed_by_who_with_what_and_when(client, database, offices) -> None:
    child = await a_child(database, VILLAGE)
    await _read(client, offices.village, child)
    await client.get("/v1/children", headers=offices.county.headers)
    village = f"staff:{offices.village.subject_id}"
    (only,) = await _concerned(database, actor=village)
    assert only.operations == ["readChild"]
    (only,) = await _concerned(database, operation="listChildren")
    assert only.operations == ["listChildren"]
    assert await _concerned(database, client_id=UUID(int=1)) == []
    assert await _concerned(database, until=NOW) == []
    assert await _concerned(database, since=NOW + timedelta(seconds=1)) == []


async def test_a_child_without_a_file_or_that_is_only_stored_is_told_of_too(
    client, database, settings, offices
) -> None:
    child_id = await a_filed_child(client, offices.village)
    request = await asked(client, offices.village, child_id, kind="erasure")
    two = (client, database, settings, offices.township)
    await answered_by_two(*two, request, outcome="refused", reason="kept_by_law")
    gone, alone = UUID(int=7), await a_child(database, OTHER_COUNTY + 101200)  # no office there
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "INSERT INTO audit_entries (id, at, actor, role, operation, child_ids, decision,"
            " request_id) VALUES ($1, $2, 'system', '-', 'x', $3, 'allowed', '-')",
            first_id(NOW),
            NOW,
            [gone, alone.id],
        )
    found = {each.child_id: each for each in await _concerned(database)}
    assert (found[gone].place, found[gone].office) == (None, None)
    assert (found[alone.id].place, found[alone.id].office) == (OTHER_COUNTY + 101200, None)
    restricted = found[UUID(child_id)]
    assert restricted.office_id == offices.county.agency_id  # of the county that opened the file


async def test_a_report_about_nobody_known_is_counted_beside_the_children(
    client, database, offices
) -> None:
    headers = offices.village.headers | {"purpose-of-use": "protection"}
    filed = await client.post("/v1/police-reports", json=a_report(), headers=headers)
    assert filed.status_code == 201, filed.text
    await client.get(f"/v1/police-reports/{filed.json()['id']}", headers=headers)
    listed = await client.get("/v1/police-reports", headers=headers)
    assert len(listed.json()["items"]) == 1
    assert await _concerned(database) == []
    meant = Asked(NOW - DAY, NOW + DAY, f"staff:{offices.village.subject_id}")
    async with database.begin(SYSTEM) as tx:
        rows, unnamed = await listing.looks(tx, meant)
        nothing = await listing.looks(tx, Asked(NOW - DAY, NOW + DAY, "staff:x"))
        await audit.record(tx, audit.SYSTEM, "aJob", Seen(subject=UUID(int=1)))
        somebody = audit.SYSTEM._replace(subject="staff:x", purpose="care")
        for decision in ("denied", "allowed"):
            seen = Seen(subject=UUID(int=1), decision=decision)
            await audit.record(tx, somebody, f"was_{decision}", seen)
        found = (await listing.looks(tx, Asked(NOW - DAY, NOW + DAY)))[1]
        assert {"aJob", "was_denied", "was_allowed"} & found.keys() == {"was_allowed"}
    assert (rows, unnamed["readReport"], unnamed["listReports"]) == (3, 1, 1)
    assert nothing == (0, {})


async def test_that_it_was_asked_is_recorded(client, database, offices) -> None:
    await _concerned(database)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM audit_entries WHERE operation = 'breach'")
    assert (row["actor"], row["child_ids"], str(row["since"])) == ("system", [], "2026-11-19")


_FILL = """
INSERT INTO audit_entries (id, at, actor, agency_id, role, region_code, operation, child_ids,
    decision, request_id)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000'
        || '8000' || lpad(to_hex(n), 12, '0'))::uuid, at, 'staff:' || n % 50, NULL, 'x',
    120119101200, 'listChildren',
    ARRAY[('00000000-0000-4000-8000-' || lpad(to_hex(n % 5000), 12, '0'))::uuid], 'allowed', '-'
FROM (SELECT n, $1::timestamptz - n * interval '1 second' * $2::float AS at
      FROM generate_series($3::int + 1, $3 + $4::int) AS n) AS made
"""


_SET = 50_000


async def _pages(tx, asked) -> tuple[int, str]:
    text, values = listing.statement(asked)
    said = await tx.connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", *values)
    plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], json.dumps(plan)


@pytest.mark.parametrize(
    "number", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)], ids=["short", "a million"]
)
async def test_an_hour_of_a_year_is_found_by_its_time(database, number: int) -> None:
    """As many pages as the hour has entries, not as the audit: by index, in its month alone."""
    every = 30 * 86_400 / number  # seconds
    async with database.begin(SYSTEM) as tx:
        for begun in range(0, number, _SET):
            await tx.connection.execute(_FILL, NOW, every, begun, min(_SET, number))
        since = NOW - 3 * DAY
        pages, plan = await _pages(tx, Asked(since, since + timedelta(hours=1)))
        entries = 3_600 / every
    assert "ix_audit_entries_at_id" in plan or "_at_id_idx" in plan
    assert pages < 200 + 12 * entries, pages  # three for each month there is


async def test_the_figures_of_a_year_tell_under_14_and_under_18_apart(
    client, database, offices
) -> None:
    for born in (datetime(2013, 1, 1, tzinfo=UTC), datetime(2010, 6, 1, tzinfo=UTC)):
        await a_child(database, VILLAGE, birth_date=born.date())
    await a_child(database, VILLAGE, birth_date=datetime(2008, 12, 31, tzinfo=UTC).date())
    child_id = await a_filed_child(client, offices.village)
    request = await asked(client, offices.village, child_id)
    await copied(client, offices.township, request)
    await client.get(f"/v1/children/{UUID(int=1)}", headers=offices.village.headers)
    async with database.begin(SYSTEM) as tx:
        found = await yearly.figures(tx, 2026)
        before = await yearly.figures(tx, 2025)
    assert found["files"] == {"under_14": 2, "under_18": 3, "all": 4}
    assert (found["looks"]["denied"], found["looks"]["partly"]) == (1, 0)
    assert found["requests"] == [{"kind": "access", "became": "open", "requests": 1, "copies": 1}]
    assert found["posts"]["standing"] >= 5
    assert (before["requests"], before["looks"]["allowed"]) == ([], 0)
