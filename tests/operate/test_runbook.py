"""What the pages for operators tell to type can be typed: commands, paths and SQL."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import pytest
import typer

from app.cli import commands
from tests.architecture.test_shape import HOME

PAGES: Final = {
    name: (HOME / f"docs/{name}.md").read_text("utf-8")
    for name in ("night-shift", "operate", "keys", "changing-keys", "backup")
}
NIGHT: Final = PAGES["night-shift"]
SERVICES: Final = {"wal"}
"""Commands that a page names as what runs, not for somebody to type."""


def _typed(text: str) -> Iterator[tuple[Any, list[str]]]:
    """Every `tonghu …` of a page: the command, and what follows its name."""
    for line in re.findall(r"(?:^|[`= ])tonghu ([a-z][^`#\n&|]*)", text, re.MULTILINE):
        words = line.split()
        command: Any = typer.main.get_command(commands.app)
        while hasattr(command, "commands") and (words or not command.invoke_without_command):
            assert words, line
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        yield command, words


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_with_options_it_has(page: str) -> None:
    seen = 0
    for command, words in _typed(PAGES[page]):
        options = {name for each in command.params for name in each.opts}
        assert {word for word in words if word.startswith("--")} <= options, (command.name, words)
        seen += 1
    assert seen > 3


def test_at_night_nothing_is_missing_of_a_command() -> None:
    for command, words in _typed(NIGHT):
        asked = [each for each in command.params if each.param_type_name == "argument"]
        needed = [each.name for each in asked if each.required]
        given = [word for word in words if not word.startswith("--")]
        assert command.name in SERVICES or len(given) >= len(needed), (command.name, needed)


def test_every_path_is_one() -> None:
    document = json.loads((HOME / "openapi/v1.json").read_text("utf-8"))
    known = {
        (method.upper(), re.sub(r"{.*?}", "{}", path))
        for path, methods in document["paths"].items()
        for method in methods
    }
    text = "\n".join(PAGES.values())
    named = re.findall(r"\b(GET|POST|PATCH|PUT|DELETE) (/v1/[^`\s?]*)", text)
    assert {(method, re.sub(r"{.*?}", "{}", path)) for method, path in named} <= known
    assert len(named) > 3


async def test_what_is_asked_in_sql_at_night_is_answered(pg, database_urls) -> None:
    asked = re.findall(r"```sql\n(.*?);?\n```", NIGHT, re.DOTALL)
    asked += re.findall(r"`((?:SELECT|ANALYZE)\b[^`]*)`", NIGHT)
    assert len(asked) > 8
    path = urlsplit(database_urls.app).path
    connection = await asyncpg.connect(urlunsplit(urlsplit(pg)._replace(path=path)))
    try:
        for text in asked:
            planned = re.sub(r"\((?:PID|HOLDS)\)", "(0)", text)
            planned = planned.replace("'ENDPOINT'", f"'{UUID(int=0)}'").replace("'SLOT'", "'none'")
            await connection.execute(text if text == "ANALYZE" else f"EXPLAIN {planned}")
    finally:
        await connection.close()
