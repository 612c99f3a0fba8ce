"""Make and drop a database for one test worker."""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from app import wiring
from app.core.clock import utc_now
from app.core.data import db, distribution, months, rls, versions
from app.embedded import postgres

PASSWORD = "only-for-tests"
PARTED = "TONGHU_PARTED" in os.environ
"""Whether tables that are spread by a column lie in parts by it, as on several machines: PostgreSQL
then refuses each key, unique rule and foreign key that does not hold the column.
"""
PARTS = 4
whole_tables = pytest.mark.skipif(PARTED, reason="asks the catalogue of tables in one piece")
"""Of a test that goes by the names of tables or indexes: parts have names of their own."""


_STAMP = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('{head}')",
    f"GRANT SELECT ON alembic_version TO {rls.APP_ROLE}",
)
"""What migrating would have left besides the tables."""


_COUNT = """
CREATE FUNCTION count_rows(VARIADIC names text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
$$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY names LOOP EXECUTE format('ANALYZE %I', name); END LOOP;
END $$
"""
"""ANALYZE for the app role in the middle of its transaction: without it plans are made for a table
as it was, and the command itself does nothing but warn who does not own the table.
"""


_AS_THEY_ARE = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', name);
    END LOOP;
END $$
"""
"""Only a test counts rows: a plan is not another one because a minute has passed."""


GRANTED = f"""
SELECT c.relname::text, a.privilege_type, NULL FROM pg_class c, aclexplode(c.relacl) a
WHERE a.grantee = '{rls.APP_ROLE}'::regrole AND c.relkind IN ('r', 'p')
UNION ALL
SELECT c.relname::text, a.privilege_type, t.attname::text
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
WHERE a.grantee = '{rls.APP_ROLE}'::regrole
"""
"""What the app role was granted: table, privilege, and column if it is for one only."""


def declared() -> set[tuple[str, str, str | None]]:
    """Return what the models grant the app role, in the form of GRANTED."""
    return {
        (table.name, privilege, column)
        for table in rls.TABLES.values()
        for privilege, columns in re.findall(r"(\w+)(?: \(([^)]*)\))?(?:, |$)", table.privileges)
        for column in (columns.split(", ") if columns else [None])
    }


@dataclass(frozen=True, slots=True)
class Urls:
    """DSNs of one database, as the app role, the owner, who makes backups and the sealer."""

    app: str
    owner: str
    backup: str
    sealer: str


def make(superuser_url: str, name: str) -> Urls:
    """Create a database with the schema of the models, owned by the owner role."""
    urls = bare(superuser_url, name)
    asyncio.run(_create_all(urls.owner))
    return urls


def bare(superuser_url: str, name: str) -> Urls:
    """Create a database without tables."""
    postgres.bootstrap(superuser_url, name, PASSWORD, PASSWORD, PASSWORD, PASSWORD)
    return urls_of(superuser_url, name)


def copy(superuser_url: str, template: str, name: str) -> Urls:
    """Make a database like another one, which nobody is connected to."""
    asyncio.run(_create(superuser_url, name, template))
    return bare(superuser_url, name)  # it is not: what was there stays


async def _create(superuser_url: str, name: str, template: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    await connection.close()


def urls_of(superuser_url: str, name: str) -> Urls:
    """Write the DSNs of a database made by `postgres.bootstrap` with PASSWORD."""
    return Urls(
        app=_as(superuser_url, rls.APP_ROLE, name),
        owner=_as(superuser_url, rls.OWNER_ROLE, name),
        backup=_as(superuser_url, rls.BACKUP_ROLE, name),
        sealer=_as(superuser_url, rls.SEALER_ROLE, name),
    )


async def _create_all(url: str) -> None:
    wiring.load()
    engine = create_async_engine(db.as_sqlalchemy_url(url))
    async with engine.begin() as connection:
        with _parted():
            await connection.run_sync(SQLModel.metadata.create_all)
        for statement in _parts():
            await connection.exec_driver_sql(statement)
        for table in rls.TABLES.values():
            for statement in rls.statements(table):
                await connection.exec_driver_sql(statement)
        for statement in _fixed():
            await connection.exec_driver_sql(statement)
        for statement in _STAMP:
            await connection.exec_driver_sql(statement.format(head=versions.head()))
        for statement in [*_first_parts(), *months.statements(), "SELECT make_months()"]:
            await connection.exec_driver_sql(statement)
        await connection.exec_driver_sql(rls.for_others())
        await connection.exec_driver_sql(_COUNT)
        await connection.exec_driver_sql(_AS_THEY_ARE)
    await engine.dispose()


@contextmanager
def _parted() -> Iterator[None]:
    """Let tables be made in parts, by what their rows are spread by."""
    tables = [SQLModel.metadata.tables[name] for name in distribution.SPREAD if PARTED]
    for table in tables:
        column = table.columns[distribution.SPREAD[table.name]]
        table.dialect_kwargs["postgresql_partition_by"] = f'HASH ("{column.name}")'
    yield
    for table in tables:
        table.dialect_kwargs["postgresql_partition_by"] = None


def _parts() -> Iterator[str]:
    for name in distribution.SPREAD if PARTED else ():
        for part in range(PARTS):
            yield (
                f"CREATE TABLE {name}_{part} PARTITION OF {name}"
                f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
            )


def _fixed() -> Iterator[str]:
    """Let the app change every column of spread tables but the one they are spread by, as Citus
    would: a statement that does is refused.
    """
    for name, by in distribution.SPREAD.items() if PARTED else ():
        if "UPDATE" in rls.TABLES[name].privileges.split(", "):
            columns = SQLModel.metadata.tables[name].columns
            others = ", ".join(f'"{c.name}"' for c in columns if c.name != by and not c.computed)
            yield f"REVOKE UPDATE ON {name} FROM {rls.APP_ROLE}"
            yield f"GRANT UPDATE ({others}) ON {name} TO {rls.APP_ROLE}"


def _first_parts() -> Iterator[str]:
    """Yield what makes the part that migrating leaves: up to the month after the next."""
    now = utc_now()
    year, month = divmod(now.year * 12 + now.month + 1, 12)
    upto = datetime(year, month + 1, 1, tzinfo=UTC)
    for table in months.PARTITIONED:
        yield (
            f"CREATE TABLE {table}_until_{upto:%Y_%m} PARTITION OF {table}"
            f" FOR VALUES FROM (MINVALUE) TO ('{months.first_id(upto)}')"
        )


async def empty(superuser_url: str, urls: Urls) -> None:
    """Delete every row, whatever points at it. Only the superuser may delete audit entries."""
    connection = await asyncpg.connect(_in_it(superuser_url, urls))
    await connection.execute("SET session_replication_role = replica")
    for name in rls.TABLES:
        await connection.execute(f"DELETE FROM {name}")
    for (name,) in await connection.fetch(_PUT_BY):
        await connection.execute(f"DROP TABLE {name}")
    await connection.close()


_PUT_BY = """
SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND NOT relispartition
    AND relnamespace = 'public'::regnamespace AND relname ~ '_[0-9]{4}_[0-9]{2}_(kept|gone)$'
"""
"""What a month that was broken off leaves until the next night."""

_SIZE = """
SELECT pg_total_relation_size($1::regclass)
    + coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree($1::regclass)
"""
"""A table's with its months."""


async def sweep(superuser_url: str, urls: Urls) -> None:
    """Give back the room of rows that are gone, where it is more than a megabyte: what a plan costs
    for the next test would be counted by it.
    """
    connection = await asyncpg.connect(_in_it(superuser_url, urls))
    for name in rls.TABLES:
        if await connection.fetchval(_SIZE, name) > 1 << 20:
            await connection.execute(f"VACUUM FULL {name}")
    await connection.close()


async def drop(superuser_url: str, name: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


def _in_it(superuser_url: str, urls: Urls) -> str:
    return urlunsplit(urlsplit(superuser_url)._replace(path=urlsplit(urls.app).path))


def _as(url: str, user: str, name: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{PASSWORD}@{host}", path=f"/{name}"))
