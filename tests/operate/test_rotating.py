"""The key file is changed under load, in short: `python -m scripts.rotating` is the whole of it."""

import tempfile
from pathlib import Path

import pytest

from scripts import rotating

pytestmark = [pytest.mark.xdist_group("backup"), pytest.mark.long]


async def test_no_request_fails_and_nothing_is_lost(scratch) -> None:
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tonghu-rotating-", dir=scratch) as place:
        load = await rotating.run(Path(place), 12.0, 0.0, said.append, whole=False)
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
