"""Random lives (`world`), random deeds (`deeds`), and what is true of them all the same (`truths`).

TONGHU_LIVES=200 .venv/bin/pytest tests/lives -n 2     # as long as one likes; `make exam`
"""

import os

import pytest

from tests.lives import families as at_home
from tests.lives import owing
from tests.lives.deeds import DEEDS
from tests.lives.truths import TRUTHS
from tests.lives.world import a_world

LIVES = int(os.environ.get("TONGHU_LIVES", "1"))
DEEDS_EACH = 40


@pytest.mark.parametrize("seed", range(LIVES))
async def test_whatever_happens(client, database, settings, seed: int) -> None:
    world = await a_world(client, database, settings, seed)
    for _ in range(DEEDS_EACH):
        await world.rng.choice(DEEDS)(world)
        wrong = [each for truth in TRUTHS for each in await truth(world)]
        assert not wrong, "\n".join(["", *world.told[-25:], "", *wrong[:5]])


@pytest.mark.parametrize("seed", range(LIVES))
async def test_whatever_befalls_families(client, database, settings, monkeypatch, seed) -> None:
    """Nobody who must act is left unasked, and nothing they did not do is forgotten."""
    world = await at_home.families(client, database, settings, seed, monkeypatch)
    for _ in range(DEEDS_EACH):
        await world.rng.choice(at_home.DEEDS)(world)
        wrong = [each for truth in owing.TRUTHS for each in await truth(world)]
        assert not wrong, "\n".join(["", *world.told[-25:], "", *wrong[:5]])
