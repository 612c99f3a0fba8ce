"""Two operators, and the key file in their hands."""

import asyncio

import pytest
from typer.testing import CliRunner

from app.cli.commands import app as tonghu
from app.core.data.db import SYSTEM
from app.core.data.key_checks import KNOWN_FOR
from tests.access.approving import OTHER
from tests.access.factories import Caller, a_caller
from tests.regions.factories import some_regions
from tests.time_of_keys import passed


@pytest.fixture
async def operators(database, settings) -> tuple[Caller, Caller]:
    """Two people of the operator."""
    await some_regions(database, 120119101200, OTHER)
    one = await a_caller(database, settings, "operator", 0)
    two = await a_caller(database, settings, "operator", 0, agency_id=one.agency_id)
    return one, two


@pytest.fixture
def path(tmp_path, keyring):
    path = tmp_path / "keys.json"
    path.write_text(keyring.to_json())
    path.chmod(0o600)
    return path


@pytest.fixture
def ran(live_database, database_urls, monkeypatch, path):
    """Run `tonghu keys …` on the database; returns what it says."""
    monkeypatch.setenv("TONGHU_DATABASE__URL", database_urls.app)
    monkeypatch.setenv("TONGHU_KEYS_FILE", str(path))

    async def run(*words: object, code: int = 0) -> str:
        asked = ["keys", *map(str, words)]
        done = await asyncio.to_thread(CliRunner().invoke, tonghu, asked)
        assert done.exit_code == code, done.output
        return done.output

    return run


@pytest.fixture
def later(live_database):
    """Let as long pass, for what is known of keys, as a key is known before it is used."""

    async def pass_by(long=KNOWN_FOR) -> None:
        async with live_database.begin(SYSTEM) as tx:
            await passed(tx.connection, long)

    return pass_by
