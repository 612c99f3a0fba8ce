"""The shape of the source: short files, telling names, nothing of the machines it was made on."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
FORBIDDEN = re.compile(
    r"(^|/)(utils?|helpers?|common|services?|repositor(y|ies)|constants|exceptions|misc|base)(\.py|/)"
)
UNMEASURED = re.compile(r"#\s*pragma:?\s*no\s*(?:cover|branch)(?P<why>.*)", re.IGNORECASE)
PERSONAL_PLACE = re.compile(rb"(?<![\w.])/(root|home|Users|work)/[a-z]")


def files(*patterns: str) -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=HOME,
        check=True,
        capture_output=True,
    ).stdout
    return (
        HOME / name.decode() for name in listed.split(b"\0") if (HOME / name.decode()).is_file()
    )


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(HOME)): lines
        for path in files("*.py")
        if "alembic/versions" not in str(path)
        and (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_no_function_is_too_long() -> None:
    long = {
        f"{path.relative_to(HOME)}:{node.name}": node.end_lineno - node.lineno
        for path in files("app/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > LONGEST_FUNCTION
    }
    assert long == {}


def test_no_rules_open_a_file() -> None:
    calls = [
        f"{path.relative_to(HOME)}:{node.lineno}"
        for path in files("app/*/rules.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "open"
    ]
    assert calls == []


def test_no_module_is_named_after_nothing() -> None:
    paths = [str(path.relative_to(HOME)) for path in files("app", "tests", "demo", "scripts")]
    assert [path for path in paths if FORBIDDEN.search(path)] == []


def test_no_path_of_somebodys_machine() -> None:
    mine = Path(__file__)
    assert [
        str(path.relative_to(HOME))
        for path in files()
        if path != mine and PERSONAL_PLACE.search(path.read_bytes())
    ] == []


def unexplained(text: str) -> list[str]:
    return [
        found[0]
        for found in UNMEASURED.finditer(text)
        if not re.fullmatch(r"  \S+( \S+)+", found["why"].rstrip())
    ]


def test_what_no_test_reaches_says_why() -> None:
    """Two spaces and a reason in words, as after every other mark for a tool."""
    assert unexplained("x  # pragma: no cover\ny  # pragma: no branch  why\n") == [
        "# pragma: no cover",
        "# pragma: no branch  why",
    ]
    assert unexplained("x  # pragma: no cover  a loop that never ends by itself") == []
    for path in files("app/**/*.py"):
        assert unexplained(path.read_text()) == [], path.relative_to(HOME)


FAILS_BY_ITSELF = {
    "test_what_opens_a_duty_or_passes_it_on_may_leave_day_deadline_and_agency_unsaid",
    "test_a_text_has_its_length_where_one_may_write_it",
    "test_every_reference_leads_somewhere",
    "test_never_fails_otherwise",
    "test_a_coroutine_is_taken",
    "test_periods_of_one_region_may_touch",
    "test_a_deed_may_count_by",
}
"""Tests of what must not be refused: the call itself would raise."""


def test_every_test_asserts_something() -> None:
    """By itself or by what it calls."""
    calls: dict[str, set[str]] = {}
    asserting = {"raises", "warns", "fail"}
    for path in files("tests/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            inside = [*ast.walk(node)]
            called = [each.func for each in inside if isinstance(each, ast.Call)]
            calls.setdefault(node.name, set()).update(
                getattr(each, "attr", None) or getattr(each, "id", "") for each in called
            )
            if any(isinstance(each, ast.Assert | ast.Raise) for each in inside):
                asserting.add(node.name)
    while more := {name for name, called in calls.items() if called & asserting} - asserting:
        asserting |= more
    silent = {name for name in calls if name.startswith("test_")} - asserting
    assert silent == FAILS_BY_ITSELF


def test_a_web_process_holds_neither_commands_nor_worker_nor_migrations() -> None:
    written = (
        "import sys; from app import main; from app.core.settings import Settings;"
        " main.create_app(Settings()); print(*sys.modules)"
    )
    held = subprocess.run(
        [sys.executable, "-c", written], cwd=HOME, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "app.visits.models" in held
    assert {"app.cli", "app.worker", "alembic", "aiohttp", "typer", "uvicorn"} & set(held) == set()
