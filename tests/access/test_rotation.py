"""The keys of tokens change while the service runs, and nobody is refused for it (TOK-9)."""

import asyncio
import json
import re

import pytest
from typer.testing import CliRunner

from app import main
from app.access import tokens
from app.access.tokens import token_keys
from app.cli.commands import app as tonghu
from app.core.data import key_file
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.key_checks import KNOWN_FOR
from app.core.data.key_file import KeyFile
from tests.access.factories import a_caller, renewed
from tests.conftest import calling


def of(path) -> list[str]:
    """The kids: what signs, what signed before, what comes."""
    ring = Keyring.from_json(path.read_text())
    return [*ring.signing, *ring.coming]


async def test_command_lets_the_next_sign(path, ran, later) -> None:
    first, second = of(path)
    assert re.search(rf"{first} +│ signs ", await ran("list", path))
    said = await ran("rotate", path, code=1)
    assert f"Key {second} is published for less than ten minutes" in said
    assert of(path) == [first, second]
    await later()
    await ran("rotate", path)
    signs, before, comes = of(path)
    assert (signs, before) == (second, first)
    assert path.stat().st_mode & 0o777 == 0o600
    said = await ran("rotate", path, code=1)
    assert "for less than ten minutes" in said
    await later()
    await ran("rotate", path)
    assert of(path)[:2] == [comes, second]
    assert first not in of(path)
    assert "rotate first" in await ran("retire", path, comes, code=1)
    assert "no such key" in await ran("retire", path, first, code=1)
    await ran("retire", path, second)
    assert second not in of(path)
    assert "right, coming since" in await ran("check", path)


async def test_what_signed_just_now_is_not_put_behind(path, ran, later, live_database) -> None:
    """Who copied a file of before would let a key go whose tokens live."""
    await ran("check", path)
    await later()
    await ran("rotate", path)
    async with live_database.begin(SYSTEM) as tx:  # the next is old enough, what signs is not
        await tx.connection.execute("UPDATE key_checks SET since = since - $1::interval", KNOWN_FOR)
    assert f"Key {of(path)[0]} signs for less than" in await ran("rotate", path, code=1)


async def test_command_publishes_one_where_none_is_coming(path, ran, later) -> None:
    """A file of before has none: one is made, and signs later."""
    old = json.loads(path.read_text())
    del old["coming"]
    path.write_text(json.dumps(old))
    (first,) = of(path)
    assert "a next key is published" in (await ran("rotate", path)).lower()
    assert (len(of(path)), of(path)[0]) == (2, first)
    assert "for less than ten minutes" in await ran("rotate", path, code=1)
    await later()
    await ran("rotate", path)
    assert of(path)[1] == first


async def test_a_file_of_another_database_is_changed_by_nobody(path, ran, later, tmp_path) -> None:
    await ran("check", path)
    await later()
    other = tmp_path / "other.json"
    other.write_text(Keyring.generate().to_json())
    written = other.read_text()
    for words in (("rotate", other), ("retire", other, of(other)[1])):
        assert "not the key file of the database: data key" in await ran(*words, code=1)
    assert other.read_text() == written


async def test_a_file_from_before_a_rotation_is_told_of_before_it_is_wrong(
    path, ran, later, tmp_path
) -> None:
    old = tmp_path / "old.json"
    old.write_text(path.read_text())
    await ran("check", path)
    await later()
    await ran("rotate", path)
    comes = of(path)[2]
    assert f"signing key {comes} is coming, and not in this file yet" in await ran(
        "check", old, code=1
    )
    await later()
    await ran("rotate", path)
    assert f"signing key {comes} is missing" in await ran("check", old, code=1)


def test_command_takes_key_files_only(tmp_path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    done = CliRunner().invoke(tonghu, ["keys", "list", str(other)])
    assert (done.exit_code, "no key file" in done.output) == (1, True)


async def test_nobody_is_refused_meanwhile_whichever_process_reads_first(
    app, settings, live_database, path, ran, later
) -> None:
    """Two processes, each with the keys as it read them last; every token is shown to both."""
    database = live_database
    caller = await a_caller(database, settings, "civil_affairs", 120119000000)
    told = {"issuer": settings.tokens.issuer, "audience": settings.tokens.audience}
    ring = Keyring.from_json(path.read_text())
    keys = [token_keys(ring.signing, ring.coming, **told) for _ in range(2)]
    apart = [Database(database.engine, ring, database.clock) for _ in keys]
    files = [KeyFile(ring, path) for _ in keys]
    statuses, signed_by = [], set()
    async with (
        calling(app, settings, database, token_keys=keys[0]) as one,
        calling(app, settings, database, token_keys=keys[1]) as other,
    ):
        issued = [renewed(database, settings, caller).token]

        async def everybody_calls() -> None:
            for each in keys:
                token = _issued(database, each, caller)
                signed_by.add(each.signing_kid)
                issued.append(token)
            for token in issued[-6:]:  # those that may still live
                for client in (one, other):
                    headers = {"authorization": f"Bearer {token}"}
                    statuses.append((await client.get("/v1/me", headers=headers)).status_code)

        await everybody_calls()
        await ran("check", path)
        for _ in range(2):
            await later()
            await ran("rotate", path)
            for file, own, each in zip(files, apart, keys, strict=True):
                await everybody_calls()
                assert await file.look(own)
                each.renew(own.keyring.signing, own.keyring.coming)
                assert not await file.look(own)
            await everybody_calls()
            issued[:-2] = []
        assert {*statuses} == {200}
        assert len(signed_by) == 3
        published = (await one.get("/.well-known/jwks.json")).json()["keys"]
        assert [each["kid"] for each in published] == of(path)
        assert not any("d" in each for each in published)
        signs, before, _ = of(path)
        old = _issued(database, token_keys({before: _pem(path, before)}, **told), caller)
        headers = {"authorization": f"Bearer {old}"}
        assert (await one.get("/v1/me", headers=headers)).status_code == 200
        await ran("retire", path, before)
        await files[0].look(apart[0])
        keys[0].renew(apart[0].keyring.signing, apart[0].keyring.coming)
        assert (await one.get("/v1/me", headers=headers)).status_code == 401
        assert signs == keys[0].signing_kid


def _pem(path, kid: str) -> str:
    return Keyring.from_json(path.read_text()).signing[kid]


def _issued(database, keys, caller) -> str:
    return tokens.issue(keys, **caller.claims, now=database.clock(), seconds=300)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"signing": {"a": "no key"}}'])
async def test_what_cannot_be_read_changes_nothing(path, live_database, text) -> None:
    ring = Keyring.from_json(path.read_text())
    database = Database(live_database.engine, ring, live_database.clock)
    file = KeyFile(ring, path)
    if "no key" in text:
        text = json.dumps({**json.loads(ring.to_json()), **json.loads(text)})
    path.write_text(text)
    assert not await file.look(database)
    path.unlink()
    assert not await file.look(database)
    assert database.keyring == ring
    assert database.wrong_keys is None


async def test_each_process_looks_by_itself(
    app, settings, live_database, path, monkeypatch, ran, later
) -> None:
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0.001)
    await ran("check", path)
    await later()
    database = Database(live_database.engine, live_database.keyring, live_database.clock)
    file = KeyFile(database.keyring, path)
    async with (
        main.state(settings, database, file=file) as shared,
        calling(app, settings, database, token_keys=shared["token_keys"]) as client,
    ):
        before = of(path)[0]
        await ran("rotate", path)
        while True:
            published = (await client.get("/.well-known/jwks.json")).json()["keys"]
            if published[0]["kid"] != before:
                break
            await asyncio.sleep(0)
    assert published[1]["kid"] == before


async def test_a_key_that_was_ended_comes_back_by_no_file_of_before(path, ran) -> None:
    before = path.read_text()
    [comes] = Keyring.from_json(before).coming
    await ran("retire", path, comes)
    path.write_text(before)
    await ran("rotate", path)
    now = Keyring.from_json(path.read_text())
    assert comes not in {**now.signing, **now.coming}
    await ran("check", path)
