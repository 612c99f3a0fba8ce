"""A register of N children, kept under `.cache/plans` for as long as it is copied the same way, and
brought to the newest schema.
"""

import asyncio
import hashlib
import logging
import os
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import structlog
from fastapi import FastAPI

from app import main
from app.api import openapi
from app.children import counting as of_children
from app.children import names, tokens
from app.core.data import db, migrations, months, versions
from app.core.data.crypto import Keyring
from app.core.data.envelopes import Owner, owner_of
from app.core.settings import Database, Environment, Settings
from app.duties import counting as of_duties
from app.embedded import postgres
from app.regions.divisions import shipped
from app.regions.operations import import_divisions
from scripts.scratch import CACHE
from tests import schema
from tests.jobs import run_jobs
from tests.matrix.asking import ask
from tests.matrix.asks import ASKS
from tests.matrix.described import Operation, operations
from tests.matrix.expectation import ROLES
from tests.matrix.facts import Target, Who
from tests.matrix.stage import Stage, a_stage
from tests.plans import sealing
from tests.plans.copying import (
    EVERYTHING,
    FUNCTIONS,
    Layout,
    copy,
    mapped,
    place,
    remember_agencies,
)

_MADE_BY = (
    "copying.py",
    "likely.py",
    "sealing.py",
    "world.py",
    "../matrix/rows.py",
    "../matrix/stage.py",
)
NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
COUNTIES = 225
STAGES = (
    *("village_director", "township_supervisor", "civil_affairs", "school"),
    *("education_authority", "police", "hospital"),
)
"""Whose surroundings are the templates: one of each kind of agency that has a part in a case."""
HARMLESS = {
    "createChild",
    "pushAttendanceEvents",
    "changeChild",
    "recordVisit",
    "recordConfirmation",
}
"""What is done to the target that is asked for later, too; all else to its neighbours only."""

_COUNTIES = """
SELECT code FROM regions WHERE level = 'county' AND valid_until IS NULL
ORDER BY code / 10000000000 NOT IN (13, 14), code LIMIT $1
"""
_PLACES = """
INSERT INTO regions (code, valid_from, name, level, parent_code, source)
SELECT code, '1949-10-01', '测试区划 ' || code, level, parent, 'test' FROM (
    SELECT county + (101 + i) * 1000 AS code, 'township' AS level, county AS parent
    FROM unnest($1::bigint[]) county, generate_series(0, 17) i
    UNION ALL
    SELECT county + (101 + i) * 1000 + 200 + j, 'village', county + (101 + i) * 1000
    FROM unnest($1::bigint[]) county, generate_series(0, 17) i, generate_series(0, 21) j
) p WHERE NOT EXISTS (SELECT FROM regions r WHERE r.code = p.code)
"""
_PUPILS = """
INSERT INTO child_enrolments (home_county, child_id, region_code, pupil_of, id, school_id,
    class_name, class_key, since, stated_by, recorded_at)
SELECT home_county, id, region_code, school_id, gen_random_uuid(), school_id, '三年级一班',
       '三年级一班', '2025-09-01', 'test', created_at
FROM children WHERE school_id IS NOT NULL
ON CONFLICT DO NOTHING
"""
_NAMED = """
SELECT id, home_county, region_code, school_id, name FROM children
WHERE id > $1 ORDER BY id LIMIT 50000
"""
_PRIMARY = """
ALTER TABLE child_names ADD CONSTRAINT pk_child_names
PRIMARY KEY (token, region_code, child_id, home_county)
"""
_INDEXES = """
SELECT indexrelid::regclass::text AS name,
    replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS made_by
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisunique AND NOT c.relispartition
"""


_MONTHS = 36
_FIRST_PART = """
SELECT relid::regclass::text FROM pg_partition_tree($1::text::regclass)
WHERE relid::regclass::text ~ '_until_'
"""


_OWN = b"\x04"


class Unbound(Keyring):
    """Seals what may be unsealed anywhere: a copy is called otherwise than what it is a copy of."""

    def seal(
        self,
        place: str,  # noqa: ARG002
        row: UUID | str,  # noqa: ARG002
        plaintext: str | bytes,
        of: Owner | None = None,
    ) -> bytes:
        sealed = Keyring.seal(self, "", "", plaintext)
        return sealed if of is None or not self.opened[of.named] else _OWN + of.named + sealed

    def unseal_bytes(self, place: str, row: UUID | str, envelope: bytes) -> bytes:  # noqa: ARG002
        sealed = envelope if owner_of(envelope) is None else envelope[len(_OWN) + 17 :]
        return Keyring.unseal_bytes(self, "", "", sealed)


@dataclass(frozen=True, slots=True)
class Kept:
    """What goes with the database: its keys, and who stood where among what."""

    children: int
    keyring: Keyring
    layout: Layout
    keys: dict[UUID, str]
    stages: tuple[tuple[Who, tuple[Target, ...]], ...]

    def target(self, kind: str) -> Target:
        """Give one of everything that an agency of a kind has a part in, amid the register."""
        by_kind = {who.kind: targets[0] for who, targets in self.stages}
        found = by_kind.get(kind, by_kind["hospital"])
        return replace(
            found,
            region=place(found.region, self.copy, self.layout),
            scene=place(found.scene, self.copy, self.layout),
            owner_region=place(found.owner_region, self.copy, self.layout),
            **{name: self.called(getattr(found, name)) for name in ("owner", "school", "police")},
            reporter=self.called(found.reporter),
            ids={name: self.called(each) for name, each in found.ids.items()},
        )

    def called(self, value: UUID) -> UUID:
        return mapped(value, self.keys, self.copy, self.layout)

    @property
    def copy(self) -> int:
        """The copy that is asked for: one that has everything, in the middle of a province if there
        are so many. (At the edge of one the planner takes a county for a row.)
        """
        return EVERYTHING if self.layout.copies > EVERYTHING else 0


@contextmanager
def server() -> Iterator[str]:
    """Superuser DSN of a server whose data stay."""
    given = os.environ.get("TONGHU_TEST_SUPERUSER_URL")
    if given:
        yield given
        return
    with postgres.acquire(CACHE / "plans" / "server", throwaway=True) as lease:
        yield lease.server.superuser_url


def settings_of(urls: schema.Urls) -> Settings:
    limits = Database(
        url=urls.app, owner_url=urls.owner, statement_timeout_ms=60_000, lock_timeout_ms=60_000
    )
    return Settings(environment=Environment.test, database=limits)


def at(superuser_url: str, children: int) -> tuple[Kept, schema.Urls]:
    """Make the register, or find the one made before."""
    made_by = b"".join((Path(__file__).parent / each).read_bytes() for each in _MADE_BY)
    name = f"plans_{hashlib.md5(made_by).hexdigest()[:6]}_{children}"
    beside = CACHE / "plans" / f"{name}.pickle"
    urls = schema.urls_of(superuser_url, name)
    if beside.exists() and _brought_up(superuser_url, urls):
        return pickle.loads(beside.read_bytes()), urls
    beside.unlink(missing_ok=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(schema.drop(superuser_url, name))
    schema.bare(superuser_url, name)
    migrations.upgrade(urls.owner)
    kept = asyncio.run(_made(superuser_url, urls, children))
    beside.write_bytes(pickle.dumps(kept))
    return kept, urls


async def _swept(superuser_url: str, app_url: str) -> None:
    """Count what is counted by the hour; tell the planner what has changed, and leave no dead rows
    of it.
    """
    engine = db.open_engine(app_url, Database())
    database = db.Database(engine, Keyring.generate(), lambda: NOW)
    async with database.begin(db.SYSTEM) as tx:
        for counting in (of_children, of_duties):
            for county in await counting.counties(tx):
                await counting.count_county(tx, county)
    await database.close()
    connection = await asyncpg.connect(superuser_url)
    await connection.execute("VACUUM (ANALYZE)")
    await connection.close()


def _brought_up(superuser_url: str, urls: schema.Urls) -> bool:
    """Bring the register to the newest revision, if it stands at one of ours. (Two branches may
    call other things by one number: then throw `.cache/plans` away.)
    """
    here = urlsplit(superuser_url)._replace(path=urlsplit(urls.app).path).geturl()
    if (revision := asyncio.run(_stands_at(here))) not in versions.known():
        return False
    if revision != versions.head():
        migrations.upgrade(urls.owner)
    asyncio.run(_swept(here, urls.app))
    return True


async def _stands_at(url: str) -> str | None:
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.InvalidCatalogNameError:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    await connection.close()
    return revision


async def _made(superuser_url: str, urls: schema.Urls, children: int) -> Kept:
    settings, keyring = settings_of(urls), Unbound.generate()
    database = db.Database(db.open_engine(urls.app, settings.database), keyring, lambda: NOW)
    async with database.begin(db.SYSTEM) as tx:
        await import_divisions(tx.connection, shipped())
    stages = [await _a_template(database, settings, role) for role in STAGES]
    await run_jobs(database)
    await database.close()
    where = urlsplit(superuser_url)._replace(path=urlsplit(urls.app).path).geturl()
    connection = await asyncpg.connect(where)
    await connection.execute("SET session_replication_role = replica; SET work_mem = '256MB'")
    await connection.execute("SET maintenance_work_mem = '512MB'; SET jit = off")
    kept = await _filled(connection, children, keyring, stages)
    await connection.close()
    await _swept(where, urls.app)
    return kept


async def _a_template(database: db.Database, settings: Settings, role: str) -> Stage:
    """Make what is around a caller, and let them do all they may with some of it."""
    stage = await a_stage(database, settings, role, ROLES[role]["for"][0])
    async with _client(settings, database) as (client, described):
        for asked in ASKS:
            operation = described[asked.operation]
            if operation.method == "GET" or operation.scope not in ROLES[role]["scopes"]:
                continue
            for target in stage.targets[operation.id not in HARMLESS : 6]:
                await ask(client, operation, asked, target, stage.headers())
    return stage


def quiet(settings: Settings) -> FastAPI:
    """Make the app, which says nothing of each request: of what is measured a table is printed."""
    app = main.create_app(settings)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return app


@asynccontextmanager
async def _client(
    settings: Settings, database: db.Database
) -> AsyncIterator[tuple[object, dict[str, Operation]]]:
    from tests.conftest import calling  # noqa: PLC0415

    app = quiet(settings)
    async with calling(app, settings, database) as client:
        yield client, operations(openapi.document(app))


async def _tokens(connection: asyncpg.Connection, keyring: Keyring) -> None:
    """Make the tokens of all names, which the copies' counties have keys of their own for."""
    pieces, after = cache(tokens.kept), UUID(int=0)
    await connection.execute(
        "TRUNCATE child_names; ALTER TABLE child_names DROP CONSTRAINT pk_child_names"
    )
    while rows := await connection.fetch(_NAMED, after):
        after = rows[-1]["id"]
        await connection.copy_records_to_table(
            "child_names",
            columns=("token", "region_code", "child_id", "home_county", "pupil_of"),
            records=(
                (token, row["region_code"], row["id"], row["home_county"], row["school_id"])
                for row in rows
                for token in names.made(keyring, row["region_code"], pieces(row["name"]))
            ),
        )
    await connection.execute(_PRIMARY)


async def _months(connection: asyncpg.Connection) -> None:
    """Cut what was written before there were months into as many as there are after three years."""
    for table in months.PARTITIONED:
        first = await connection.fetchval(_FIRST_PART, table)
        await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {first}")
        last = int(first[-7:-3]) * 12 + int(first[-2:]) - 1
        ends = [
            datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
            for month in range(last - _MONTHS, last + 1)
        ]
        for begins, until in pairwise(ends):
            await connection.execute(
                f"CREATE TABLE {table}_{begins:%Y_%m} PARTITION OF {table} FOR VALUES"
                f" FROM ('{months.first_id(begins)}') TO ('{months.first_id(until)}')"
            )
        await connection.execute(f"INSERT INTO {table} SELECT * FROM {first}; DROP TABLE {first}")


async def _filled(
    connection: asyncpg.Connection, children: int, keyring: Keyring, stages: list[Stage]
) -> Kept:
    counties = [row["code"] for row in await connection.fetch(_COUNTIES, COUNTIES)]
    await connection.execute(_PLACES, counties)
    await connection.execute(_PUPILS)
    await connection.execute(FUNCTIONS)
    await _months(connection)
    keys = await remember_agencies(connection)
    layout = Layout(
        -(-children // await connection.fetchval("SELECT count(*) FROM children")), tuple(counties)
    )
    tables = [
        row[0]
        for row in await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'plans%'"
            " ORDER BY relname"
        )
    ]
    await connection.execute("TRUNCATE jobs")
    for table in tables:
        # Of agencies of one kind the first stands for all: one that is there.
        order = " ORDER BY active DESC" if table == "agencies" else ""
        await connection.execute(f"CREATE TABLE plans_{table} AS SELECT * FROM {table}{order}")
    await connection.execute("ANALYZE")
    indexes = await connection.fetch(_INDEXES)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for table in tables:
        started = asyncio.get_running_loop().time()
        rows = await copy(connection, table, layout, children)
        took = asyncio.get_running_loop().time() - started
        if rows:
            print(f"{table}: {rows:,} rows, {took:.1f} s", flush=True)
    await _tokens(connection, keyring)
    await sealing.seal(connection, NOW)
    for index in indexes:
        await connection.execute(index["made_by"])
    for table in tables:
        await connection.execute(f"DROP TABLE plans_{table}")
    await connection.execute("ANALYZE")
    size = await connection.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    print(f"{size}", flush=True)
    return Kept(children, keyring, layout, keys, tuple((each.who, each.targets) for each in stages))
