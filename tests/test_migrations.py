"""The migrated database is exactly what the models and their security declare."""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from alembic import command
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
    granted = dict(asyncio.run(_rows(empty.owner, _GRANTS)))
    declared = {
        table.name: ", ".join(sorted(table.privileges.split(", "))) for table in rls.TABLES.values()
    }
    assert granted == {**declared, "alembic_version": "SELECT"}  # /readyz reads the revision


def test_policies_in_the_database_are_those_declared(empty: schema.Urls) -> None:
    migrations.upgrade(empty.owner)
    migrated = dict(asyncio.run(_rows(empty.owner, _EXPRESSIONS)))
    asyncio.run(_redeclare(empty.owner))
    assert dict(asyncio.run(_rows(empty.owner, _EXPRESSIONS))) == migrated


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
_GRANTS = f"""
SELECT table_name::text, string_agg(privilege_type, ', ' ORDER BY privilege_type COLLATE "C")
FROM information_schema.role_table_grants WHERE grantee = '{rls.APP_ROLE}' GROUP BY 1
"""
_EXPRESSIONS = """
SELECT c.relname::text, pg_get_expr(p.polqual, p.polrelid) || '|' ||
       pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
"""
