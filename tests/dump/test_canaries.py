"""What is sent in words is found neither in a dump nor in the files of the database, but for what
docs/what-a-dump-tells.md lists.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.core.data import migrations
from app.core.data.crypto import Keyring
from tests import schema
from tests.conftest import NOW
from tests.dump import opening, playing
from tests.dump.canaries import Cage, forms
from tests.releases import backups, readers

pytestmark = pytest.mark.xdist_group("schema")

SHOWN = {
    "acknowledgeReport.police_reference": "the number the police give a case",
    "changeChild.education.class_name": "what a school calls a class; rolls are kept by it",
    "createChild.education.class_name": "what a school calls a class; rolls are kept by it",
    "pushAttendanceEvents.events.id": "the id a school's system gives an event",
    "sendWrittenReport.number": "the number an office gives a paper",
}
"""Fields in words that a dump does show, and what stands in them."""
NOT_PLAYED = {"children.hukou_sealed": "all that a file says of a hukou is counted"}
"""Sealed columns that nothing in the world writes, and why."""


@pytest.fixture(scope="module")
def stolen(pg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cage, str, str]]:
    """A database filled with canaries, through the API; its name and its dump."""
    name = f"tonghu_stolen_{os.getpid()}"
    urls = schema.bare(pg, name)
    migrations.upgrade(urls.owner)
    since = tmp_path_factory.mktemp("since").stat().st_mtime
    cage = asyncio.run(_filled(pg, name, urls))
    cage.since = since
    yield cage, name, backups.dumped(pg, name)
    asyncio.run(schema.drop(pg, name))


async def _filled(superuser_url: str, name: str, urls: schema.Urls) -> Cage:
    superuser = await asyncpg.connect(backups.at(superuser_url, name))
    for statement in await superuser.fetch(_UNCOMPRESSED):  # else a page holds no text as it is
        await superuser.execute(statement[0])
    await superuser.close()
    async with readers.serving(urls, Keyring.generate(), NOW) as (client, database, settings):
        cage = Cage(client._transport)
        async with httpx.AsyncClient(transport=cage, base_url="http://127.0.0.1") as caged:
            await playing.play(caged, database, settings)
        superuser = await asyncpg.connect(backups.at(superuser_url, name))
        try:
            cage.opened = await opening.opened(database, superuser)
            await superuser.execute("CHECKPOINT")
        finally:
            await superuser.close()
    return cage


_UNCOMPRESSED = """
SELECT format('ALTER TABLE %s ALTER %I SET STORAGE EXTERNAL', a.attrelid::regclass, a.attname)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND a.attstorage = 'x' AND NOT a.attisdropped
"""


def test_enough_was_sent(stolen: tuple[Cage, str, str]) -> None:
    fields = stolen[0].fields
    assert len(fields) >= 125
    assert {where.partition(".")[0] for where in fields} >= playing.SENT


def test_every_sealed_column_was_written_but_those_that_are_named(
    stolen: tuple[Cage, str, str],
) -> None:
    """A column that comes to them is played, or named here."""
    assert {*stolen[0].opened.empty} == {*NOT_PLAYED}


def test_no_dump_holds_what_sealed_columns_say(stolen: tuple[Cage, str, str]) -> None:
    cage, _, dump = stolen
    opened = cage.opened.words.items()
    words = {word: where for word, where in opened if cage.sent.get(word) not in SHOWN}
    assert len(words) >= 40
    assert _where(words, dump.encode()) == []


def test_no_dump_holds_what_was_sent(stolen: tuple[Cage, str, str]) -> None:
    cage, _, dump = stolen
    raw = dump.encode()
    assert _where(cage.sent, raw) == sorted(SHOWN)
    assert playing.SHOWN.encode() in raw


def test_no_file_of_the_database_holds_what_was_sent(
    pg: str, stolen: tuple[Cage, str, str]
) -> None:
    cage, name, _ = stolen
    folder = asyncio.run(_data_folder(pg, name))
    found: set[str] = set()
    shown = False
    for path in (*folder.glob("pg_wal/*"), *folder.glob(f"base/{_number(pg, name)}/*")):
        if path.is_file() and path.stat().st_mtime >= cage.since:
            raw = path.read_bytes()
            found |= {*_where({**cage.opened.words, **cage.sent}, raw)}
            shown = shown or playing.SHOWN.encode() in raw
    assert found == {*SHOWN}
    assert shown


def _number(superuser_url: str, name: str) -> int:
    sql = "SELECT oid::int FROM pg_database WHERE datname = current_database()"
    return int(asyncio.run(backups.asked(superuser_url, name, sql))[0])


def test_no_column_holds_the_code_of_a_case(pg: str, stolen: tuple[Cage, str, str]) -> None:
    cage, name, _ = stolen
    found = asyncio.run(_columns_with(pg, name, [*cage.codes]))
    assert found == {}


async def _data_folder(superuser_url: str, name: str) -> Path:
    """Return where a server keeps its files: the folder in which each process of it works."""
    connection = await asyncpg.connect(backups.at(superuser_url, name))
    process = await connection.fetchval("SELECT pg_backend_pid()")
    folder = os.readlink(f"/proc/{process}/cwd")  # noqa: PTH115  Path.readlink blocks no less
    await connection.close()
    return Path(folder)


def _where(sent: dict[str, str], raw: bytes) -> list[str]:
    """Return the fields of which a canary is in some bytes."""
    wanted = {form: where for word, where in sent.items() for form in forms(word)}
    stems = {form[:9] for form in wanted}  # a few, for most canaries begin alike
    there = tuple(stem for stem in stems if stem in raw)
    return sorted({wanted[form] for form in wanted if form.startswith(there) and form in raw})


async def _columns_with(superuser_url: str, name: str, codes: list[str]) -> dict[str, set[str]]:
    connection = await asyncpg.connect(backups.at(superuser_url, name))
    found: dict[str, set[str]] = {}
    any_of = rf"\m({'|'.join(map(re.escape, codes))})\M"
    for table, column in await connection.fetch(_WORDS):
        sql = (
            f"""SELECT DISTINCT m[1] FROM {table}, regexp_matches("{column}"::text, $1, 'g') AS m"""
        )
        if there := {row[0] for row in await connection.fetch(sql, any_of)}:
            found[f"{table}.{column}"] = there
    await connection.close()
    return found


_WORDS = """
SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
  AND a.atttypid = ANY ('{text,varchar,jsonb,text[],varchar[],bytea}'::regtype[])
"""
