"""What README, docs and docstrings name is there: files, commands, options, variables, sources."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from app import wiring
from app.cli import commands
from app.core.clock import local_date, utc_now
from app.core.data.retention import KINDS
from app.core.settings import SealerSettings, Settings
from app.policy import clauses, laws
from app.policy import queries as policy
from app.regions.rules import NATION
from scripts import families
from tests.architecture.test_shape import HOME, files

PAGES = {path: path.read_text("utf-8") for path in files("*.md")}
IN_SAFE_HANDS = "docs/in-safe-hands.md"
README = PAGES[HOME / "README.md"]
GONE = {"scripts/freeze_schema.py", "core/rls.py", "villages.csv"}
"""Files that are told of as they were, in what is superseded or about another's package."""

NOT_SETTINGS = re.compile(
    r"TONGHU_((APP|OWNER|SEALER|BACKUP)_PASSWORD|ISSUER|LIVES|MATRIX|DEMO_DIR|PARTED|PICTURES|PLANS"
    r"|TEST_SUPERUSER_URL|DATABASE__POOL_SIZ\b)"
)
"""Variables of compose.yaml, of the tests and of the demo."""

OF_OTHER_SOURCES = {"TOK", "REL", "AUD"}
"""Requirements of security and operation; obligations have prefixes of their own."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_every_file_a_page_names_is_there(page: Path) -> None:
    there = [f"/{path.relative_to(HOME)}" for path in files()]
    named = re.findall(r"`([\w./-]+\.(?:py|md|yaml|toml|json|csv|gz|sql))(?:::\w+)?`", PAGES[page])
    named = [name for name in named if not name.startswith("/") and name not in GONE]
    assert [name for name in named if not any(one.endswith(f"/{name}") for one in there)] == []
    linked = re.findall(r"\]\((?!http|#)([^)#]+)", PAGES[page])
    assert [link for link in linked if not (page.parent / link).exists()] == []


TESTS = {path: path.read_text("utf-8") for path in files("tests/**/test_*.py")}
NAMED_TEST = re.compile(
    r"`((?:tests/[\w/]+/)?test_\w+\.py)?(?:::)?((?:Test\w+)?(?:::)?(?:test_\w+)?)`"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_every_test_a_page_names_is_there(page: Path) -> None:
    for path, name in NAMED_TEST.findall(PAGES[page]):
        texts = [
            text
            for file, text in TESTS.items()
            if f"/{file.relative_to(HOME)}".endswith(f"/{path}")
        ]
        assert texts or not path, path
        for one in filter(None, name.split("::")):
            held = texts if path else TESTS.values()
            assert any(re.search(rf"(?:def|class) {one}\b", text) for text in held), (
                f"{path}::{one}"
            )


def test_every_line_of_what_somebody_can_try_names_its_test() -> None:
    """A table of attacks without its tests would be a claim that nothing bites."""
    rows = re.findall(
        r"^\| (?!---|attack|who wants)(.+) \|$", PAGES[HOME / IN_SAFE_HANDS], re.MULTILINE
    )
    assert len(rows) > 60
    assert [row for row in rows if not NAMED_TEST.search(row.rsplit(" | ", 1)[1])] == []


def _commands() -> Iterator[tuple[str, ...]]:
    """Every `tonghu …` and `make …` in the README, word by word."""
    for line in re.findall(r"(?:^|[`/ ])((?:tonghu|make) [^`#\n]+)", README, re.MULTILINE):
        yield tuple(re.sub(r"\".*?\"", "TEXT", line).split())


def test_every_command_of_the_readme_is_one() -> None:
    targets = re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text("utf-8"), re.MULTILINE)
    seen = 0
    for program, *words in _commands():
        if program == "make":
            assert words[0] in targets, words
            continue
        command: Any = typer.main.get_command(commands.app)
        while words and hasattr(command, "commands") and words != ["--help"]:
            assert words[0] in command.commands, words
            command = command.commands[words.pop(0)]
        options = {"--help", *(name for each in command.params for name in each.opts)}
        assert {word for word in words if word.startswith("--")} <= options, words
        seen += 1
    assert seen > 8


def test_every_variable_named_is_a_setting() -> None:
    def names(group: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in group.model_fields.items():
            yield f"{prefix}{name}".upper()
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from names(field.annotation, f"{prefix}{name}__")

    known = {*names(Settings, "TONGHU_"), *names(SealerSettings, "TONGHU_")}
    for path in files("*.md", "*.yaml", "*.py", "Dockerfile", "Makefile", ".env.example"):
        said = set(re.findall(r"\bTONGHU_[A-Z_]+[A-Z]\b", path.read_text("utf-8")))
        wrong = {name for name in said - known if not NOT_SETTINGS.fullmatch(name)}
        assert wrong == set(), path.relative_to(HOME)


def test_every_setting_stands_in_the_table() -> None:
    def names(group: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in group.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from names(field.annotation, f"{prefix}{name}__")
            else:
                yield f"{prefix}{name}".upper()

    text = (HOME / "docs/settings.md").read_text("utf-8")
    assert re.findall(r"^\| `(TONGHU_[A-Z_]+)` \|", text, re.MULTILINE) == unlisted_last(
        text, {*names(Settings, "TONGHU_"), *names(SealerSettings, "TONGHU_")}
    )


def unlisted_last(text: str, known: set[str]) -> list[str]:
    """Sort names as a text first says them, others behind."""
    return sorted(known, key=lambda name: (text.find(f"`{name}`") < 0, text.find(f"| `{name}`")))


def test_every_source_cited_exists() -> None:
    known = {*(row["id"] for row in clauses.obligations()), *laws.articles()}
    prefixes = {each[:3] for each in known}
    decisions = {path.name[:4] for path in (HOME / "docs/decisions").glob("0*.md")}
    for path in files("app/**/*.py", "app/**/*.yaml", "demo/**/*.py", "*.md"):
        text = path.read_text("utf-8")
        cited = {c for c in re.findall(r"\b[A-Z]{3}-\d\d\b", text) if c[:3] not in OF_OTHER_SOURCES}
        assert cited <= known, f"{path.relative_to(HOME)}: {cited - known}"
        told = {f"{int(number):04}" for number in re.findall(r"\bADR (\d+)", text)}
        assert told <= decisions, f"{path.relative_to(HOME)}: {told - decisions}"
    assert not prefixes & OF_OTHER_SOURCES


def test_every_requirement_cited_is_explained_and_no_other() -> None:
    cited = re.compile(r"\b(?:(?:AZ|AUD|TOK|IN|REL|DB)-\d{1,2}|[DFR]\d{1,2})\b")
    page = HOME / "docs/requirements.md"
    explained = set(re.findall(r"^\| ([A-Z]+-?\d+) \|", page.read_text("utf-8"), re.MULTILINE))
    places = ("app/**/*.py", "app/**/*.yaml", "alembic/**/*.py", "scripts/*.py", "tests/**/*.py")
    found = {
        each
        for path in (*files(*places), *PAGES)
        if path not in {page, Path(__file__)}
        for each in cited.findall(path.read_text("utf-8"))
    }
    assert found == explained


def test_the_numbers_of_the_readme_are_those_of_the_program() -> None:
    assert f"[{len(clauses.obligations())} obligations]" in README
    assert f"prints {len([*families.families()])} families" in README


def test_each_kind_of_what_goes_stands_on_its_page_with_its_days() -> None:
    wiring.load()
    page = PAGES[HOME / "docs/retention.md"]
    told = re.findall(r"^\| `(\w+)`[^|]* \| ([\d,]+) days \|", page, re.MULTILINE)
    today = local_date(utc_now())
    kept = [
        (each.table, f"{policy.effective_value(each.parameter, NATION, today).value:,}")
        for each in KINDS.values()
    ]
    assert sorted(told) == sorted(kept), "docs/retention.md: a row for each retention.keep"
