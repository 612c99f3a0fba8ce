"""Is it whole? Of a backup, or of a database: one line for each thing that was looked at."""

import struct
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import asyncpg

from app.backup import folder as folders
from app.backup import programs, restoring, role, seals, server, taking
from app.backup.folder import Backup
from app.backup.programs import BackupRefused
from app.core.data import versions
from app.core.data.backups import KEPT_DAYS, LOOKS
from app.core.data.crypto import Keyring

_FIRST_PAGE: Final = struct.Struct("=24xQI")
"""How a segment begins: a page's head of 24 bytes, the number of its server, and its length."""
_INVALID: Final = """
SELECT i.indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT (i.indisvalid AND i.indisready)
UNION ALL
SELECT conrelid::regclass::text || '.' || conname FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND NOT convalidated
ORDER BY 1
"""
_UNPROTECTED: Final = """
SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    AND c.relkind IN ('r', 'p') AND c.relrowsecurity <> c.relforcerowsecurity
UNION ALL
SELECT DISTINCT p.polrelid::regclass::text FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE NOT c.relrowsecurity
"""


class Check(NamedTuple):
    """What was looked at, whether it is good, and what was found."""

    what: str
    good: bool
    found: str


async def archive(place: Path) -> AsyncIterator[Check]:
    """Look at an archive: that it is what was written, and holds the rows it says."""
    said = Backup.read(place)
    dump = place / folders.DUMP
    same = dump.exists() and folders.digest(dump) == said.sha256
    yield Check("bytes", same, f"SHA-256 {said.sha256[:12]}…" if same else "not what was written")
    if not same:
        return
    try:
        taking.compare(said.counts, taking.held_by(dump, said.of.version))
        rows = sum(said.counts.values())
        yield Check("rows", True, f"{rows:,} in {len(said.counts)} tables")
    except BackupRefused as other:
        yield Check("rows", False, str(other))
    yield _revision(said.of.revision)


async def folder(place: Path, keyring: Keyring, now: datetime) -> AsyncIterator[Check]:
    """Look at a base backup, or at the newest of a folder, by bringing a copy of it up."""
    chosen = restoring.base_for(place, None)
    said = Backup.read(chosen)
    if said.kind == "archive":
        async for check in archive(chosen):
            yield check
        return
    if chosen != place:
        yield _age(place, now)
        since = wal(place / "wal", said)
        yield since
        if since.good:
            yield records(place / "wal", said)
    check = manifest(chosen, said)
    yield check
    if not check.good:
        return
    of = said.of
    with TemporaryDirectory(prefix=".looking-", dir=chosen.parent) as beside:
        files = Path(beside) / "data"
        server.copied(chosen / "data", files)
        try:
            with server.running(files, of.version, of.superuser, of.database, passing=True) as url:
                async for check in database(url, keyring):
                    yield check
                yield pages(url, of.version)
        except BackupRefused as refused:
            yield Check("server", False, str(refused))


def _age(place: Path, now: datetime) -> Check:
    """Look for base backups that are kept too long: they undo what was erased since."""
    before = now - timedelta(days=KEPT_DAYS)
    old = [each.name for each in folders.whole(place, "base") if Backup.read(each).begun < before]
    found = f"none of more than {KEPT_DAYS} days"
    return Check("age", not old, found if not old else f"{old[0]} is kept too long: back up anew")


def wal(place: Path, said: Backup) -> Check:
    """Look at what was written since a base backup: for a gap, and segments that are cut short or
    another server's.
    """
    since = _since(place, said)
    if not since:
        return Check("wal", False, "nothing was kept since: does `tonghu wal` run?")
    names = [each.name[8:24] for each in since]
    for before, after in zip([said.first_wal[8:], *names], names, strict=False):
        if _number(after) - _number(before) > 1:
            return Check("wal", False, f"a gap after {before}")
    for each in since:
        if not _is_whole(each, said.server["system"]):
            return Check("wal", False, f"{each.name} is cut short, or another server's")
    return Check("wal", True, f"{len(since)} segments since, without a gap")


def _since(place: Path, said: Backup) -> list[Path]:
    return sorted(
        (
            each
            for each in place.glob("*")
            if len(each.name.partition(".")[0]) == len(said.first_wal)
            and each.name[8:24] >= said.first_wal[8:]
        ),
        key=lambda each: each.name[8:24],
    )


def _is_whole(segment: Path, system: str) -> bool:
    """Tell whether a segment is as long as its first page says, and this server's."""
    with segment.open("rb") as opened:
        begins = opened.read(_FIRST_PAGE.size)
    if len(begins) < _FIRST_PAGE.size:
        return False
    of, size = _FIRST_PAGE.unpack(begins)
    return str(of) == system and segment.stat().st_size == size


def records(place: Path, said: Backup) -> Check:
    """Read every record of the whole segments since a base backup, each with its checksum."""
    whole = [each.name for each in _since(place, said) if "." not in each.name]
    if not whole:
        return Check("records", True, "no segment is whole yet")
    try:
        program = programs.find("pg_waldump", said.of.version, exactly=True)
        programs.run(program, "--quiet", f"--path={place}", whole[0], whole[-1])
    except BackupRefused as refused:
        return Check("records", False, str(refused))
    return Check("records", True, f"{len(whole)} segments are as they were written")


def _number(segment: str) -> int:
    return int(segment[:8], 16) * 256 + int(segment[8:], 16)


def manifest(place: Path, said: Backup) -> Check:
    """Compare every file with its checksum."""
    same = folders.digest(place / "data" / "backup_manifest") == said.sha256
    if not same:
        return Check("bytes", False, "the manifest is not what was written")
    version = said.of.version
    program = programs.find("pg_verifybackup", version)
    parses = programs.version_of(program) == version  # WAL is read by its own version only
    try:
        programs.run(program, *(() if parses else ("--no-parse-wal",)), str(place / "data"))
    except BackupRefused as refused:
        return Check("bytes", False, str(refused))
    return Check("bytes", True, f"{said.bytes:,} as they were written")


async def database(url: str, keyring: Keyring) -> AsyncIterator[Check]:
    """Look at a database, as a role that sees every row."""
    async with role.seeing_all(url) as connection:
        of = await role.server(connection)
        yield _revision(of.revision)
        counts = await role.counts(connection)
        yield Check("rows", True, f"{sum(counts.values()):,} in {len(counts)} tables")
        yield await _catalogue(connection)
        yield _sealed(await seals.opened(connection, keyring))
        for what, look in LOOKS.items():
            yield Check(what, *await look(connection))


def _sealed(found: seals.Opened) -> Check:
    if found.shut:
        return Check("sealed", False, f"shut: {', '.join(found.shut)}")
    apart = f", of {found.apart} the own key is not here" if found.apart else ""
    return Check("sealed", True, f"one of each of {found.good} kinds opens{apart}")


def _revision(revision: str) -> Check:
    if revision == versions.head():
        return Check("schema", True, f"revision {revision}, of this program")
    if revision in versions.known():
        return Check("schema", True, f"revision {revision}: `tonghu migrate` brings it up")
    return Check("schema", False, f"revision {revision or '-'} is none this program knows")


async def _catalogue(connection: asyncpg.Connection) -> Check:
    broken = [row[0] for row in await connection.fetch(_INVALID)]
    bare = [row[0] for row in await connection.fetch(_UNPROTECTED)]
    if broken or bare:
        return Check("catalogue", False, f"not whole: {', '.join([*broken, *bare])}")
    return Check("catalogue", True, "indexes and checks valid, policies in force")


def pages(url: str, version: int) -> Check:
    """Let PostgreSQL look at every table and index (pg_amcheck), as a superuser of a copy."""
    try:
        program = programs.find("pg_amcheck", version)
        at = urlsplit(url)
        where = (
            "--no-password",
            f"--host={unquote(at.query.partition('=')[2])}",
            f"--username={at.username}",
        )
        programs.run(program, "--install-missing", "--heapallindexed", *where, at.path[1:])
    except BackupRefused as refused:
        return Check("pages", False, str(refused))
    return Check("pages", True, "every row stands in its indexes")
