"""Take a backup: a copy of the server's files, or an archive of its rows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from app.backup import folder as folders
from app.backup import programs, role
from app.backup.folder import Backup
from app.backup.programs import BackupRefused, Told
from app.core.data import backups, versions

_COPY = re.compile(rb'COPY public\."?(\w+)"? \(.*\) FROM stdin;\n')
_PERCENT = re.compile(r"\((\d+)%\)")
_TELL = """
INSERT INTO backups_made (kind, taken_at, bytes) VALUES ($1, $2, $3)
ON CONFLICT (kind) DO UPDATE SET taken_at = excluded.taken_at, bytes = excluded.bytes
"""
_TABLE = re.compile(r'dumping contents of table "public\.(\w+)"')


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was made, and what went because it was too old."""

    place: Path
    said: Backup
    gone: list[str]


async def base(url: str, folder: Path, now: datetime, told: Told) -> Taken:
    """Copy the server's files, each with its checksum, and the WAL that makes them one moment."""
    async with role.seeing_all(url) as connection:
        server = await role.server(connection)
    program = programs.find("pg_basebackup", server.version)
    with folders.held(folder, server) as lock:
        with folders.made(folder, "base", now) as making:
            programs.run(
                program,
                f"--pgdata={making / 'data'}",
                "--checkpoint=fast",
                "--wal-method=stream",
                "--manifest-checksums=SHA256",
                f"--label=tonghu {now:%Y-%m-%d %H:%M}",
                "--progress",
                url=url,
                holding=(lock,),
                told=_tenths(told),
            )
            label = (making / "data" / "backup_label").read_text()
            said = Backup(
                kind="base",
                taken_at=now.isoformat(),
                program=versions.head(),
                server=server._asdict(),
                bytes=folders.size(making),
                sha256=folders.digest(making / "data" / "backup_manifest"),
                first_wal=label.partition("(file ")[2].partition(")")[0],
            )
            said.write(making)
        gone = folders.expire(folder, now)
        await _tell(url, said, now, told)
        return Taken(folders.whole(folder, "base")[-1], said, gone)


async def archive(url: str, folder: Path, now: datetime, told: Told) -> Taken:
    """Dump the rows, but of tables that are left out, and see that it holds as many of each table
    as the database has at that moment.
    """
    async with role.seeing_all(url) as connection:
        server = await role.server(connection)
        with folders.held(folder, server) as lock, folders.made(folder, "archive", now) as making:
            dump = making / folders.DUMP
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                counts = await _dump(connection, server, url, dump, lock, told)
            left = {name: backups.LEFT_OUT[name] for name in counts if name in backups.LEFT_OUT}
            counts = {name: count for name, count in counts.items() if name not in left}
            compare(counts, held_by(dump, server.version))
            said = Backup(
                kind="archive",
                taken_at=now.isoformat(),
                program=versions.head(),
                server=server._asdict(),
                bytes=dump.stat().st_size,
                sha256=folders.digest(dump),
                counts=counts,
                left_out=left,
            )
            said.write(making)
    await _tell(url, said, now, told)
    return Taken(folders.whole(folder, "archive")[-1], said, [])


async def _tell(url: str, said: Backup, now: datetime, told: Told) -> None:
    """Let the service know that there is one: the alert that there is none goes by it."""
    try:
        async with role.connected(url) as connection, connection.transaction():
            await connection.execute("SET LOCAL transaction_read_only = off")
            await connection.execute(_TELL, said.kind, now, said.bytes)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        told("The service does not know of it: run `tonghu migrate` of this version.")


async def _dump(
    connection: asyncpg.Connection,
    server: role.Server,
    url: str,
    dump: Path,
    lock: int,
    told: Told,
) -> dict[str, int]:
    """Dump what this transaction sees; return how many rows of each table that is."""
    snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
    counts = await role.counts(connection)
    programs.run(
        programs.find("pg_dump", server.version),
        "--format=custom",
        "--no-comments",  # those of extensions are nobody's but a superuser's
        "--verbose",
        f"--snapshot={snapshot}",
        f"--file={dump}",
        *(f"--exclude-table-data=public.{name}" for name in counts if name in backups.LEFT_OUT),
        url=url,
        holding=(lock,),
        told=_tables(told, len(counts)),
    )
    return counts


def held_by(dump: Path, server_version: int) -> dict[str, int]:
    """Count the rows of each table that a dump holds, by reading all of it."""
    found: dict[str, int] = {}
    program = programs.find("pg_restore", server_version)
    with programs.reading(program, "--data-only", "--file=-", str(dump)) as lines:
        for line in lines:
            if begins := _COPY.fullmatch(line):
                found[begins[1].decode()] = _rows(lines)
    return found


def _rows(lines: Iterator[bytes]) -> int:
    for number, line in enumerate(lines):
        if line == b"\\.\n":
            return number
    raise BackupRefused("The dump ends in the middle of a table.")


def compare(wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raise BackupRefused for the first table of which a dump holds another number of rows."""
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            raise BackupRefused(
                f"The dump holds {found.get(name, 'no')} rows of {name}, and not"
                f" {wanted.get(name, 'none')}."
            )


def _tenths(told: Told) -> Told:
    """Tell of every tenth part that is copied."""
    last = -1

    def hear(line: str) -> None:
        nonlocal last
        if (found := _PERCENT.search(line)) and int(found[1]) // 10 > last:
            last = int(found[1]) // 10
            told(f"{found[1]} % copied")

    return hear


def _tables(told: Told, of: int) -> Told:
    """Tell of every table that is begun."""
    done = 0

    def hear(line: str) -> None:
        nonlocal done
        if found := _TABLE.search(line):
            done += 1
            told(f"{done} of {of} tables: {found[1]}")

    return hear
