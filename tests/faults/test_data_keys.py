"""A data key is changed by commands, while a running process goes on to seal (docs/keys.md)."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import asyncpg
import pytest

from app.cli import data_keys
from app.cli.keys import SEALED_BY_ALL
from app.core.clock import utc_now
from app.core.data import key_checks, keys, resealing
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, open_engine
from app.core.data.envelopes import of_child
from app.core.data.resealing import Batch
from app.core.data.sealed import Sealed
from app.core.ids import new_id
from app.core.settings import Database as DatabaseSettings
from tests import schema
from tests.children.factories import a_child
from tests.conftest import NOW, VILLAGE
from tests.faults.command import Tonghu
from tests.former import left
from tests.time_of_keys import passed


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


async def faults(urls: schema.Urls, ring: Keyring) -> list[key_checks.Fault]:
    """What a process that starts with these keys finds wrong with them."""
    database = Database(open_engine(urls.app, DatabaseSettings()), ring, utc_now)
    async with database.begin(SYSTEM) as tx:
        _, found = await key_checks.settle(tx, ring)
    await database.close()
    return found


async def later(urls: schema.Urls, long: timedelta = key_checks.KNOWN_FOR) -> None:
    """Let as long pass, for what is known of keys."""
    database = Database(open_engine(urls.app, DatabaseSettings()), Keyring.generate(), lambda: NOW)
    async with database.begin(SYSTEM) as tx:
        await passed(tx.connection, long)
    await database.close()


async def used(urls: schema.Urls) -> list[str]:
    """The data keys that the database knows as used, the newest first."""
    database = Database(open_engine(urls.app, DatabaseSettings()), Keyring.generate(), utc_now)
    async with database.begin(SYSTEM) as tx:
        rows = await key_checks.rows_of(tx)
    await database.close()
    return key_checks.used(rows, key_checks.DATA)


async def rotated(tonghu: Tonghu, urls: schema.Urls, path: Path) -> None:
    """The key that was coming seals, and has for an hour."""
    assert not await faults(urls, of(path))
    await later(urls)
    assert (await asyncio.to_thread(tonghu, "keys", "rotate-data", path))[0] == 0
    await later(urls, SEALED_BY_ALL)


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


async def test_a_data_key_comes_is_used_and_goes(tonghu: Tonghu, urls, path) -> None:
    before = of(path)
    [kid], [coming] = before.data, before.coming_data
    sealed = await changed(urls, before)
    assert not await faults(urls, before)
    run = asyncio.to_thread
    assert "no such" in (await run(tonghu, "keys", "drop", path, "none"))[2]
    assert "rotate-data first" in (await run(tonghu, "keys", "drop", path, kid))[2]
    code, _, said = await run(tonghu, "keys", "rotate-data", path)
    assert (code, f"Key {coming} is published for less than ten minutes" in said) == (1, True), said
    await later(urls)
    code, said, _ = await run(tonghu, "keys", "rotate-data", path)
    assert (code, f"The data key {coming} seals; 1 of before open" in said) == (0, True), said
    assert of(path).data.keys() == {coming, kid}
    assert not await faults(urls, of(path))
    assert not await faults(urls, before), "a machine that has the file of before opens it"
    code, _, said = await run(tonghu, "keys", "rotate-data", path)
    assert (code, "is published for less" in said) == (1, True), "nobody else has it yet"
    behind = [("data", coming, key_checks.BEHIND["data"])]
    await later(urls)
    assert await faults(urls, before) == behind, "after that it seals by a key that goes"
    assert not await faults(urls, of(path))
    code, _, said = await run(tonghu, "keys", "drop", path, kid)
    assert (code, f"{coming} seals for less than an hour" in said) == (1, True), said
    await later(urls, SEALED_BY_ALL)
    newest = path.read_text()
    path.write_text(before.to_json())
    code, _, said = await run(tonghu, "keys", "rotate-data", path)
    assert (code, f"data key {coming} seals by now" in said) == (1, True), said
    path.write_text(newest)
    code, _, said = await run(tonghu, "keys", "drop", path, kid)
    assert (code, "1 of child_changes" in said, "1 of child_keys" in said) == (1, True, True)
    assert await used(urls) == [coming, kid], "it has not ended, for it opens these"
    code, said, error = await run(tonghu, "keys", "re-encrypt")
    assert code == 0, error
    assert "child_changes: sealed anew 1 of 1 rows" in said
    assert "child_keys: sealed anew 1 of 1 rows" in said
    again = (await run(tonghu, "keys", "re-encrypt"))[1]
    assert again == "All lies under the key it belongs under.\n", "all is done, and it says so"
    now, words = await stands(urls, before)  # whoever read the file before opens it all the same
    assert (now[:2], words, now != sealed) == (b"\x04\x01", "[]", True)
    code, said, error = await run(tonghu, "keys", "drop", path, kid)
    assert (code, f"{kid} is gone" in said) == (0, True), error
    assert await stands(urls, of(path)) == (now, "[]")
    assert not await faults(urls, of(path)), "no process misses what has gone"
    wrong = {("data", kid, key_checks.ENDED)}
    assert {*await faults(urls, before)} == wrong, "and none seals by it again"


async def test_a_key_is_used_by_nobody_before_a_file_has_it_first(
    tonghu: Tonghu, urls, path, monkeypatch
) -> None:
    """A disk is full: as if nothing had been asked."""
    [kid], text = of(path).data, path.read_text()
    assert not await faults(urls, of(path))
    await later(urls)

    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(data_keys, "_write", full)
        code, _, said = await asyncio.to_thread(tonghu, "keys", "rotate-data", path)
    assert (code, "No room left on the disk" in said) == (1, True), said
    assert (await used(urls), path.read_text()) == ([kid], text)


async def test_nothing_is_sealed_anew_by_a_file_of_before(tonghu: Tonghu, urls, path) -> None:
    before = path.read_text()
    await rotated(tonghu, urls, path)
    [newest, kid] = of(path).data
    stale = replace(of(path), data={kid: of(path).data[kid]}, coming_data={})
    path.write_text(stale.to_json())
    code, _, said = await asyncio.to_thread(tonghu, "keys", "re-encrypt")
    assert (code, f"data key {newest} is missing" in said) == (1, True), said
    await later(urls, -SEALED_BY_ALL)  # just now
    path.write_text(before)
    code, _, said = await asyncio.to_thread(tonghu, "keys", "re-encrypt")
    assert (code, f"{newest} seals by now, and is not the first" in said) == (1, True), said


async def test_what_another_changed_while_a_key_was_counted_stays(
    tonghu: Tonghu, urls, path, monkeypatch
) -> None:
    [kid] = of(path).data
    await rotated(tonghu, urls, path)
    meanwhile = of(path).rotated()

    async def naming(*_: object) -> dict[str, int]:
        path.write_text(meanwhile.to_json())
        return {}

    monkeypatch.setattr(resealing, "naming", naming)
    assert (await asyncio.to_thread(tonghu, "keys", "drop", path, kid))[0] == 0
    assert of(path) == meanwhile.without_data(kid)


async def test_a_file_of_another_database_drops_no_key(tonghu: Tonghu, urls, path) -> None:
    assert not await faults(urls, of(path))
    other = Keyring.generate().rotated_data()
    path.write_text(other.to_json())
    code, _, said = await asyncio.to_thread(tonghu, "keys", "drop", path, [*other.data][1])
    assert (code, "is not the key file of the database" in said) == (1, True), said
    assert of(path).data.keys() == other.data.keys()


async def test_it_is_counted_to_the_end_what_is_sealed_under_a_key(
    tonghu: Tonghu, urls, path, monkeypatch
) -> None:
    """Of a million files that takes longer than any request may wait."""
    monkeypatch.setenv("TONGHU_DATABASE__STATEMENT_TIMEOUT_MS", "100")
    long = Sealed("(SELECT pg_sleep(2.5)::text::bytea AS words_sealed)", {"words_sealed": "long"})
    monkeypatch.setattr(resealing, "TABLES", [long])
    [kid] = of(path).data
    run = asyncio.to_thread
    await rotated(tonghu, urls, path)
    code, said, error = await run(tonghu, "keys", "drop", path, kid)
    assert (code, f"{kid} is gone" in said) == (0, True), error


async def test_what_no_key_opens_is_said(tonghu: Tonghu, urls, path) -> None:
    assert not await faults(urls, of(path))
    await changed(urls, Keyring.generate())
    code, _, said = await asyncio.to_thread(tonghu, "keys", "re-encrypt")
    assert code == 1
    assert "values are opened by no key" in said


async def test_a_file_of_before_gets_a_key_that_comes_first(tonghu: Tonghu, urls, path) -> None:
    text = path.read_text().replace('"coming_data"', '"unknown"')
    path.write_text(text)
    [kid] = of(path).data
    run = asyncio.to_thread
    assert "one is now" in (await run(tonghu, "keys", "rotate-data", path))[1]
    assert list(of(path).data) == [kid]
    [coming] = of(path).coming_data
    newest = path.read_text()
    path.write_text(text)
    code, _, said = await run(tonghu, "keys", "rotate-data", path)
    assert (code, f"{coming} is coming, and not in this file" in said) == (1, True), said
    assert path.read_text() == text
    path.write_text(newest)
    await later(urls)
    await run(tonghu, "keys", "rotate-data", path)
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


async def test_how_far_it_is_is_told_of_all_batches(capsys, monkeypatch) -> None:
    batches = [Batch((1,), 2, 2), Batch((2,), 2, 1, 1), Batch(None, 1, 0, 1)]
    went = []

    @asynccontextmanager
    async def begin() -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(connection=None)

    async def work(_, *, after):
        went.append(after)
        return batches[len(went) - 1]

    async def about(*_) -> int:
        return 7

    monkeypatch.setattr(data_keys, "about", about)
    assert await data_keys._through(begin, work, "some: sealed anew", "some") == (3, 2)
    assert went == [None, (1,), (2,)]
    said = re.sub(r" [\d,]+ a second", "", capsys.readouterr().out).splitlines()
    assert said == [
        "some: sealed anew 2 of 2 rows so far,, about 5 left",
        "some: sealed anew 3 of 4 rows so far,, about 3 left",
        "some: sealed anew 3 of 5 rows,",
    ]


async def test_a_data_key_does_not_go_while_an_answer_that_goes_by_itself_is_under_it(
    tonghu: Tonghu, urls, path
) -> None:
    before = of(path)
    database = Database(open_engine(urls.app, DatabaseSettings()), before, lambda: NOW)
    async with database.begin(SYSTEM) as tx:
        sealed = tx.keyring.seal("idempotency_keys.answer", "key", "{}")
        await tx.connection.execute(_ANSWERED, sealed, tx.now)
    await database.close()
    [kid] = before.data
    await rotated(tonghu, urls, path)
    code, _, said = await asyncio.to_thread(tonghu, "keys", "drop", path, kid)
    assert (code, "1 of idempotency_keys" in said) == (1, True), said
    assert kid in of(path).data


_ANSWERED = """
INSERT INTO idempotency_keys (caller, operation, key, body_sha256, answer, created_at)
VALUES ('client:test', 'createChild', 'key', '', $1, $2)
"""
