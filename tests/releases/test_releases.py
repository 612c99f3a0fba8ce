"""Every release that is kept comes up to the newest schema, whole, and goes back."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from alembic.util import CommandError
from pydantic import ValidationError

from alembic import command
from app.core.data import migrations, rls, versions
from app.core.jobs import events
from scripts import keep_release
from tests import schema
from tests.conftest import NOW
from tests.releases import backups, readers, statements

pytestmark = pytest.mark.xdist_group("schema")

RELEASES = pytest.mark.parametrize("folder", backups.kept(), ids=lambda folder: folder.name)

BROKEN_ON_PURPOSE: dict[str, str] = {
    "INSERT INTO attendance_events (id, home_county, child_id, source": (
        "0013 takes home_county into every key below a child; no server ever ran 0.1.0"
    ),
}
"""Statements of a release before that the schema breaks, by their beginning, and why it may."""


@pytest.fixture
def restored(pg: str, folder: Path, name: str) -> Iterator[schema.Urls]:
    yield backups.restore(pg, name, folder)
    asyncio.run(schema.drop(pg, name))


@pytest.fixture
def newest(
    pg: str, folder: Path, name: str, at_head: Callable[[Path], str]
) -> Iterator[schema.Urls]:
    """The release's rows in the newest schema."""
    yield schema.copy(pg, at_head(folder), name)
    asyncio.run(schema.drop(pg, name))


@pytest.fixture
def name() -> str:
    return f"tonghu_release_{os.getpid()}"


def test_a_release_is_kept() -> None:
    assert backups.kept()


def test_what_a_release_would_keep_leaves_no_table_out(pg, name) -> None:
    _, _, seen = keep_release.played(pg, name)
    rows = asyncio.run(backups.counts(pg, name))
    asyncio.run(schema.drop(pg, name))
    assert [table for table, count in rows.items() if not count] == []
    assert all(answers for _, answers in seen)


@RELEASES
def test_a_backup_is_small_and_has_rows_in_every_table(pg, folder, restored, name) -> None:
    assert sum(file.stat().st_size for file in folder.glob("backup*")) < 100_000
    rows = asyncio.run(backups.counts(pg, name))
    assert [table for table, count in rows.items() if not count] == []


@RELEASES
def test_no_row_is_lost_on_the_way_up_and_back(pg, folder, restored, name) -> None:
    config = migrations.configuration(restored.owner)
    [before] = asyncio.run(_rows(restored.owner, "SELECT version_num FROM alembic_version"))
    was = asyncio.run(backups.counts(pg, name))
    command.upgrade(config, "head")
    now = asyncio.run(backups.counts(pg, name))
    assert {table: now.get(table) for table in was} == was
    command.check(config)
    with pytest.raises(CommandError, match="Taking this revision back would lose "):
        command.downgrade(config, before)
    assert asyncio.run(backups.counts(pg, name)) != was
    config.attributes["give_up"] = True
    command.downgrade(config, before)
    assert asyncio.run(backups.counts(pg, name)) == was
    command.upgrade(config, "head")
    command.check(config)


@RELEASES
def test_every_pupil_of_a_release_is_enrolled_since_the_file_says_so(
    pg, folder, newest, name
) -> None:
    pupils, enrolled = asyncio.run(backups.asked(pg, name, _PUPILS))
    assert pupils == enrolled > 0


_PUPILS = """
SELECT count(*), count(e.id) FROM children c LEFT JOIN child_enrolments e ON
    (e.home_county, e.child_id, e.school_id, e.region_code, e.pupil_of)
        = (c.home_county, c.id, c.school_id, c.region_code, c.school_id)
    AND e.until IS NULL AND e.since = coalesce((c.education ->> 'since')::date,
        (c.created_at AT TIME ZONE 'Asia/Shanghai')::date)
WHERE c.school_id IS NOT NULL
"""


@RELEASES
async def test_what_could_be_read_can_be_read_as_the_document_says(folder, newest) -> None:
    keyring, seen = readers.remembered(folder)
    async with readers.serving(newest, keyring, NOW) as (client, database, settings):
        assert (await client.get("/readyz")).status_code == 200
        for reader, answers in seen:
            now = await readers.read(client, database, settings, reader)
            for url, before in answers.items():
                assert _still_said(before, now[url]), f"{url}: {before} became {now[url]}"
                assert readers.unfit(url, now[url]) == []


@RELEASES
async def test_the_statements_of_a_release_are_planned_on_the_newest_schema(folder, newest) -> None:
    refusals = await statements.refused(newest.app, statements.recorded(folder))
    unexpected = {
        words: why
        for words, why in refusals.items()
        if not words.startswith(tuple(BROKEN_ON_PURPOSE))
    }
    assert unexpected == {}


@RELEASES
async def test_what_a_release_announced_can_still_be_heard(pg, folder, newest, name) -> None:
    """A field an event must have from now on would hold whatever was still on its way."""
    rows = await backups.asked(pg, name, "SELECT jsonb_agg(to_jsonb(e)) FROM events e")
    unheard = {}
    for row in orjson.loads(rows[0]):
        try:
            events.kinds()[row["wire_name"]].model_validate({"event_id": row["id"], **row["data"]})
        except ValidationError as error:
            unheard[row["wire_name"]] = str(error)
    assert unheard == {}


@RELEASES
async def test_a_column_gone_or_a_privilege_lost_is_found(folder, restored) -> None:
    owner = await asyncpg.connect(restored.owner)
    await owner.execute("ALTER TABLE visits RENAME COLUMN place TO room")
    await owner.execute(f"REVOKE UPDATE ON duties FROM {rls.APP_ROLE}")
    await owner.close()
    refusals = await statements.refused(restored.app, statements.recorded(folder))
    said = " ".join(refusals.values())
    assert 'column "place"' in said
    assert "permission denied for table duties" in said


@RELEASES
async def test_a_program_is_ready_on_later_schemas_and_not_on_older_ones(folder, newest) -> None:
    keyring, _ = readers.remembered(folder)
    owner = await asyncpg.connect(newest.owner)
    async with readers.serving(newest, keyring, NOW) as (client, _, _):
        for revision, status in (("0011", 503), (versions.head(), 200), ("9999", 200)):
            await owner.execute("UPDATE alembic_version SET version_num = $1", revision)
            assert (await client.get("/readyz")).status_code == status
        await owner.execute("DELETE FROM alembic_version")
        assert (await client.get("/readyz")).status_code == 503
    await owner.close()


def _still_said(before: Any, now: Any) -> bool:
    """Whether all of an earlier answer is in a later one, which may say more."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(
            name in now and _still_said(*_in_one_order(name, value, now[name]))
            for name, value in before.items()
        )
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_still_said, before, now))
    return bool(before == now) or _instant(before) == _instant(now) is not None


REORDERED = {"steps": "of a report: now in the order they were taken, not of receipt"}
"""Lists whose order changed on purpose."""


def _in_one_order(name: str, *lists: Any) -> tuple[Any, ...]:
    if name not in REORDERED:
        return lists
    return tuple(sorted(each, key=lambda item: str(item["id"])) for each in lists)


def _instant(value: Any) -> datetime | None:
    """An instant is the same however its offset is written."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


async def _rows(url: str, sql: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(sql)
    await connection.close()
    return [row[0] for row in rows]
