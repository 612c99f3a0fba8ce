"""The statements a release runs: recorded while its tests run, planned on a later schema.

Planning needs no rows and finds a column or table that is gone or renamed and a privilege that was
taken away. It is a pytest plugin while it records: `-p tests.releases.statements`.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from app import wiring
from app.core.data import db, rls

HOME = Path(__file__).resolve().parents[2]
SLOW = ("architecture", "demo", "embedded", "faults", "releases", "revisions")
"""Tests that run no statement of a request or job, or run them in processes of their own."""

_LISTS = (
    (re.compile(r"\$\d+"), "$"),
    (re.compile(r"\$(::[\w ]+(\[\])?)?(, \$(::[\w ]+(\[\])?)?)+"), "$, …"),
    (re.compile(r"(\([^()]*\)), \([^()]*\)(, \([^()]*\))*"), r"\1"),
)
"""What makes a list of three look like another statement than a list of two."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-statements", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Listen to every connection the tests' app opens."""
    wiring.load()
    found: set[str] = set()
    config.stash[_FOUND] = found
    opened = db.open_engine
    mine = re.compile(rf"^(SELECT|INSERT|UPDATE|DELETE|WITH)\b.*\b({'|'.join(rls.TABLES)})\b")

    def note(record: asyncpg.connection.LoggedQuery) -> None:
        words = " ".join(re.sub(r"--[^\n]*", "", record.query).split())
        if record.exception is None and mine.search(words):
            found.add(words)

    def listening(*given: Any) -> Any:
        engine = opened(*given)

        @event.listens_for(engine.sync_engine, "connect")
        def listen(connection: Any, _: Any) -> None:
            connection.driver_connection.add_query_logger(note)

        return engine

    db.open_engine = listening


def pytest_unconfigure(config: pytest.Config) -> None:
    once: dict[str, str] = {}
    for words in sorted(config.stash[_FOUND], key=lambda words: (len(words), words)):
        short = words
        for pattern, instead in _LISTS:
            short = pattern.sub(instead, short)
        once.setdefault(short, words)
    text = "".join(f"{words};\n" for words in sorted(once.values()))
    config.getoption("--keep-statements").write_text(text)


_FOUND = pytest.StashKey[set[str]]()


def record(folder: Path) -> None:
    """Run the tests and write what they ran, a statement a line."""
    left_out = [f"--ignore={HOME / 'tests' / name}" for name in SLOW]
    target = folder / "statements.sql"
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.releases.statements"),
            *(f"--keep-statements={target}", *left_out, "tests"),
        ],
        cwd=HOME,
        check=True,
    )


def recorded(folder: Path) -> list[str]:
    return (folder / "statements.sql").read_text().removesuffix(";\n").split(";\n")


async def refused(app_url: str, statements: list[str]) -> dict[str, str]:
    """Plan each statement as the app's role; return what PostgreSQL says of those it refuses."""
    connection = await asyncpg.connect(app_url)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    said = {}
    for statement in statements:
        count = max((int(number) for number in re.findall(r"\$(\d+)", statement)), default=0)
        given = f"({', '.join(['NULL'] * count)})" if count else ""
        try:
            await connection.execute(f"PREPARE kept AS {statement}")
            await connection.execute(f"EXPLAIN EXECUTE kept{given}")
        except asyncpg.PostgresError as error:
            said[statement] = str(error)
        await connection.execute("DEALLOCATE ALL")
    await connection.close()
    return said


async def leave_out_refused(app_url: str, folder: Path) -> None:
    """Forget what this very version refuses: statements of tests that ask for just that."""
    all_of_them = recorded(folder)
    refusals = await refused(app_url, all_of_them)
    text = "".join(f"{words};\n" for words in all_of_them if words not in refusals)
    (folder / "statements.sql").write_text(text)
