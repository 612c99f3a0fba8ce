"""A copy of the project in a folder of its own, to change as the README says."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from app.core.data import migrations, versions
from tests import schema
from tests.releases import backups

HOME = migrations.HOME
COPIED = ("app", "alembic", "alembic.ini", "pyproject.toml", ".squawk.toml")


_COMMANDS = """
import contextlib, io, json, os, sys
from alembic import command
from app import cli
from app.core.data import migrations

for line in sys.stdin:
    sys.argv = ["tonghu", *json.loads(line)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if sys.argv[1] == "downgrade":
                owner = os.environ["TONGHU_DATABASE__OWNER_URL"]
                command.downgrade(migrations.configuration(owner), sys.argv[2])
            else:
                cli.main()
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Said(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    errors: str


@dataclass(frozen=True)
class Copy:
    """The copy, and a database with the rows of the last release that is kept."""

    home: Path
    urls: schema.Urls
    pg: str
    database: str
    process: list[subprocess.Popen[str]] = field(default_factory=list)

    def tonghu(self, *arguments: str) -> Said:
        """Run `tonghu ARGUMENTS` there, all in one process: starting one costs the most.

        What changes `app/` must come first. `downgrade REVISION` is for tests only.
        """
        if not self.process:
            self.process.append(self._started())
        [process] = self.process
        print(json.dumps(arguments), file=process.stdin, flush=True)
        return Said(*json.loads(process.stdout.readline()))

    def _started(self) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TONGHU_")}
        return subprocess.Popen(
            [sys.executable, "-c", _COMMANDS],
            cwd=self.home,
            env={
                **inherited,
                "PYTHONPATH": str(self.home),
                "TONGHU_DATABASE__URL": self.urls.app,
                "TONGHU_DATABASE__OWNER_URL": self.urls.owner,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def sql(self, statement: str) -> None:
        """Run a statement past row-level security."""
        backups.execute(self.pg, self.database, statement)

    def append(self, path: str, text: str) -> None:
        with (self.home / path).open("a") as file:
            file.write(text)

    def revision(self, body: str, *, imports: str = "") -> Path:
        """Write the next revision by hand."""
        number = int(versions.head()) + 1
        path = self.home / "alembic" / "versions" / f"2026_11_25_{number:04d}-by_hand.py"
        path.write_text(
            f'"""by hand"""\nfrom alembic import op\n{imports}\n'
            f'revision = "{number:04d}"\ndown_revision = "{versions.head()}"\n\n'
            f"def upgrade() -> None:\n    {body}\n\ndef downgrade() -> None:\n    pass\n"
        )
        return path

    def files(self) -> dict[str, bytes]:
        """Return every file but what Python and ruff keep for themselves."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in self.home.rglob("*")
            if path.is_file() and not {"__pycache__", ".ruff_cache"} & set(path.parts)
        }


@pytest.fixture
def copy(pg: str, tmp_path: Path, at_head: Callable[[Path], str]) -> Iterator[Copy]:
    for name in COPIED:
        source = HOME / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)  # compiled modules too: they stay valid
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "scripts").mkdir()
    shutil.copy(HOME / "scripts" / "lint_migrations.py", tmp_path / "scripts")
    database = f"tonghu_copy_{os.getpid()}"
    urls = schema.copy(pg, at_head(backups.kept()[-1]), database)
    made = Copy(tmp_path, urls, pg, database)
    yield made
    for process in made.process:
        process.communicate()
    asyncio.run(schema.drop(pg, database))
