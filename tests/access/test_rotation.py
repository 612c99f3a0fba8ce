"""The keys of tokens change while the service runs, and nobody is refused for it (TOK-9)."""

import asyncio
import json
import os
import re

import pytest
from typer.testing import CliRunner

from app.access import tokens
from app.access.tokens import token_keys
from app.cli.commands import app as tonghu
from app.core.data.crypto import Keyring
from tests.access.factories import a_caller, renewed
from tests.conftest import calling

OLD = 1_000_000_000


@pytest.fixture
def path(tmp_path, keyring):
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    path.chmod(0o600)
    return path


def ran(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(tonghu, ["keys", *map(str, words)])
    assert done.exit_code == code, done.output
    return done.output


def of(path) -> list[str]:
    """The kids: what signs, what signed before, what comes."""
    ring = Keyring.from_json(path.read_text())
    return [*ring.signing, *ring.coming]


def test_command_lets_the_next_sign(path) -> None:
    first, second = of(path)
    assert re.search(rf"{first} +│ signs ", ran("list", path))
    ran("rotate", path)
    signs, before, comes = of(path)
    assert (signs, before) == (second, first)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "less than ten minutes" in ran("rotate", path, code=1)
    os.utime(path, (OLD, OLD))
    ran("rotate", path)
    assert of(path)[:2] == [comes, second]
    assert first not in of(path)
    assert "rotate first" in ran("retire", path, comes, code=1)
    assert "no such key" in ran("retire", path, first, code=1)
    ran("retire", path, second)
    assert second not in of(path)


def test_command_makes_one_where_none_is_coming(path) -> None:
    """A file of before has none: it is made, and signs at once."""
    old = json.loads(path.read_text())
    del old["coming"]
    path.write_text(json.dumps(old))
    (first,) = of(path)
    ran("rotate", path)
    assert (len(of(path)), of(path)[1]) == (3, first)


def test_command_takes_key_files_only(tmp_path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert "no key file" in ran("list", other, code=1)


async def test_nobody_is_refused_meanwhile_whichever_process_reads_first(
    app, settings, database, path
) -> None:
    """Two processes, each with the keys as it read them last; every token is shown to both."""
    caller = await a_caller(database, settings, "civil_affairs", 120119000000)
    told = {"issuer": settings.tokens.issuer, "audience": settings.tokens.audience}
    ring = Keyring.from_json(path.read_text())
    keys = [token_keys(ring.signing, ring.coming, **told) for _ in range(2)]
    files = [KeyFile(path) for _ in keys]
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
        for _ in range(2):
            os.utime(path, (OLD, OLD))
            for file, each in zip(files, keys, strict=True):
                file.renew(each)
            ran("rotate", path)
            for file, each in zip(files, keys, strict=True):
                await everybody_calls()
                assert file.renew(each)
                assert not file.renew(each)
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
        ran("retire", path, before)
        files[0].renew(keys[0])
        assert (await one.get("/v1/me", headers=headers)).status_code == 401
        assert signs == keys[0].signing_kid


def _pem(path, kid: str) -> str:
    return Keyring.from_json(path.read_text()).signing[kid]


def _issued(database, keys, caller) -> str:
    return tokens.issue(keys, **caller.claims, now=database.clock(), seconds=300)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"signing": {"a": "no key"}}'])
def test_what_cannot_be_read_changes_nothing(path, settings, text) -> None:
    ring = Keyring.from_json(path.read_text())
    keys = token_keys(ring.signing, ring.coming, issuer="i", audience="a")
    file = KeyFile(path)
    if "no key" in text:
        text = json.dumps({**json.loads(ring.to_json()), **json.loads(text)})
    path.write_text(text)
    assert not file.renew(keys)
    path.unlink()
    assert not file.renew(keys)
    assert keys.signing_kid == next(iter(ring.signing))


async def test_each_process_looks_by_itself(app, settings, database, path, monkeypatch) -> None:
    monkeypatch.setattr(rotation, "_LOOK_SECONDS", 0.001)
    followed = settings.model_copy(update={"keys_file": path})
    async with calling(app, followed, database) as client:
        before = of(path)[0]
        ran("rotate", path)
        while True:
            published = (await client.get("/.well-known/jwks.json")).json()["keys"]
            if published[0]["kid"] != before:
                break
            await asyncio.sleep(0)
    assert published[1]["kid"] == before
