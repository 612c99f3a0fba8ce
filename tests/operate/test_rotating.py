"""The key file is changed under load, in short: `python -m scripts.rotating` is the whole of it."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded.postgres import Server
from scripts import rotating
from scripts.under_load import Load
from tests import schema
from tests.releases import backups

pytestmark = pytest.mark.xdist_group("schema")


@pytest.fixture
def server(pg: str, at_head: Callable[[Path | None], str]) -> Iterator[Server]:
    """That of the tests, with a database of its own."""
    name = f"tonghu_rotating_{os.getpid()}"
    urls = schema.copy(pg, at_head(None), name)
    yield Server(urls.owner, urls.app, urls.backup, urls.sealer, backups.at(pg, name))
    asyncio.run(schema.drop(pg, name))


async def test_no_request_fails_and_nothing_is_lost(server: Server, scratch: Path) -> None:
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tonghu-rotating-", dir=scratch) as place:
        load = Load(Path(place), server, 12.0, said.append, here=True)
        await rotating.changed(load, 0.0, whole=False)
    told = "\n".join(said)
    assert not load.failed, told
    for step in (
        "re-encrypt",
        "files anew by index key",
        "drop-index",
        "drop-spool",
        "no key of before",
    ):
        assert step in told, told
    assert load.filed
