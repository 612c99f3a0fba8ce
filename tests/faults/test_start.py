"""What would run with a dangerous or wrong database says so in one line and ends (DB-1)."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from scripts import run
from tests import schema
from tests.faults import command
from tests.waiting import PATIENCE

TONGHU = str(Path(sys.executable).with_name("tonghu"))


def one_line(code: int, out: str, errors: str) -> str:
    assert (code, out) == (1, "")
    [line] = errors.splitlines()
    assert schema.PASSWORD not in line
    return line


@pytest.fixture
def refusal(monkeypatch, capsys, tmp_path):
    """Run a command on a database; return the line it refuses with."""

    async def refused(url: str, *arguments: str, **database: str) -> str:
        settings = {"TONGHU_DATABASE__URL": url, "TONGHU_DATA_DIR": str(tmp_path)}
        settings |= {f"TONGHU_DATABASE__{name}": value for name, value in database.items()}
        tonghu = command.here(monkeypatch, capsys, **settings)
        return one_line(*await asyncio.to_thread(tonghu, *arguments))

    return refused


async def test_the_installed_script(pg, tmp_path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name[:7] != "TONGHU_"}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    done = await asyncio.to_thread(
        subprocess.run,
        [TONGHU, "worker"],
        env={**inherited, "TONGHU_DATABASE__URL": pg, "TONGHU_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "is a superuser" in one_line(done.returncode, done.stdout, done.stderr)


async def test_owner_of_the_tables(database_urls, refusal) -> None:
    line = await refusal(database_urls.owner, "serve", "--port", "29999")
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


async def test_role_past_row_level_security(bypassing, refusal) -> None:
    assert "bypasses row-level security" in await refusal(bypassing, "jobs", "held")


async def test_role_that_may_become_one_past_it(
    pg, database_urls, bypassing, unique, refusal
) -> None:
    """As who seals the audit, or who makes backups."""
    role = f"becoming_{unique}"
    admin = await asyncpg.connect(pg)
    await admin.execute(
        f"CREATE ROLE {role} LOGIN NOINHERIT PASSWORD '{schema.PASSWORD}'"
        f" IN ROLE tonghu_app, bypassing_{unique}"
    )
    url = database_urls.app.replace("tonghu_app:", f"{role}:")
    try:
        assert "may act as one that bypasses" in await refusal(url, "jobs", "held")
    finally:
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()


async def test_wrong_password(database_urls, refusal) -> None:
    wrong = database_urls.app.replace(f":{schema.PASSWORD}@", ":wrong@")
    assert "password authentication failed" in await refusal(wrong, "jobs", "held")


async def test_timeouts_that_a_pooler_would_lose(database_urls, refusal) -> None:
    """As behind one: only what is the role's reaches the connection."""
    url = database_urls.app
    pooler = {"BEHIND_PGBOUNCER": "true", "DIRECT_URL": url, "LOCK_TIMEOUT_MS": "4000"}
    line = await refusal(url, "jobs", "held", **pooler)
    assert "ALTER ROLE tonghu_app SET lock_timeout = '4000';" in line
    assert "statement_timeout" not in line


async def test_database_that_is_away(refusal, tmp_path) -> None:
    nowhere = f"postgresql://a:b@/c?host={tmp_path}"
    said = "The database cannot be reached: No such file or directory."
    assert await refusal(nowhere, "migrate") == said


@pytest.mark.parametrize("arguments", [("migrate",), ("jobs", "held"), ("backup", "copies")])
async def test_whoever_cannot_reach_the_database_is_told_where_and_why(refusal, arguments) -> None:
    nowhere = "postgresql://a:b@127.0.0.1:1/c"
    line = await refusal(nowhere, *arguments, BACKUP_URL=nowhere, OWNER_URL=nowhere)
    # As the loop of asyncio says it, or uvloop.
    why = r"(Connect call failed \('127\.0\.0\.1', 1\)|Connection refused)"
    assert re.fullmatch(f"The database cannot be reached: {why}\\.", line)


def test_what_runs_both_adds_nothing_to_the_line_of_a_refusal(monkeypatch, capfd) -> None:
    monkeypatch.setattr(run, "TONGHU", str(shutil.which("false")))
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert (ended.value.code, capfd.readouterr().err) == (1, "")
