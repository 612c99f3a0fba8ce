"""What commands say of keys that are not the database's, are coming or have gone."""

import asyncio

import pytest
import typer

from app.cli.console import Session, in_session
from app.core.data import key_checks
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM
from tests.children.factories import a_child
from tests.conftest import VILLAGE


async def test_a_command_that_needs_a_key_says_which_is_wrong(path, ran, capsys) -> None:
    await ran("check", path)
    kid = next(iter(Keyring.from_json(path.read_text()).data))
    path.write_text(Keyring.generate().to_json())

    async def seals(session: Session) -> bytes:
        return session.database.keyring.seal("t.c", "row", "words")

    async def needs_none(session: Session) -> str:
        return session.database.wrong_keys.told

    with pytest.raises(typer.Exit):
        await asyncio.to_thread(in_session, seals)
    assert (
        f"This takes the keys of the database: data key {kid} is missing" in capsys.readouterr().err
    )
    assert "is missing" in await asyncio.to_thread(in_session, needs_none)


async def test_check_tries_a_file_on_the_data_where_nothing_is_known(
    path, ran, live_database, monkeypatch, tmp_path
) -> None:
    await a_child(live_database, VILLAGE)
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET health_sealed = $1 WHERE id = (SELECT id FROM children)",
            b"\x01none" + bytes(40),
        )
    wrong = tmp_path / "wrong.json"
    wrong.write_text(Keyring.generate().to_json())
    monkeypatch.setenv("TONGHU_KEYS_FILE", str(wrong))
    said = await ran("check", path, code=1)
    assert "data key none is missing" in said
    assert "not known yet" in said


async def test_check_tells_of_what_may_leave_and_of_what_must_come(
    path, ran, later, live_database, tmp_path
) -> None:
    await ran("rotate-index", path)
    old = tmp_path / "old.json"
    ring = Keyring.from_json(path.read_text())
    before, new = ring.index
    assert f"index key {new}: right, coming since" in await ran("check", path)
    without = {kid: key for kid, key in ring.index.items() if kid == before}
    old.write_text(Keyring(ring.signing, ring.data, without, ring.spool, ring.unspool).to_json())
    said = await ran("check", old, code=1)
    assert f"index key {new} is coming, and not in this file yet" in said
    assert "take the newest file" in await ran("rotate-index", old, code=1)
    await later()
    await ran("rotate-index", path)
    async with live_database.begin(SYSTEM) as tx:
        await key_checks.end(tx, key_checks.INDEX, before)
    said = await ran("check", path)
    assert f"index key {before}: ended" in said
    assert "it may leave this file" in said
