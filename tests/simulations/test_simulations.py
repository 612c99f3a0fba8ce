"""A village's year, a school's term, a police station's month: who owes what, day by day. The pages
of docs/simulations are what a reader of the sources checks; here they are held to the service.
"""

import pytest

from app.duties.rulebook import rules
from scripts.simulate import PAGES, STORIES, page, played
from tests.simulations.stage import MET, NOBODY, UNMET

OF_NO_STORY = {"GOV-04.review", "PIP-50"}
"""Owed for what somebody asks or does, not for how a child lives: played in time and late in
`tests/break_glass/test_reviewing.py` and `tests/rights/test_requests.py`.
"""


def test_together_they_come_to_every_rule() -> None:
    told = {code for story in STORIES.values() for code in story.CHAIN}
    assert told | OF_NO_STORY == rules().keys()
    assert not told & OF_NO_STORY


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_is_as_its_page_says(client, database, settings, name) -> None:
    stage = await played(name, client, database, settings)
    assert page(name, stage) == (PAGES / f"{name}.md").read_text(), f"scripts.simulate {name}"
    for code, outcomes in stage.outcomes().items():
        assert outcomes == {MET, UNMET}, f"{code} is not once met in time and once unmet"
    assert NOBODY not in page(name, stage)
