"""What a list reads is about what it shows, also for who sees the whole nation, and nothing where
its filters leave nothing to see.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest

from app.core.data.db import SYSTEM
from app.core.jobs import queue
from app.duties import discharging, owners, periodic
from app.duties import escalating as duties
from app.duties.operations import counties
from app.unresolved import queries as unresolved
from tests import schema
from tests.access.factories import a_caller, an_agency
from tests.conftest import VILLAGE
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY

pytestmark = pytest.mark.usefixtures("swept")

ROWS = 6_000
_DUTIES = """
INSERT INTO duties (id, rule, subject_id, home_county, region_code, bearer_role, period,
    counts_from, opened_at, due_at, overdue_at, state, version)
SELECT gen_random_uuid(),
       CASE WHEN n % 10 = 0 THEN 'VIS-01' ELSE (ARRAY['VIS-08', 'REG-10', 'REG-11'])[1 + n % 3] END,
       gen_random_uuid(), county, county, 'village_director', '',
       '2026-10-01', now(), now() + n * interval '1 minute', now(),
       CASE WHEN n % 10 = 0 THEN 'overdue' ELSE 'cancelled' END, 1
FROM (SELECT n, 130101000000 + n % 300 * 1000000 AS county FROM generate_series(1, $1) AS n) AS u
"""
"""Of several rules: were all of one, a plan made for any rule would as soon read the county."""
_OWED = """
SELECT id FROM duties WHERE state = 'overdue' LIMIT $1
"""
_QUESTIONS = """
INSERT INTO unresolved (id, kind, reason, region_code, owner_role, state, due_at, received_at,
    updated_at, version, about_id)
SELECT gen_random_uuid(), 'report', 'child_unknown', 130101000000 + n % 300 * 1000000,
       'township_supervisor', 'open', now(), now(), now(), 1, gen_random_uuid()
FROM generate_series(1, $1) AS n
"""
_CHILD = """
WITH one AS (
    INSERT INTO children (id, home_county, region_code, name, name_reversed, name_pinyin,
        name_initials, sex, birth_date, version, created_at, updated_at)
    VALUES (gen_random_uuid(), 130101000000, 130101001000, '测', '测', 'ce', 'c', 'female',
        '2016-03-01', 1, now(), now())
    RETURNING *
)
"""
_CHILDREN = """
INSERT INTO children (id, home_county, region_code, name, name_reversed, name_pinyin,
    name_initials, sex, birth_date, categories, version, created_at, updated_at)
SELECT gen_random_uuid(), 130101000000, 130101001000, '测', '测', 'ce', 'c', 'female',
    '2016-03-01', '{left_behind}', 1, now(), now() FROM generate_series(1, $1)
"""
_LEFT_ALONE = """
UPDATE children SET categories = '{}' WHERE id IN (SELECT id FROM children ORDER BY id LIMIT $1)
"""
_DOUBTS = f"""{_CHILD}
INSERT INTO presence_doubts (id, home_county, child_id, region_code, school_id, school_day,
    seen_by_id, opened_at)
SELECT gen_random_uuid(), home_county, one.id,
       CASE WHEN n % 300 = 0 THEN {VILLAGE} ELSE region_code END, $2, date '2026-11-19' - n, $2,
       now()
FROM one, generate_series(1, $1) AS n
"""
_REFERRALS = f"""{_CHILD}
INSERT INTO referrals (id, home_county, child_id, region_code, from_id, to_kind, to_id, waits,
    needs, source, opened_at, opened_by, due_at, state, version)
SELECT gen_random_uuid(), home_county, one.id, region_code, $2, 'hospital', $2, false, '{{ill}}',
       'by_hand', now() - n * interval '1 minute', 'system', now(), 'open', 1
FROM one, generate_series(1, $1) AS n
"""
_CONFIRMATIONS = f"""{_CHILD}
INSERT INTO confirmations (id, home_county, child_id, region_code, received_in, confirmed_on,
    changed, agency_id, content_mac, version, received_at, updated_at)
SELECT gen_random_uuid(), home_county, one.id, region_code, region_code, date '2026-11-19' - n,
       '{{}}', $2, 'x', 1, now(), now()
FROM one, generate_series(1, $1) AS n
"""
_FEW: Final = 20
_ONE: Final = UUID("0198c5a2-7b1e-7c3a-9d51-2f6a3c8e4b10")
_OF_ONE: Final = f"child_id={_ONE}&limit={_FEW}"
_AUDIT = f"""
WITH entry AS (
    INSERT INTO audit_entries (id, at, actor, role, region_code, operation, decision, request_id,
        child_ids)
    SELECT overlay(gen_random_uuid()::text PLACING '0190' FROM 1 FOR 4)::uuid,
           now() - n * interval '1 minute', 'system', 'system',
           130101000000 + n % 100 * 1000000, 'readChild', 'allowed', '-',
           ARRAY[CASE WHEN n <= {_FEW} THEN '{_ONE}' ELSE gen_random_uuid() END]
    FROM generate_series(1, $1) AS n RETURNING id, child_ids
)
INSERT INTO audit_children (entry_id, child_ids) SELECT id, child_ids FROM entry
"""
_VISITS = f"""{_CHILD}
INSERT INTO visits (id, home_county, child_id, region_code, visited_in, visited_on, visitor_type,
    place, channel, abnormal, agency_id, content_mac, version, received_at, updated_at)
SELECT gen_random_uuid(), home_county, one.id, region_code, region_code, date '2026-11-19' - n,
       'teacher', 'home', 'phone', n <= {_FEW}, $2, 'x', 1, now(), now()
FROM one, generate_series(1, $1) AS n
"""
_RARE = f"""
INSERT INTO children (id, home_county, region_code, name, name_reversed, name_pinyin,
    name_initials, sex, birth_date, categories, priority_flags, undecided, version, created_at,
    updated_at)
SELECT gen_random_uuid(), 130101000000, 130101001000 + n % 7 * 1000, '测', '测', 'ce', 'c',
    'female',
    '2016-03-01', CASE WHEN n <= {_FEW} THEN '{{orphan}}' ELSE '{{left_behind}}' END::text[],
    CASE WHEN n <= {_FEW} THEN '{{disabled}}' ELSE '{{}}' END::text[],
    CASE WHEN n <= {_FEW} THEN '{{left_behind.counted}}' ELSE '{{}}' END::text[], 1, now(), now()
FROM generate_series(1, $1) AS n
"""
_FILL = {
    "children": _RARE,
    "audit_entries": _AUDIT,
    "duties": _DUTIES,
    "unresolved": _QUESTIONS,
    "presence_doubts": _DOUBTS,
    "referrals": _REFERRALS,
    "confirmations": _CONFIRMATIONS,
    "visits": _VISITS,
}
_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int FROM pg_stat_xact_user_tables
WHERE relname = $1
"""


@pytest.mark.parametrize(
    ("table", "url", "role", "region", "shown"),
    [
        ("children", "/v1/children?category=left_behind", "civil_affairs", 0, 50),
        ("children", "/v1/children?category=orphan", "civil_affairs", 0, _FEW),
        ("children", "/v1/children?priority_flag=disabled", "civil_affairs", 0, _FEW),
        ("children", "/v1/children?undecided=left_behind.counted", "civil_affairs", 0, _FEW),
        ("children", "/v1/children?category=unattended", "civil_affairs", 130101000000, 0),
        ("duties", "/v1/duties", "civil_affairs", 0, 50),
        ("duties", "/v1/duties?state=overdue", "civil_affairs", 0, 50),
        ("duties", "/v1/duties", "civil_affairs", 130101000000, _FEW),
        ("duties", "/v1/duties?rule=VIS-01", "civil_affairs", 130101000000, _FEW),
        ("duties", "/v1/duties?rule=REP-07", "civil_affairs", 130101000000, 0),
        ("duties", "/v1/duties?priority=true", "civil_affairs", 0, 0),
        ("duties", "/v1/duties?permitted=approveWaiver", "civil_affairs", 0, 0),
        ("duties", "/v1/duties?rule=EDU-03", "village_director", VILLAGE, 0),
        ("unresolved", "/v1/unresolved?kind=report", "education_authority", 0, 0),
        ("unresolved", "/v1/unresolved?kind=handover", "civil_affairs", 0, 0),
        ("unresolved", "/v1/unresolved?state=taken_back", "civil_affairs", 0, 0),
        ("visits", "/v1/visits?abnormal=true", "civil_affairs", 0, _FEW),
        ("visits", "/v1/visits?permitted=confirmWithdrawal", "civil_affairs", 0, 0),
        ("presence_doubts", "/v1/presence-doubts", "civil_affairs", COUNTY, 20),
        ("referrals", "/v1/referrals", "civil_affairs", 0, 50),
        ("referrals", "/v1/referrals?state=cancelled", "civil_affairs", 0, 0),
        ("confirmations", "/v1/confirmations", "civil_affairs", 0, 50),
        ("audit_entries", "/v1/audit-entries", "auditor", 0, 50),
        (
            "audit_entries",
            f"/v1/audit-entries?child_id={_ONE}&limit={_FEW}",
            "auditor",
            13 * 10**10,
            _FEW,
        ),
        ("audit_entries", "/v1/audit-entries", "auditor", 130101000000, 50),
    ],
)
async def test_it_reads_what_it_shows(
    client, database, settings, table, url, role, region, shown
) -> None:
    caller = await a_caller(database, settings, role, region)
    school = await an_agency(database, "school", 130101000000)
    async with database.begin(SYSTEM) as tx:
        of = [school] * ("$2" in _FILL[table])
        await tx.connection.execute(_FILL[table], ROWS, *of)
        await tx.connection.execute("SELECT count_rows($1)", table)
        # Whether an index serves it, not what a table of a few pages costs.
        await tx.connection.execute("SET LOCAL enable_seqscan = off")
        if table == "children":  # a code that is spelt out is found also by a plan for anybody
            await tx.connection.execute("SET LOCAL plan_cache_mode = 'force_generic_plan'")
        if region == 0:
            await tx.connection.execute("SET LOCAL enable_sort = off")
    for _ in range(7):  # a plan made for anybody comes after five that are made for one
        async with database.begin(SYSTEM) as tx:
            before = await tx.connection.fetchval(_READ, table)
        answer = await client.get(url, headers=caller.headers)
        async with database.begin(SYSTEM) as tx:
            read = await tx.connection.fetchval(_READ, table) - before
        assert len(answer.json()["items"]) == shown, answer.text
        assert read <= 2 * shown + 5, read


async def test_what_is_not_owed_any_more_is_not_read_for_what_is_late(database) -> None:
    """The job comes round every minute, over all that was ever owed."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_DUTIES, ROWS)
        await tx.connection.execute("SELECT count_rows('duties')")
        await tx.connection.execute("SET LOCAL enable_seqscan = off")
        before = await tx.connection.fetchval(_READ, "duties")
        assert not await tx.connection.fetch(
            duties._DUE, tx.now + timedelta(days=3650), 500, COUNTY
        )
        assert await tx.connection.fetchval(_READ, "duties") - before <= 5


async def test_who_may_know_whose_a_report_is_is_looked_up_set_by_set(database) -> None:
    """The job comes round every five minutes: a set costs the same, however much is asked."""
    after, seen = UUID(int=0), 0
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_QUESTIONS, ROWS)
        await tx.connection.execute("SELECT count_rows('unresolved')")
        await tx.connection.execute("SET LOCAL enable_seqscan = off")
        for _ in range(3):
            before = await tx.connection.fetchval(_READ, "unresolved")
            found = await unresolved.of_reports(tx, after, 100)
            assert await tx.connection.fetchval(_READ, "unresolved") - before <= 2 * 100
            after, seen = found[-1]["about_id"], seen + len({row["id"] for row in found})
    assert seen == 3 * 100


@schema.whole_tables
async def test_what_comes_round_in_each_county_reads_what_is_owed_there(database) -> None:
    """Whoever answers for a place is looked up once for all that is owed there, not for each."""
    county, roles = 130101000000 + 10 * 1000000, [["VIS-01"], ["village_director"]]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_DUTIES, ROWS)
        await tx.connection.execute("SELECT count_rows('duties')")
        await tx.connection.execute("SET LOCAL enable_seqscan = off")
        before = await tx.connection.fetchval(_READ, "duties")
        assert len(await counties(tx)) == 30
        assert await tx.connection.fetchval(_READ, "duties") - before <= 2 * 30
        for sql, arguments, indexes in (
            (owners._OF_POSTS, [*roles, tx.today], ["ix_clients_machine_at", "code = f.place"]),
            (owners._OVERSEEN, [["VIS-01"], "education"], ["bearer_agency_id = d_"]),
        ):
            rows = await tx.connection.fetch(f"EXPLAIN {sql}", county, *arguments)
            found = "\n".join(row[0] for row in rows)
            assert "Seq Scan" not in found, found
            for index in ("ix_duties_owed_in_county", *indexes):
                assert index in found, found
            assert ("CTE found" in found) == (sql is owners._OF_POSTS), found
        owed = [row["id"] for row in await tx.connection.fetch(_OWED, owners.BATCH)]
        done = discharging._FOUND.format(match="child_id", which="true", of=owners._THEIRS)
        rows = await tx.connection.fetch(f"EXPLAIN {done}", "VIS-01", tx.today, owed)
        assert any("using pk_duties" in row[0] for row in rows), "each by its key"


async def test_a_night_reads_each_child_by_itself_and_writes_what_changed(
    database, monkeypatch
) -> None:
    """A set of a county's children at a time, also where nearly all of them came since rows were
    counted: no plan looks for a child's duty among those of others.
    """
    number, each = 900, 3  # REG-03 twice, VIS-01
    monkeypatch.setattr(periodic, "SET", number // 3)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("SELECT count_rows('children', 'duties')")
        await tx.connection.execute(_DUTIES, ROWS)
        await tx.connection.execute(_CHILDREN, number)
        await tx.connection.execute("SET LOCAL enable_seqscan = off")
    for gone in (0, 0, 1):
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(_LEFT_ALONE, gone)
            before = await tx.connection.fetchval(_READ, "duties")
            county = {"home_county": 130101000000}
            await queue.enqueue(tx.connection, "duties.open_period_in_county", [county])
        assert len(await run_jobs(database)) == 1 + 3
        async with database.begin(SYSTEM) as tx:
            read = await tx.connection.fetchval(_READ, "duties") - before
            # By whatever index, some of each child's own for each rule: no child's times a set's.
            assert read <= 200 * number, read
            rows = await tx.connection.fetch("SELECT state, xmax::text <> '0' AS held FROM duties")
        assert sum(row["state"] == "open" for row in rows) == (number - gone) * each
        assert sum(row["held"] for row in rows) == 0, "what is as it was is not even locked"
