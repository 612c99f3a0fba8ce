"""A data key is changed by commands, while a running process goes on to seal (docs/keys.md)."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from app.core.data import keys, resealing
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, open_engine
from app.core.data.envelopes import of_child
from app.core.data.key_file import KeyFile
from app.core.ids import new_id
from app.core.settings import Database as DatabaseSettings
from tests import schema
from tests.children.factories import a_child
from tests.conftest import NOW, VILLAGE
from tests.faults.command import Tonghu
from tests.former import left


@pytest.fixture
def urls(pg: str) -> Iterator[schema.Urls]:
    name = f"tonghu_data_keys_{os.getpid()}"
    yield schema.make(pg, name)
    asyncio.run(schema.drop(pg, name))


_CHANGED = """
INSERT INTO child_changes (id, home_county, child_id, region_code, version, at, actor, role,
    operation, sections, changes_sealed)
SELECT $1, home_county, id, region_code, 1, $2, 'staff:test', 'test', 'test', '{}', $3 FROM children
"""


@pytest.fixture
def path(tonghu: Tonghu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tonghu-keys.json"
    path.write_text(Keyring.generate().to_json())
    monkeypatch.delenv("TONGHU_KEYS")
    monkeypatch.setenv("TONGHU_KEYS_FILE", str(path))
    return path


def of(path: Path) -> Keyring:
    return Keyring.from_json(path.read_text())


async def changed(urls: schema.Urls, ring: Keyring) -> bytes:
    """A file whose first change a release before has sealed; returns that."""
    database = Database(open_engine(urls.app, DatabaseSettings()), ring, lambda: NOW)
    child = await a_child(database, VILLAGE)
    async with database.begin(SYSTEM) as tx:
        sealed = tx.keyring.seal("child_changes.changes_sealed", child.id, "[]")
        await tx.connection.execute(_CHANGED, child.id, tx.now, sealed)
    await database.close()
    return sealed


async def stands(urls: schema.Urls, ring: Keyring) -> tuple[bytes, str]:
    database = Database(open_engine(urls.app, DatabaseSettings()), ring, lambda: NOW)
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT * FROM child_changes")
        await keys.of_rows(tx, [row])
        place = "child_changes.changes_sealed"
        found = row["changes_sealed"], tx.keyring.unseal(place, row["id"], row["changes_sealed"])
        assert tx.keyring.opened.keys() <= {of_child(row["child_id"]).named}
    await database.close()
    return found


async def wrong(urls: schema.Urls, ring: Keyring) -> str | None:
    """What a process with this file says of its keys."""
    database = Database(open_engine(urls.app, DatabaseSettings()), ring, lambda: NOW)
    await KeyFile(ring).look(database)
    await database.close()
    return database.wrong_keys and database.wrong_keys.told


async def test_a_data_key_comes_is_used_and_goes(tonghu: Tonghu, urls, path) -> None:
    before = of(path)
    [kid], [coming] = before.data, before.coming_data
    sealed = await changed(urls, before)
    assert await wrong(urls, before) is None
    run = asyncio.to_thread
    assert "no such" in (await run(tonghu, "keys", "drop", path, "none"))[2]
    assert "rotate-data first" in (await run(tonghu, "keys", "drop", path, kid))[2]
    code, said, _ = await run(tonghu, "keys", "rotate-data", path)
    assert (code, f"The data key {coming} seals; 1 of before open" in said) == (0, True), said
    assert of(path).data.keys() == {coming, kid}
    assert await wrong(urls, of(path)) is None
    assert await wrong(urls, before) is None, "a machine that has the file of before opens it"
    code, _, said = await run(tonghu, "keys", "drop", path, kid)
    assert (code, "1 of child_changes" in said, "1 of child_keys" in said) == (1, True, True)
    code, said, error = await run(tonghu, "keys", "re-encrypt")
    assert code == 0, error
    assert "child_changes: sealed anew 1 of 1 rows" in said
    assert "child_keys: sealed anew 1 of 1 rows" in said
    assert (await run(tonghu, "keys", "re-encrypt"))[1] == "", "all is done"
    now, words = await stands(urls, before)  # whoever read the file before opens it all the same
    assert (now[:2], words, now != sealed) == (b"\x04\x01", "[]", True)
    code, said, error = await run(tonghu, "keys", "drop", path, kid)
    assert (code, f"{kid} is gone" in said) == (0, True), error
    assert await stands(urls, of(path)) == (now, "[]")
    assert await wrong(urls, of(path)) is None, "no process misses it"
    assert await wrong(urls, before) == f"data key {kid} has ended, and is the first of this file"


async def test_what_no_key_opens_is_said(tonghu: Tonghu, urls, path) -> None:
    await changed(urls, Keyring.generate())
    code, _, said = await asyncio.to_thread(tonghu, "keys", "re-encrypt")
    assert code == 1
    assert "values are opened by no key" in said


def test_a_file_of_before_gets_a_key_that_comes_first(tonghu: Tonghu, path) -> None:
    text = path.read_text().replace('"coming_data"', '"unknown"')
    path.write_text(text)
    [kid] = of(path).data
    assert "Restart all processes" in tonghu("keys", "rotate-data", path)[1]
    assert list(of(path).data) == [kid]
    [coming] = of(path).coming_data
    tonghu("keys", "rotate-data", path)
    assert list(of(path).data) == [coming, kid]


_MANY = """
INSERT INTO child_changes (id, home_county, child_id, region_code, version, at, actor, role,
    operation, sections, changes_sealed)
SELECT u.id, home_county, c.id, region_code, u.n, $3, 'staff:test', 'test', 'test', '{}', u.sealed
FROM children c, unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS u (id, sealed, n)
"""
_HELD = "SELECT FROM child_changes WHERE id = $1 FOR UPDATE"


async def test_killed_it_goes_on_where_it_was_and_seals_nothing_twice(
    tonghu: Tonghu, urls, path
) -> None:
    ring, rows = of(path), resealing.BATCH + 500
    database = Database(open_engine(urls.app, DatabaseSettings()), ring, lambda: NOW)
    await a_child(database, VILLAGE)
    ids = sorted(new_id() for _ in range(rows))
    sealed = [ring.seal("child_changes.changes_sealed", each, "[]") for each in ids]
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_MANY, ids, sealed, NOW)

    owner = await asyncpg.connect(urls.owner)
    await owner.execute("ANALYZE child_changes")  # by which it says how much is left
    await owner.close()

    async def standing() -> dict[UUID, bytes]:
        async with database.begin(SYSTEM) as tx:
            found = await tx.connection.fetch("SELECT id, changes_sealed FROM child_changes")
        return {row["id"]: row["changes_sealed"] for row in found}

    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(_HELD, ids[-1])  # so that it stands in its second batch
        running = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "app.cli", "keys", "re-encrypt"], stdout=subprocess.PIPE
        )
        assert running.stdout
        lines = iter(running.stdout.readline, b"")
        said = await asyncio.to_thread(
            lambda: next(line for line in lines if b"child_changes" in line)
        )
        running.kill()
        running.wait()
    assert b"so far, " in said
    assert b" a second, about 500 left" in said
    between = await standing()
    done = {each for each, value in between.items() if value[:1] == b"\x04"}
    assert done == {*ids[: resealing.BATCH]}
    code, told, error = await asyncio.to_thread(tonghu, "keys", "re-encrypt")
    assert code == 0, error
    assert f"child_changes: sealed anew 500 of {rows:,} rows, " in told
    after = await standing()
    assert {value[:1] for value in after.values()} == {b"\x04"}
    assert {each: after[each] for each in done} == {each: between[each] for each in done}
    told = (await asyncio.to_thread(tonghu, "keys", "re-encrypt"))[1]
    assert told.startswith("child_changes: sealed anew 0 of 2,000 rows so far, "), told
    assert f"of {rows:,} rows" not in told, "nothing is left"
    await database.close()


_LOCKS = """
SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
"""


async def test_no_table_is_locked_for_it(tonghu: Tonghu, urls, path) -> None:
    database = Database(open_engine(urls.owner, DatabaseSettings()), of(path), lambda: NOW)
    async with database.begin(SYSTEM) as tx:
        for each in resealing.in_order():
            await resealing.seal_anew(tx, each)
        modes = {row["mode"] for row in await tx.connection.fetch(_LOCKS)}
    await database.close()
    assert modes <= {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}


async def test_it_waits_for_the_release_before(tonghu: Tonghu, urls, path) -> None:
    await changed(urls, of(path))
    await left(urls.owner, datetime.now(UTC))  # noqa: TID251
    code, _, said = await asyncio.to_thread(tonghu, "keys", "re-encrypt")
    assert (code, "could not read it: in an hour" in said) == (1, True), said
