"""A copy of the project in a folder of its own, to change as the README says."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.data import migrations
from tests import schema
from tests.releases import backups

HOME = migrations.HOME
COPIED = ("app", "alembic", "alembic.ini", "pyproject.toml", ".squawk.toml")


@dataclass(frozen=True)
class Copy:
    """The copy, and a database with the rows of the last release that is kept."""

    home: Path
    urls: schema.Urls
    pg: str
    database: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python ARGUMENTS` there."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TONGHU_")}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.home,
            env={
                **inherited,
                "PYTHONPATH": str(self.home),
                "TONGHU_DATABASE__URL": self.urls.app,
                "TONGHU_DATABASE__OWNER_URL": self.urls.owner,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def tonghu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "app.cli", *arguments)

    def downgrade(self, revision: str) -> subprocess.CompletedProcess[str]:
        configured = f"migrations.configuration({self.urls.owner!r})"
        return self.run(
            "-c",
            "from alembic import command; from app.core.data import migrations;"
            f"command.downgrade({configured}, {revision!r})",
        )

    def sql(self, statement: str) -> None:
        """Run a statement past row-level security."""
        backups.execute(self.pg, self.database, statement)

    def append(self, path: str, text: str) -> None:
        with (self.home / path).open("a") as file:
            file.write(text)

    def revision(self, body: str, *, imports: str = "") -> Path:
        """Write the next revision by hand."""
        number = int(migrations.head() or 0) + 1
        path = self.home / "alembic" / "versions" / f"2026_11_25_{number:04d}-by_hand.py"
        path.write_text(
            f'"""by hand"""\nfrom alembic import op\n{imports}\n'
            f'revision = "{number:04d}"\ndown_revision = "{migrations.head()}"\n\n'
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
def copy(pg: str, tmp_path: Path, worker_id: str) -> Iterator[Copy]:
    for name in COPIED:
        source = HOME / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)  # compiled modules too: they stay valid
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "scripts").mkdir()
    shutil.copy(HOME / "scripts" / "lint_migrations.py", tmp_path / "scripts")
    database = f"tonghu_copy_{os.getpid()}"
    urls = backups.restore(pg, database, backups.kept()[-1])
    yield Copy(tmp_path, urls, pg, database)
    asyncio.run(schema.drop(pg, database))
