"""A process looks at its key file and at the database, and waits for neither."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest
import structlog

from app.cli.keys import SEALED_BY_ALL
from app.core import startup
from app.core.clock import utc_now
from app.core.data import crypto, key_checks, key_file, wrong_keys
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database, TemporarilyUnavailable
from app.core.data.key_checks import KNOWN_FOR
from app.core.data.key_file import KeyFile
from app.core.problems import Cause
from app.core.settings import Settings


@pytest.mark.parametrize(
    "error", [TemporarilyUnavailable, asyncpg.TooManyConnectionsError, ConnectionResetError]
)
async def test_a_database_that_is_away_is_asked_again_and_told_of_once(
    live_database, keyring, tmp_path, monkeypatch, error
) -> None:
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0.0)
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    file = KeyFile(keyring, path)
    database = Database(live_database.engine, keyring, live_database.clock)
    tried, looked, look = [], asyncio.Event(), file.look

    async def away_twice(asked: Database) -> bool:
        tried.append(asked)
        if len(tried) < 3:
            raise error
        looked.set()
        return await look(asked)

    monkeypatch.setattr(KeyFile, "look", lambda _, asked: away_twice(asked))
    with structlog.testing.capture_logs() as said:
        following = asyncio.create_task(file.follow(database, lambda: None))
        await looked.wait()
        following.cancel()
    assert [each["event"] for each in said] == ["keys.not_compared"]


async def test_who_began_with_wrong_keys_goes_on_to_look(
    database_urls, live_database, keyring, tmp_path
) -> None:
    """It seals what waits to the spool's key of now, and takes the right file."""
    await KeyFile(keyring).look(live_database)
    path = tmp_path / "keys.json"
    path.write_text(Keyring.generate().to_json())
    settings = Settings(environment="test", keys_file=path)
    addresses = startup.DatabaseAddresses(database_urls.app, database_urls.owner, None)
    async with startup.open_database(settings, utc_now, addresses=addresses) as database:
        file = startup.key_file(settings)
        await file.look(database)
        assert database.keyring.is_for_intake
        unspool = crypto.new_key()
        [(kid, public)] = crypto.public_parts(unspool).items()
        async with database.begin(SYSTEM) as tx:
            await key_checks.make_known(tx, key_checks.SPOOL, kid, public)
            await key_checks.use(tx, key_checks.SPOOL, kid)
        assert await file.look(database)
        assert next(iter(database.keyring.spool)) == kid
        file = startup.key_file(settings)
        path.unlink()
        path.write_text(keyring.to_json())
        with structlog.testing.capture_logs() as said:
            assert await file.look(database)
        assert [each["event"] for each in said] == ["keys.renewed", "keys.right"]
        assert (database.keyring, database.wrong_keys) == (keyring, None)


async def test_whatever_goes_wrong_it_goes_on_to_look(live_database, keyring, monkeypatch) -> None:
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0.0)
    file, looked, went_wrong = KeyFile(keyring), asyncio.Event(), []

    async def look(_: Database) -> bool:
        if not went_wrong:
            went_wrong.append("once")
            raise KeyError("unforeseen")
        looked.set()
        return False

    monkeypatch.setattr(file, "look", look)
    database = Database(live_database.engine, keyring, live_database.clock)
    following = asyncio.create_task(file.follow(database, lambda: None))
    await looked.wait()
    following.cancel()


async def test_a_right_process_says_once_that_its_file_is_wrong(
    live_database, keyring, tmp_path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    database = Database(live_database.engine, keyring, live_database.clock)
    file = KeyFile(keyring, path)
    await file.look(database)
    path.unlink()
    path.write_text(Keyring.generate().to_json())
    with structlog.testing.capture_logs() as said:
        assert not await file.look(database)
        assert not await file.look(database)
    assert [each["event"] for each in said] == ["keys.renewed", "keys.not_taken"]
    assert (database.keyring, database.wrong_keys) == (keyring, None)


async def test_the_line_comes_again_when_it_says_something_else(
    live_database, keyring, tmp_path
) -> None:
    await KeyFile(keyring).look(Database(live_database.engine, keyring, live_database.clock))
    path = tmp_path / "keys.json"
    other = Keyring.generate()
    path.write_text(other.to_json())
    database = Database(live_database.engine, other, live_database.clock)
    file = KeyFile(other, path)
    with structlog.testing.capture_logs() as said:
        assert await file.look(database)
        assert not await file.look(database)
        half = replace(keyring, index=other.index)
        path.unlink()
        path.write_text(half.to_json())
        await file.look(database)
        assert database.wrong_keys
        assert database.wrong_keys.told == f"index key {next(iter(keyring.index))} is missing"
        path.unlink()
        path.write_text(keyring.to_json())
        assert await file.look(database)
    told = [each for each in said if each["event"] in {"keys.wrong", "keys.right"}]
    assert [each["event"] for each in told] == ["keys.wrong", "keys.wrong", "keys.right"]
    assert "data key" in told[0]["which"]
    assert told[1]["which"] == f"index key {next(iter(keyring.index))} is missing"


async def test_a_wrong_process_seals_to_the_newest_key_of_the_spool_and_knows_all_of_tokens(
    live_database, keyring
) -> None:
    await KeyFile(keyring).look(Database(live_database.engine, keyring, live_database.clock))
    other = Keyring.generate()
    database = Database(live_database.engine, other, live_database.clock)
    file = KeyFile(other)
    assert await file.look(database)
    async with live_database.begin(SYSTEM) as tx:
        soon = tx.now + timedelta(seconds=1)
        [(kid, public)] = Keyring.generate().spool.items()
        await key_checks.make_known(tx, key_checks.SPOOL, kid, public, soon)
    assert await file.look(database)
    assert next(iter(database.keyring.spool)) == kid
    async with live_database.begin(SYSTEM) as tx:
        await key_checks.make_known(tx, key_checks.SIGNING, "late", b'{"kty":"EC"}')
    assert await file.look(database)
    assert database.wrong_keys
    assert "late" in database.wrong_keys.verifying
    assert not await file.look(database)


@pytest.mark.parametrize("there", [True, False])
async def test_without_a_file_keys_are_those_it_began_with(
    live_database, keyring, tmp_path, there
) -> None:
    database = Database(live_database.engine, keyring, live_database.clock)
    path = tmp_path / "keys.json" if there else None
    assert not await KeyFile(keyring, path).look(database)


async def test_a_key_of_tokens_that_was_retired_verifies_nothing_whatever_a_file_says(
    live_database, keyring
) -> None:
    """At once, also where nobody has copied the file yet."""
    database = Database(live_database.engine, keyring, live_database.clock)
    file = KeyFile(keyring)
    await file.look(database)
    [comes] = keyring.coming
    async with live_database.begin(SYSTEM) as tx:
        await key_checks.end(tx, key_checks.SIGNING, comes)
    assert await file.look(database)
    assert (database.keyring.coming, database.wrong_keys) == ({}, None)
    assert database.keyring.signing == keyring.signing


async def test_keys_of_before_go_on_only_as_long_as_they_are_right(
    live_database, keyring, tmp_path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    database = Database(live_database.engine, keyring, live_database.clock)
    file = KeyFile(keyring, path)
    await file.look(database)
    path.unlink()
    path.write_text(Keyring.generate().to_json())
    assert not await file.look(database)
    [more] = Keyring.generate().data.items()
    newer = replace(keyring, data={more[0]: more[1], **keyring.data})
    async with live_database.begin(SYSTEM) as tx:  # by a process with the newest file
        await key_checks.settle(tx, newer)
    assert await file.look(database)
    assert database.wrong_keys is not None
    assert database.keyring.is_for_intake


async def test_a_file_that_comes_while_the_database_is_asked_counts(
    live_database, keyring, tmp_path, monkeypatch
) -> None:
    """Nobody is refused for it in the two seconds until the next look."""
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    database = Database(live_database.engine, keyring, live_database.clock)
    file, settle = KeyFile(keyring, path), key_checks.settle
    await file.look(database)
    [more] = Keyring.generate().data.items()
    newer = replace(keyring, data={more[0]: more[1], **keyring.data})

    async def meanwhile(tx, ring):
        if not path.with_suffix(".done").exists():
            path.with_suffix(".done").touch()
            await settle(tx, newer)
            path.unlink()
            path.write_text(newer.to_json())
        return await settle(tx, ring)

    monkeypatch.setattr(key_checks, "settle", meanwhile)
    assert await file.look(database)
    assert (database.wrong_keys, database.keyring) == (None, newer)


async def test_keys_that_come_from_no_file_become_wrong_too(
    database_urls, live_database, keyring
) -> None:
    await KeyFile(keyring).look(live_database)
    settings = Settings(environment="test", keys=keyring.to_json())
    addresses = startup.DatabaseAddresses(database_urls.app, database_urls.owner, None)
    async with startup.open_database(settings, utc_now, addresses=addresses) as database:
        file = startup.key_file(settings)
        assert not await file.look(database)
        async with database.begin(SYSTEM) as tx:
            await key_checks.end(tx, key_checks.DATA, next(iter(keyring.data)))
        assert await file.look(database)
        assert database.keyring.is_for_intake


@pytest.mark.parametrize("off", [SEALED_BY_ALL - KNOWN_FOR, -timedelta(hours=1)])
async def test_who_could_not_compare_for_long_begins_nothing_before_it_has(
    live_database, keyring, monkeypatch, off
) -> None:
    """Cut off from the database while its keys were changed and dropped, a process comes back; how
    long that was, a clock that was set back does not say.
    """
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0.0)
    database = Database(live_database.engine, keyring, live_database.clock)
    file, looked = KeyFile(keyring), asyncio.Event()
    look, began = file.look, utc_now()

    async def looks(asked: Database) -> bool:
        with pytest.raises(TemporarilyUnavailable) as refused:
            async with asked.begin(SYSTEM):
                pytest.fail("it began")
        assert refused.value.cause is Cause.wrong_keys
        monkeypatch.setattr(wrong_keys, "utc_now", utc_now)
        found = await look(asked)
        looked.set()
        return found

    monkeypatch.setattr(file, "look", looks)
    monkeypatch.setattr(wrong_keys, "utc_now", lambda: began + off)
    following = asyncio.create_task(file.follow(database, lambda: None))
    await looked.wait()
    following.cancel()
    async with database.begin(SYSTEM) as tx:
        assert tx.keyring.unseal("place", "row", tx.keyring.seal("place", "row", "text")) == "text"


async def test_what_was_read_counts_from_before_it_was_asked_for(
    live_database, keyring, monkeypatch
) -> None:
    """Frozen between the answer and what follows from it, a process takes old news for new."""
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0.0)
    database = Database(live_database.engine, keyring, live_database.clock)
    file, seen = KeyFile(keyring), list[datetime]()
    asked, enough = list[datetime](), asyncio.Event()

    async def looks(_: Database) -> bool:
        seen.append(database.compared)
        asked.append(utc_now())
        if len(seen) == 3:
            enough.set()
        return False

    monkeypatch.setattr(file, "look", looks)
    following = asyncio.create_task(file.follow(database, lambda: None))
    await enough.wait()
    following.cancel()
    assert seen == sorted(seen)
    assert all(then <= when for then, when in zip(seen[1:], asked, strict=False))
