"""A process that would run with a dangerous or wrong database says so in one line and ends (DB-1).

Real processes of the installed command; the worker is what starts fastest.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests import schema
from tests.waiting import PATIENCE

TONGHU = str(Path(sys.executable).with_name("tonghu"))


def run(*arguments: str, url: str, home: Path) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TONGHU_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return subprocess.run(
        [TONGHU, *arguments],
        env={
            **inherited,
            "TONGHU_DATABASE__URL": url,
            "TONGHU_DATA_DIR": str(home),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


async def refusal(url: str, home: Path, *arguments: str) -> str:
    done = await asyncio.to_thread(run, *arguments, url=url, home=home)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert schema.PASSWORD not in line
    return line


async def test_superuser(pg, tmp_path) -> None:
    assert "is a superuser" in await refusal(pg, tmp_path, "worker")


async def test_owner_of_the_tables(database_urls, tmp_path) -> None:
    line = await refusal(database_urls.owner, tmp_path, "serve", "--port", "29999")
    assert "owns tables" in line
    assert "tonghu_app" in line


@pytest.fixture
async def bypassing(pg, database_urls, unique):
    role = f"bypassing_{unique}"
    admin = await asyncpg.connect(pg)
    await admin.execute(f"CREATE ROLE {role} LOGIN BYPASSRLS PASSWORD '{schema.PASSWORD}'")
    yield database_urls.app.replace("tonghu_app:", f"{role}:")
    await admin.execute(f"DROP ROLE {role}")
    await admin.close()


async def test_role_past_row_level_security(bypassing, tmp_path) -> None:
    assert "bypasses row-level security" in await refusal(bypassing, tmp_path, "worker")


async def test_wrong_password(database_urls, tmp_path) -> None:
    wrong = database_urls.app.replace(f":{schema.PASSWORD}@", ":wrong@")
    assert "password authentication failed" in await refusal(wrong, tmp_path, "jobs", "held")


async def test_database_that_is_away(tmp_path) -> None:
    nowhere = f"postgresql://a:b@/c?host={tmp_path}"
    assert await refusal(nowhere, tmp_path, "migrate") == "The database cannot be reached."
