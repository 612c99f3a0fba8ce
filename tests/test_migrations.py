"""The migrated database is exactly what the models and their security declare."""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator
from uuid import UUID

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from alembic import command
from app.children import below
from app.core.data import migrations, rls
from app.embedded import postgres
from tests import schema


@pytest.fixture
def empty(pg: str) -> Iterator[schema.Urls]:
    """A database without tables."""
    name = f"tonghu_migrate_{os.getpid()}"
    postgres.bootstrap(pg, name, schema.PASSWORD, schema.PASSWORD)
    yield schema.urls_of(pg, name)
    asyncio.run(schema.drop(pg, name))


def test_there_is_one_head() -> None:
    script = ScriptDirectory.from_config(migrations.configuration())
    assert len(script.get_heads()) == 1


def test_up_down_up_and_the_models_equal_the_database(empty: schema.Urls) -> None:
    config = migrations.configuration(empty.owner)
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    assert asyncio.run(_rows(empty.owner, _TABLES)) == [("alembic_version",)]
    command.upgrade(config, "head")
    command.check(config)
    assert asyncio.run(_rows(empty.owner, _POLICIES)) == sorted(
        table.name for table in rls.TABLES.values() if table.using
    )


def test_two_deploys_at_once_take_turns(empty: schema.Urls) -> None:
    # Two processes: Alembic keeps its state in module globals.
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(migrations.upgrade, [empty.owner] * 2)
    assert asyncio.run(_rows(empty.owner, "SELECT version_num FROM alembic_version")) == [
        (migrations.head(),)
    ]


def test_the_app_role_has_just_the_privileges_declared(empty: schema.Urls) -> None:
    migrations.upgrade(empty.owner)
    granted = set(asyncio.run(_rows(empty.owner, schema.GRANTED)))
    # /readyz reads the revision
    assert granted == schema.declared() | {("alembic_version", "SELECT", None)}


def test_policies_in_the_database_are_those_declared(empty: schema.Urls) -> None:
    migrations.upgrade(empty.owner)
    migrated = dict(asyncio.run(_rows(empty.owner, _EXPRESSIONS)))
    asyncio.run(_redeclare(empty.owner))
    assert dict(asyncio.run(_rows(empty.owner, _EXPRESSIONS))) == migrated


def test_what_was_written_before_gets_its_childs_place(empty: schema.Urls) -> None:
    config = migrations.configuration(empty.owner)
    command.upgrade(config, "0012")
    asyncio.run(_as_system(empty.owner, _AT_0012))
    command.upgrade(config, "head")
    for table in (table for level in below.FOLLOWING for table in level):
        copies = asyncio.run(_as_system(empty.owner, _COPIES.format(table=table)))
        assert copies == [(120119101200, UUID(int=7))], table
    there = asyncio.run(_as_system(empty.owner, _THERE))
    assert there == [(120119101100, 120119101100, [UUID(int=8)], [UUID(int=8)])]
    assert asyncio.run(_as_system(empty.owner, "SELECT region_code FROM staff")) == [
        (120119000000,)
    ]
    command.downgrade(config, "0012")
    before = "SELECT v.region_code, a.region_code FROM visits v, dropout_alerts a"
    assert asyncio.run(_as_system(empty.owner, before)) == [(120119101100, 120119101100)]


async def _as_system(url: str, sql: str) -> list[object]:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT set_config('tonghu.lo', '0', false), set_config('tonghu.caller', 'system', false),"
        " set_config('tonghu.hi', '1000000000000', false)"
    )
    rows = [] if "INSERT" in sql else await connection.fetch(sql)
    if "INSERT" in sql:
        await connection.execute(sql)
    await connection.close()
    return [tuple(row) for row in rows]


async def _redeclare(url: str) -> None:
    connection = await asyncpg.connect(url)
    for table in rls.TABLES.values():
        for statement in rls.statements(table):
            await connection.execute(statement)
    await connection.close()


async def _rows(url: str, sql: str) -> list[object]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(sql)
    await connection.close()
    if rows and len(rows[0]) == 1 and sql is _POLICIES:
        return [row[0] for row in rows]
    return [tuple(row) for row in rows]


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_POLICIES = """
SELECT c.relname::text FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
WHERE c.relrowsecurity AND c.relforcerowsecurity ORDER BY c.relname COLLATE "C"
"""
_EXPRESSIONS = """
SELECT c.relname::text, pg_get_expr(p.polqual, p.polrelid) || '|' ||
       pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
"""

# One row in each table below a child who has moved since the visit and since the alert opened.
_ID = "'00000000-0000-0000-0000-00000000000{}'".format
_CHILD, _SCHOOL, _EDUCATION = _ID(1), _ID(7), _ID(8)
_AT_0012 = f"""
INSERT INTO agencies (id, kind, name, region_code, active, version, created_at, updated_at)
VALUES ({_SCHOOL}, 'school', 's', 120119000000, true, 1, now(), now()),
       ({_EDUCATION}, 'education', 'e', 120119000000, true, 1, now(), now());
INSERT INTO staff (id, agency_id, name, active, created_at)
VALUES ({_ID(9)}, {_SCHOOL}, 't', true, now());
INSERT INTO children (id, home_county, region_code, school_id, sex, birth_date, version, created_at,
    updated_at)
VALUES ({_CHILD}, 120119000000, 120119101200, {_SCHOOL}, 'female', '2016-03-01', 1, now(), now());
INSERT INTO resident_ids (home_county, child_id, index) VALUES (120119000000, {_CHILD}, 'a');
INSERT INTO child_external_ids (home_county, child_id, index, section)
VALUES (120119000000, {_CHILD}, 'a', 'education');
INSERT INTO child_facts (home_county, child_id, id, kind, value_sealed, since, stated_by,
    recorded_at)
VALUES (120119000000, {_CHILD}, {_ID(2)}, 'family', '', '2026-01-01', 's', now());
INSERT INTO child_changes (home_county, child_id, id, version, at, actor, role, operation,
    changes_sealed)
VALUES (120119000000, {_CHILD}, {_ID(2)}, 1, now(), 's', 'r', 'o', '');
INSERT INTO visits (home_county, child_id, id, region_code, visited_on, agency_id, visitor_type,
    place, channel, abnormal, content_mac, version, received_at, updated_at)
VALUES (120119000000, {_CHILD}, {_ID(2)}, 120119101100, '2026-01-01', {_SCHOOL}, 'teacher', 'home',
    'phone', false, '', 1, now(), now());
INSERT INTO visit_versions (home_county, child_id, visit_id, version, snapshot_sealed, replaced_at,
    replaced_by)
VALUES (120119000000, {_CHILD}, {_ID(2)}, 1, '', now(), 's');
INSERT INTO attendance_events (home_county, child_id, id, agency_id, batch_id, source, event_id,
    content_sha256, school_day, session, category, happened_at, sequence, received_at)
VALUES (120119000000, {_CHILD}, {_ID(2)}, {_SCHOOL}, {_ID(2)}, 's', 'e', '', '2026-01-01',
    'morning', 'unexcused', now(), 0, now());
INSERT INTO attendance_slots (home_county, child_id, school_id, school_day, session, category,
    sequence, happened_at, event_row_id, batch_id, updated_at)
VALUES (120119000000, {_CHILD}, {_SCHOOL}, '2026-01-01', 'morning', 'unexcused', 0, now(), {_ID(2)},
    {_ID(2)}, now());
INSERT INTO dropout_alerts (home_county, child_id, id, region_code, school_id, state, opened_on,
    first_absent_day, last_absent_day, unexcused_days, version, created_at, updated_at)
VALUES (120119000000, {_CHILD}, {_ID(3)}, 120119101100, {_SCHOOL}, 'measures', '2026-01-01',
    '2026-01-01', '2026-01-01', 3, 1, now(), now());
INSERT INTO dropout_persuasions (home_county, child_id, alert_id, id, persuaded_on, by, method,
    outcome, final, recorded_by, recorded_at)
VALUES (120119000000, {_CHILD}, {_ID(3)}, {_ID(2)}, '2026-01-01', 'teacher', 'phone', 'refused',
    true, 's', now());
INSERT INTO dropout_written_reports (home_county, child_id, alert_id, id, number, cause,
    whereabouts, sent_by, sent_at)
VALUES (120119000000, {_CHILD}, {_ID(3)}, {_ID(2)}, '1', 'illness', 'at_home', 's', now());
INSERT INTO dropout_report_receipts (home_county, child_id, alert_id, id, school_id, agency_id,
    kind)
VALUES (120119000000, {_CHILD}, {_ID(3)}, {_ID(2)}, {_SCHOOL}, {_EDUCATION}, 'education');
INSERT INTO dropout_measures (home_county, child_id, alert_id, id, agency_id, kind, ordered_on,
    ordered_by, recorded_at)
VALUES (120119000000, {_CHILD}, {_ID(3)}, {_ID(2)}, {_EDUCATION}, 'aid', '2026-01-01', 's', now());
"""
_COPIES = "SELECT region_code, pupil_of FROM {table}"
_THERE = """
SELECT v.visited_in, a.opened_in, a.addressed, p.addressed
FROM visits v, dropout_alerts a, dropout_persuasions p
"""
