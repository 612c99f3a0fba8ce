"""A rolling upgrade under load: no request may fail.

    python -m scripts.rolling [REQUESTS_A_SECOND]
    python -m scripts.rolling --from COMMIT [REQUESTS_A_SECOND]

Two processes serve. Then, while requests go on, the next release migrates the database, each of the
two is replaced by one of the next release, and told to stop by SIGTERM. The next release is a copy
of this one with one revision more; `--from`: it is this one, and the two are of a commit before,
which read all that the new ones write.
"""

import argparse
import asyncio
import io
import logging
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncpg

from app import wiring
from app.core import logs
from app.core.data import migrations, versions
from app.core.data.crypto import Keyring
from app.embedded import postgres
from scripts.under_load import Load, Process

GIT = shutil.which("git") or "git"
COPIED = ("app", "alembic", "alembic.ini", "pyproject.toml")
NEXT = '''"""What the next release adds.

Revision: {number}
Revises: {head}
"""

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("children", sa.Column("of_the_next", sa.String(), nullable=True))
    op.create_table("of_the_next", sa.Column("id", sa.Uuid(), primary_key=True))
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_of_the_next", "children", ["of_the_next"], postgresql_concurrently=True
        )


def downgrade() -> None:
    op.drop_table("of_the_next")
    op.drop_column("children", "of_the_next")
'''


async def run(work: Path, rate: float, say: Callable[[str], None]) -> Load:
    """Replace this release by the next one."""
    home, following = migrations.HOME, work / "next"
    for name in COPIED:
        source, copy = home / name, following / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    head = versions.head()
    number = f"{int(head) + 1:04d}"
    revision = following / "alembic" / "versions" / f"2099_01_01_{number}-next.py"
    revision.write_text(NEXT.format(number=number, head=head))
    wiring.load()
    with await asyncio.to_thread(postgres.acquire, work / "server") as lease:
        load = Load(work, lease.server, rate, say)
        load.keys.write_text(Keyring.generate().to_json())
        await asyncio.to_thread(migrations.upgrade, load.it.owner_url)
        await load.known(20)
        olds = [await load.started(f"old {n}", home) for n in (1, 2)]
        load.begin()
        say(f"two processes on revision {head}, {rate:g} requests a second")
        await load.go_on()
        await load.tonghu(following, "migrate")
        say(f"migrated to {number}, which they do not know")
        await _replaced(load, olds, following)
    return load


async def run_from(commit: str, work: Path, rate: float, say: Callable[[str], None]) -> Load:
    """Replace the release of a commit by this one. What the callers are is written by this one,
    once it has migrated.
    """
    before = work / "before"
    packed = subprocess.run(  # noqa: ASYNC221
        [GIT, "archive", commit, *COPIED], cwd=migrations.HOME, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(before, filter="data")
    wiring.load()
    with await asyncio.to_thread(postgres.acquire, work / "server") as lease:
        load = Load(work, lease.server, rate, say)
        await load.tonghu(before, "keys", "generate", str(load.keys))
        await load.tonghu(before, "migrate")
        await _used(load.it.superuser_url)
        await load.tonghu(migrations.HOME, "migrate")
        await load.known(20)
        olds = [await load.started(f"old {n}", before) for n in (1, 2)]
        load.begin()
        say(f"two processes of {commit} on revision {versions.head()}, {rate:g} requests a second")
        await load.go_on()
        await _replaced(load, olds, migrations.HOME)
    return load


async def _replaced(load: Load, olds: list[Process], home: Path) -> None:
    try:
        await load.go_on()
        for turn, old in enumerate(olds, 1):
            await load.started(f"new {turn}", home)
            await load.go_on()
            await load.stopped(old)
            await load.go_on()
    finally:
        await load.end()


async def _used(superuser_url: str) -> None:
    """Leave the database as one that a release has used: an office stands in it."""
    connection = await asyncpg.connect(superuser_url, database="tonghu")
    await connection.execute(
        "INSERT INTO agencies (id, kind, name, region_code, active, version, created_at,"
        " updated_at) VALUES"
        " (gen_random_uuid(), 'civil_affairs', '样例', 120119000000, true, 1, now(), now())"
    )
    await connection.close()


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("rate", nargs="?", type=float, default=40.0)
    asked.add_argument("--from", dest="commit")
    given = asked.parse_args()
    logs.configure(logging.CRITICAL)
    begin = partial(run_from, given.commit) if given.commit else run
    with tempfile.TemporaryDirectory(prefix="tonghu-rolling-") as place:
        load = asyncio.run(begin(Path(place), given.rate, partial(print, flush=True)))
    sys.exit(1 if load.failed else 0)


if __name__ == "__main__":
    main()
