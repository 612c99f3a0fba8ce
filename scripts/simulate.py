"""Play a story over HTTP, print who owes what day by day, and keep it in docs/simulations.

    python -m scripts.simulate village     # or school, police

A reader of the sources checks the table; a test holds the service to it.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from app import wiring
from app.core.data.crypto import Keyring
from app.core.data.db import Database
from app.core.settings import Settings
from app.embedded import postgres
from tests import schema
from tests.releases import readers
from tests.simulations import police, school, village
from tests.simulations.stage import Stage, present

PAGES: Final = Path(__file__).parents[1] / "docs/simulations"
STORIES: Final = {"village": village, "school": school, "police": police}
_TITLES: Final = {
    "village": "一个村的一年 A village's year",
    "school": "一所学校的一学期 A school's term",
    "police": "一个派出所的一个月 A police station's month",
}


async def played(name: str, client: Any, database: Database, settings: Settings) -> Stage:
    """Play a story on a database without children."""
    story = STORIES[name]
    stage = Stage(client, database, settings, story.CHAIN, story.BEGINS)
    await story.play(stage)
    return stage


def page(name: str, stage: Stage) -> str:
    """Write the page of a story that was played."""
    head = [
        f"# {_TITLES[name]}",
        "",
        f"Written by `python -m scripts.simulate {name}`; do not edit. All people are made up.",
        "Each row says what somebody did, or had not done when it was due, and what that made",
        "owed, with the rule and the obligations it carries. What had no effect has a dash. After",
        "`told` stand those of the roles to be told who then see it. Only the rules of this chain",
        "are shown.",
        "",
        *present(stage),
        "",
    ]
    return "\n".join([*head, *stage.table()]) + "\n"


async def _play(name: str, urls: schema.Urls) -> str:
    begins = STORIES[name].BEGINS
    async with readers.serving(urls, Keyring.generate(), begins) as (client, database, settings):
        return page(name, await played(name, client, database, settings))


def main() -> None:
    [name] = sys.argv[1:]
    wiring.load()
    with postgres.passing("tonghu-simulate-") as lease:
        urls = schema.make(lease.server.superuser_url, "tonghu_simulated")
        written = asyncio.run(_play(name, urls))
    PAGES.mkdir(exist_ok=True)
    (PAGES / f"{name}.md").write_text(written)
    print(written, end="")


if __name__ == "__main__":
    main()
