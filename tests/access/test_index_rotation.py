"""An index key is replaced while files are opened, changed and sought (DB-5)."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from app.children import names, reindexing, tokens
from app.children.indexes import external_index, resident_index
from app.children.queries import resolve_external
from app.cli.keys import GOES_WITH_TIME
from app.core.clock import utc_now
from app.core.data import key_checks
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.key_file import KeyFile
from app.core.jobs import queue
from app.regions.rules import lineage
from app.unresolved.operations import knowing
from tests.access.factories import a_caller
from tests.children.factories import a_file, everywhere, with_check_digit
from tests.conftest import VILLAGE, calling
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report
from tests.regions.factories import some_regions

NAMES = ("样小一", "样大山", "样天明", "样春雨", "样冬雪", "样夏荷", "样秋月")


def number_of(which: int) -> str:
    return with_check_digit(f"120000201603019{which}0")


def file_of(which: int) -> dict[str, Any]:
    file = a_file(VILLAGE)
    file["identity"] |= {"name": NAMES[which], "resident_id": number_of(which)}
    file["education"]["student_numbers"][0]["number"] = f"G-CANARY-{which}"
    return file


@dataclass
class Process:
    """One of our web processes, and the file it read."""

    client: httpx.AsyncClient
    database: Database
    file: KeyFile

    async def look(self) -> None:
        await self.file.look(self.database)
        assert self.database.wrong_keys is None


@pytest.fixture
async def world(app, settings, live_database, path, ran):
    await some_regions(live_database, *lineage(VILLAGE))
    await ran("check", path)
    ring = Keyring.from_json(path.read_text())
    apart = [Database(live_database.engine, ring, live_database.clock) for _ in range(2)]
    async with (
        calling(app, settings, apart[0]) as one,
        calling(app, settings, apart[1]) as two,
    ):
        yield [
            Process(client, database, KeyFile(ring, path))
            for client, database in zip((one, two), apart, strict=True)
        ]


async def test_both_are_found_until_the_one_before_has_gone(  # noqa: PLR0915  one story
    settings, live_database, path, ran, later, world, monkeypatch
) -> None:
    one, two = world
    director = await a_caller(live_database, settings, "village_director", VILLAGE)
    opened: dict[int, str] = {}

    async def opens(process: Process, which: int) -> None:
        answer = await process.client.post(
            "/v1/children", json=file_of(which), headers=director.headers
        )
        assert answer.status_code == 201, answer.text
        opened[which] = answer.json()["id"]

    async def all_are_found() -> None:
        for process in world:
            for which, child_id in opened.items():
                for sought in ({"resident_id": number_of(which)}, {"name": NAMES[which]}):
                    found = await process.client.post(
                        "/v1/children/search", json=sought, headers=director.headers
                    )
                    assert [each["id"] for each in found.json()["items"]] == [child_id], sought
                number = ("student_status", f"G-CANARY-{which}")
                async with process.database.begin(SYSTEM) as tx:
                    resolved = await resolve_external(tx, everywhere(), [number])
                assert str(resolved[number].id) == child_id
            for which in opened:
                again = await process.client.post(
                    "/v1/children", json=file_of(which), headers=director.headers
                )
                assert again.status_code == 409, again.text

    report = a_report(id=str(uuid4()))

    async def is_known() -> None:
        for process in world:
            again = await process.client.post(
                "/v1/police-reports", json=report, headers=director.headers
            )
            assert (again.status_code, again.json()["id"]) == (200, report["id"]), again.text

    await opens(one, 0)
    filed = await one.client.post("/v1/police-reports", json=report, headers=director.headers)
    assert filed.status_code == 201
    old = next(iter(one.database.keyring.index))
    assert "is asked from now on" in await ran("rotate-index", path)
    await one.look()  # the other reads it later
    await opens(two, 1)
    assert "is published for less than ten minutes" in await ran("rotate-index", path, code=1)
    await two.look()
    await later()
    assert "makes blind indexes by now" in await ran("rotate-index", path)
    await one.look()
    new = next(iter(one.database.keyring.index))
    assert (new != old, next(iter(two.database.keyring.index))) == (True, old)
    await opens(one, 2)
    await opens(two, 3)
    await all_are_found()
    await is_known()
    await two.look()
    await _by_a_worker(one.database)
    assert await _progress(one.database) is None, "a process may make them by the one before"
    assert "Files are found by it still" in await ran("drop-index", path, old, code=1)
    await later()
    assert f"{old} is in use still" in await ran("rotate-index", path, code=1)

    monkeypatch.setattr(reindexing, "BATCH", 1)
    await _by_a_worker(live_database)
    assert await _progress(one.database) is None, "a worker of before makes them by the other"
    async with _of_now(one.database).begin(SYSTEM) as tx:  # and is cut off after the first
        assert await reindexing.due(tx) == new
        [county] = await reindexing.begin(tx, new)
        assert await reindexing.write_next(tx, county) == (1, True)
    assert f"index key {new}: 1 files written anew, 2 of 2 counties left" in await ran(
        "check", path
    )
    writing = asyncio.create_task(_by_a_worker(one.database))
    await opens(two, 4)
    await all_are_found()
    await opens(one, 5)
    await writing
    done = await _progress(one.database)
    assert (done.kid, done.left, done.files >= 4) == (new, 0, True)
    await _by_a_worker(one.database)
    assert await _progress(one.database) == done, "nothing is written twice"
    await all_are_found()
    await is_known()

    assert "for less than 30 days" in await ran("drop-index", path, old, code=1)
    assert "makes blind indexes: rotate-index first" in await ran("drop-index", path, new, code=1)
    assert "no such key" in await ran("drop-index", path, "none", code=1)
    await later(GOES_WITH_TIME)
    before = Keyring.from_json(path.read_text())
    await ran("drop-index", path, old)
    said = await ran("check", path)
    assert old not in said
    assert f"index key {new}: right" in said
    left = Keyring.from_json(path.read_text())
    assert [*left.index] == [new]
    await _nothing_is_found_by_another(live_database, left, opened)
    async with live_database.begin(SYSTEM) as tx:
        [row] = [row for row in await key_checks.rows_of(tx) if row["kid"] == old]
        assert (row["shown"], row["ended_at"] is None) == (b"", False)
    for process in world:
        await process.look()
        assert [*process.database.keyring.index] == [new]
    await all_are_found()
    assert before.index[old] not in left.index.values()


def _of_now(database: Database) -> Database:
    """Commands note by the clock of now when a key is used."""
    return Database(database.engine, database.keyring, utc_now)


async def _by_a_worker(of: Database) -> None:
    database = _of_now(of)
    async with database.begin(SYSTEM) as tx:
        for name in ("children.reindex", "unresolved.reindex"):
            await queue.enqueue(tx.connection, name, [{}])
    await run_jobs(database)


async def _progress(database: Database) -> reindexing.Progress | None:
    async with database.begin(SYSTEM) as tx:
        return await reindexing.progress(tx)


async def _nothing_is_found_by_another(
    database: Database, ring: Keyring, opened: dict[int, str]
) -> None:
    async with database.begin(SYSTEM) as tx:
        kept = {
            table: {
                tuple(row)
                for row in await tx.connection.fetch(
                    f"SELECT child_id::text, {column} FROM {table}"
                )
            }
            for table, column in (
                ("resident_ids", "index"),
                ("child_external_ids", "index"),
                ("child_names", "token"),
            )
        }
    numbers = {(child, resident_index(ring, number_of(n))) for n, child in opened.items()}
    others = {
        (child, external_index(ring, "student_status", f"G-CANARY-{n}"))
        for n, child in opened.items()
    }
    pieces = {
        (child, token)
        for n, child in opened.items()
        for token in names.made(ring, VILLAGE, tokens.kept(NAMES[n]))
    }
    assert kept == {
        "resident_ids": numbers,
        "child_external_ids": others,
        "child_names": pieces,
    }


async def test_who_writes_by_the_key_of_before_is_wrong_after_ten_minutes(
    live_database, path, ran, later
) -> None:
    await ran("rotate-index", path)
    before = Keyring.from_json(path.read_text())
    await later()
    await ran("rotate-index", path)
    new = next(iter(Keyring.from_json(path.read_text()).index))
    async with live_database.begin(SYSTEM) as tx:
        rows = await key_checks.rows_of(tx)
        [used] = [row["used_since"] for row in rows if row["kid"] == new]
        assert not key_checks.faults(before, rows, used)
        late = used + key_checks.KNOWN_FOR
        fault = key_checks.Fault("index", new, key_checks.BEHIND["index"])
        assert key_checks.faults(before, rows, late) == [fault]
    other = Keyring.generate()
    without = path.with_name("without.json")
    without.write_text(other.to_json())
    assert "not the key file" in await ran("rotate-index", without, code=1)
    for words in (("drop-index", without, *other.index), ("rotate-index", without)):
        assert "not the key file" in await ran(*words, code=1)


async def test_all_is_found_by_a_key_once_every_county_is(live_database, monkeypatch) -> None:
    async def both(_) -> list[int]:
        return [120119000000, 120120000000]

    monkeypatch.setattr(reindexing, "counties", both)
    async with live_database.begin(SYSTEM) as tx:
        left = await reindexing.begin(tx, "newi")
        assert len(left) == 2
        for county in left:
            assert await reindexing.write_next(tx, county) == (0, False)
            assert not await reindexing.is_whole(tx, "newi")
        questions = (reindexing.QUESTIONS, UUID(int=0), 0)
        await reindexing.reached(tx, *questions, whole=True)
        assert await reindexing.is_whole(tx, "newi")
        assert not await reindexing.is_whole(tx, "oldi")


async def test_questions_are_gone_through_to_the_last(live_database, monkeypatch) -> None:
    went, sets = [], [uuid4(), uuid4(), None]

    async def next_of(_, after):
        went.append(after)
        return sets[len(went) - 1]

    monkeypatch.setattr(knowing, "renew_next", next_of)
    async with live_database.begin(SYSTEM) as tx:
        await reindexing.begin(tx, "newi")
        await queue.enqueue(tx.connection, "unresolved.reindex", [{}])
    await run_jobs(live_database)
    assert went == [UUID(int=0), *sets[:2]]
    async with live_database.begin(SYSTEM) as tx:
        assert not await reindexing.is_left(tx, reindexing.QUESTIONS)
