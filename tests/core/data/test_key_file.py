"""A process looks at its key file and at the database, and waits for neither."""

import asyncio
from dataclasses import replace

import pytest
import structlog

from app.core.data import key_file
from app.core.data.crypto import Keyring
from app.core.data.db import Database, TemporarilyUnavailable
from app.core.data.key_file import KeyFile


async def test_a_database_that_is_away_is_asked_again_and_told_of_once(
    live_database, keyring, tmp_path, monkeypatch
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
            raise TemporarilyUnavailable
        looked.set()
        return await look(asked)

    monkeypatch.setattr(KeyFile, "look", lambda _, asked: away_twice(asked))
    with structlog.testing.capture_logs() as said:
        following = asyncio.create_task(file.follow(database, lambda: None))
        await looked.wait()
        following.cancel()
    assert [each["event"] for each in said] == ["keys.not_compared"]


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
        path.unlink()
        path.write_text(keyring.to_json())
        assert await file.look(database)
    told = [each for each in said if each["event"] in {"keys.wrong", "keys.right"}]
    assert [each["event"] for each in told] == ["keys.wrong", "keys.wrong", "keys.right"]
    assert "data key" in told[0]["which"]
    assert told[1]["which"] == f"index key {next(iter(keyring.index))} is missing"


@pytest.mark.parametrize("there", [True, False])
async def test_without_a_file_keys_are_those_it_began_with(
    live_database, keyring, tmp_path, there
) -> None:
    database = Database(live_database.engine, keyring, live_database.clock)
    path = tmp_path / "keys.json" if there else None
    assert not await KeyFile(keyring, path).look(database)
