"""The restore drill, short: `python -m scripts.drill` is the whole of it (REL-10)."""

import tempfile
from pathlib import Path

import pytest

from scripts.drill import Drill

pytestmark = pytest.mark.xdist_group("backup")


async def test_what_was_lost_comes_back_and_is_served(scratch) -> None:
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tonghu-drill-", dir=scratch) as place:
        await Drill(Path(place), 2, said.append).run()
    told = "\n".join(said)
    for step in ("rows are gone", "as many rows of each", "`tonghu serve`: ready", "is written"):
        assert step in told
