"""Bring a backup back: a folder of files at any moment since, or the rows of an archive.

What was done after the moment is not known any more, and some of it was to keep others out. So a
restored database is mended before anybody is served from it (`app.core.data.backups`).
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from app.backup import folder as folders
from app.backup import programs, role, server
from app.backup.folder import Backup
from app.backup.programs import BackupRefused, Told
from app.core.data import backups, rls
from app.core.data.db import SYSTEM

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}(\.partial)?|[0-9A-F]{8}\.history")
_ROLES: Final = (rls.OWNER_ROLE, rls.APP_ROLE, rls.BACKUP_ROLE)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `upto`: of when the last transaction in it is; `mended`: what was put right,
    with how many rows.
    """

    revision: str
    upto: datetime | None
    mended: list[str]


def base_for(folder: Path, at: datetime | None) -> Path:
    """Choose the newest base backup that was begun before a moment. Raises BackupRefused if there
    is none.
    """
    if (folder / folders.SAID).exists():
        return folder
    there = folders.whole(folder, "base")
    before = [place for place in there if at is None or Backup.read(place).begun < at]
    if not before:
        raise BackupRefused(
            f"{folder} holds no base backup from before then: the oldest is"
            f" {Backup.read(there[0]).taken_at}."
            if there
            else f"{folder} holds no base backup."
        )
    return before[-1]


async def base(folder: Path, into: Path, at: datetime | None, told: Told) -> Restored:
    """Make a server's files as they were at a moment, or at the end of what was kept. They are
    ready to be served from: recovered, on a history of their own, mended.
    """
    place = base_for(folder, at)
    said = Backup.read(place)
    if said.kind != "base":
        raise BackupRefused(f"{place} is an archive: restore it into a database.")
    with _making(into) as files:
        told(f"copying {place.name}")
        server.copied(place / "data", files)
        settings = _recovery(place.parent / "wal", files, said, at)
        told("replaying what was written since")
        of = said.of
        with server.running(files, of.version, of.superuser, of.database, *settings) as url:
            async with role.connected(url) as connection:
                return await _mended(connection)


@contextmanager
def _making(into: Path) -> Iterator[Path]:
    """Let a folder be made beside the one that is wanted, which it becomes when all went well."""
    if into.exists() and any(into.iterdir()):
        raise BackupRefused(f"{into} is not empty.")
    making = into.with_name(f".restoring-{into.name}")
    shutil.rmtree(making, ignore_errors=True)
    try:
        yield making
        if into.exists():
            into.rmdir()
        making.rename(into)
    except OSError as problem:
        raise BackupRefused(f"{into}: {problem.strerror}.") from problem
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _recovery(wal: Path, files: Path, said: Backup, at: datetime | None) -> Sequence[str]:
    """Lay what was written since beside the files, and say up to when it is replayed."""
    since = [each for each in wal.glob("*") if _SEGMENT.fullmatch(each.name)]
    if not since and at is not None:
        raise BackupRefused(f"{wal} holds nothing of what was written since {said.taken_at}.")
    if not since:
        return ()  # the copy holds what makes it one moment
    for each in since:
        if "history" in each.name or each.name[8:24] >= said.first_wal[8:]:
            # The last segment may be the copy's alone, or go further in what was streamed.
            shutil.copyfile(each, files / "pg_wal" / each.name.removesuffix(".partial"))
    (files / "recovery.signal").touch()
    return (
        ()
        if at is None
        else (f"recovery_target_time={at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}",)
    )


async def archive(place: Path, url: str, told: Told) -> Restored:
    """Bring the rows of an archive into an empty database, with privileges and policies, all or
    nothing. `url`: of its owner or a superuser.
    """
    said = Backup.read(place)
    dump = place / folders.DUMP
    if said.kind != "archive":
        raise BackupRefused(f"{place} is a base backup: restore it into a folder.")
    if folders.digest(dump) != said.sha256:
        raise BackupRefused(f"{dump} is not what was written.")
    async with role.connected(url) as connection:
        version = await _refuse_unfit(connection)
        program = programs.find("pg_restore", max(version, said.of.version))
        told(f"restoring {sum(said.counts.values()):,} rows")
        programs.run(program, "--single-transaction", "--exit-on-error", str(dump), url=url)
        return await _mended(connection)


async def _refuse_unfit(connection: asyncpg.Connection) -> int:
    """Refuse a database that holds something, or a server without the roles; return its version."""
    there = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    if lacking := [name for name in _ROLES if name not in there]:
        raise BackupRefused(f"The server has no role {lacking[0]}: make it first (docs/backup.md).")
    if await connection.fetch(role.TABLES):
        raise BackupRefused("The database is not empty: restore into a new one.")
    if not await connection.fetchval(_MAY_OWN, rls.OWNER_ROLE):
        raise BackupRefused(f"Restore as {rls.OWNER_ROLE} or a superuser.")
    return int(connection.get_server_version().major)


_MAY_OWN: Final = "SELECT pg_has_role(current_user, $1, 'USAGE')"


async def _mended(connection: asyncpg.Connection) -> Restored:
    """Put right what came back as it was some time ago."""
    done = []
    async with connection.transaction():
        for name, value in SYSTEM.settings.items():
            await connection.execute("SELECT set_config($1, $2, true)", f"tonghu.{name}", value)
        upto = await connection.fetchval("SELECT max(at) FROM audit_entries")
        for mend in backups.ONCE_RESTORED:
            rows = (await connection.execute(mend.statement)).rpartition(" ")[2]
            done.append(f"{mend.because} ({rows} rows)")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    return Restored(revision, upto, done)
