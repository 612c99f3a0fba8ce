"""Each periodic job goes county by county, or the page of processes says by what else and why."""

import re
from pathlib import Path

from app import wiring
from app.core.jobs import queue

PAGE = Path(__file__).parents[2] / "docs" / "processes.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| `([^`]+)` \| (.+) \|$", re.MULTILINE)
COUNTIES = re.compile(r"(_in|_of)?_county$")


def test_the_page_says_of_each_by_what_it_goes() -> None:
    wiring.load()
    said = {name: (cron, by) for name, cron, by in ROW.findall(PAGE.read_text())}
    jobs = {each.name: each for each in queue.REGISTRY.values() if each.cron}
    differ = sorted(said.keys() ^ jobs.keys())
    assert not differ, f"only one of docs/processes.md, What comes round, and queue.every: {differ}"
    for name, (cron, by) in said.items():
        parts = {each.name for each in queue.REGISTRY.values() if each.of == name}
        assert cron == jobs[name].cron, f"docs/processes.md: {name} comes round otherwise"
        assert {*re.findall(r"`([a-z_.]+)`", by)} == parts, (
            f"docs/processes.md: the parts (`of=`) of {name} in backticks"
        )
        assert by.startswith("county") == any(COUNTIES.search(part) for part in parts), name
        assert parts or ": " in by, f"{name} goes as one: why?"


def test_each_county_that_is_queued_is_part_of_what_comes_round() -> None:
    """Else the periodic job would be said to have succeeded while counties wait."""
    wiring.load()
    by_county = [each for each in queue.REGISTRY.values() if COUNTIES.search(each.name)]
    assert by_county
    assert [each.name for each in by_county if each.of is None] == []
