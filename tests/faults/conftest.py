"""One town for all the tests that kill parts of it; each finds it up, whatever the last one did."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.data.crypto import Keyring
from app.embedded import cluster
from tests import schema
from tests.faults import command
from tests.faults import town as towns
from tests.faults.command import Tonghu
from tests.faults.town import Town
from tests.waiting import until
from tests.webhooks.workshop import Receiver


@pytest.fixture(scope="session")
async def built_town(scratch: Path) -> AsyncIterator[Town]:
    if cluster.installed_binaries() is None:
        pytest.skip("there is no embedded PostgreSQL for this platform")
    place = Path(tempfile.mkdtemp(prefix="tonghu-town-", dir=scratch))
    town = towns.a_town(place / "data")
    try:
        await towns.build(town)
        yield town
    finally:
        await asyncio.to_thread(town.stop)
        await until(town.is_gone)
        shutil.rmtree(place)


@pytest.fixture
async def town(built_town: Town) -> Town:
    await asyncio.to_thread(built_town.up)
    # What a test that failed left on its way would arrive in the next one.
    await built_town.query(
        "UPDATE webhook_deliveries SET state = 'succeeded', lease = NULL"
        " WHERE state IN ('pending', 'leased')"
    )
    return built_town


@pytest.fixture
async def receiver(town: Town) -> AsyncIterator[Receiver]:
    """The police's system, listening."""
    async with towns.desk(town, Receiver()) as receiver:
        yield receiver


@pytest.fixture
def tonghu(
    urls: schema.Urls,
    keyring: Keyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Tonghu:
    """Run `tonghu ARGUMENTS` on the module's database; returns exit code, output and errors."""
    return command.here(
        monkeypatch,
        capsys,
        TONGHU_DATABASE__URL=urls.app,
        TONGHU_DATABASE__OWNER_URL=urls.owner,
        TONGHU_DATA_DIR=str(tmp_path),
        TONGHU_KEYS=keyring.to_json(),  # the database outlives the folder
    )
