"""`tonghu backup`, `wal`, `restore`, `verify`: docs/backup.md."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app import wiring
from app.backup import checking, folder, receiving, restoring, taking
from app.backup.checking import Check
from app.cli.console import err, fail, out
from app.core import startup
from app.core.clock import utc_now
from app.core.settings import Settings, read

_Folder = Annotated[Path, typer.Argument(help="Folder of the backups.", file_okay=False)]


def _told(line: str) -> None:
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def backup(
    place: _Folder,
    archive: Annotated[bool, typer.Option(help="Dump the rows, to keep for years.")] = False,  # noqa: FBT002
) -> None:
    """Copy the whole server, or with --archive dump the rows that may be kept for years."""

    async def run() -> taking.Taken:
        settings = read(Settings)
        folder.refuse_keys_in(place, settings.keys_file)
        async with startup.reachable_database(settings) as addresses:
            take = taking.archive if archive else taking.base
            return await take(_url(addresses), place, utc_now(), _told)

    wiring.load()
    done = asyncio.run(run())
    for each in done.gone:
        _say(f"{each} is gone: too old, or nothing begins before it.")
    rows = f", {sum(done.said.counts.values()):,} rows" if done.said.counts else ""
    _say(f"{done.place}: {done.said.bytes:,} bytes{rows}, revision {done.said.of.revision}.")
    for name, why in done.said.left_out.items():
        _say(f"without {name}: {why}")
    _say("The keys are not in it: keep a copy of the key file, apart from the backups.")


def wal(place: _Folder) -> None:
    """Keep what the server writes, as it writes it, until SIGTERM: for any moment since."""

    async def run() -> None:
        async with startup.reachable_database(read(Settings)) as addresses:
            _say(f"Keeping what is written in {place / 'wal'}.")
            await receiving.keep(_url(addresses), place)

    asyncio.run(run())


def restore(
    place: Annotated[Path, typer.Argument(help="Folder of backups, or one of them.", exists=True)],
    into: Annotated[str, typer.Option(help="New folder; of an archive, DSN of an empty database.")],
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"], help="As it was then, as 2026-11-28T12:00:00+0800."
        ),
    ] = None,
) -> None:
    """Bring a backup back: the server's files at any moment since, or an archive's rows."""
    wiring.load()
    if "://" in into:
        if at is not None:
            fail("An archive is of one moment: leave --at out.")
        done = asyncio.run(restoring.archive(place, into, _told))
    else:
        done = asyncio.run(restoring.base(place, Path(into), at, _told))
    for each in done.mended:
        _say(each)
    last = f"{done.upto:%Y-%m-%d %H:%M:%S%z}" if done.upto else "none"
    _say(f"Restored, revision {done.revision}; the last entry of its record: {last}.")
    _say("What was done after that is not in it: docs/backup.md says what to look through.")


def verify(
    what: Annotated[str, typer.Argument(help="Folder of backups, one of them, or a DSN.")],
) -> None:
    """Say in one line for each thing looked at whether a backup, or a database, is whole."""
    wiring.load()  # what is sealed, and what is looked at besides, stands beside the models
    keyring = startup.keyring(read(Settings))
    place = Path(what)
    if "://" in what:
        checks = checking.database(what, keyring)
    elif (place / folder.DUMP).exists():
        checks = checking.archive(place)
    else:
        checks = checking.folder(place, keyring, utc_now())
    if not asyncio.run(_all_good(checks)):
        raise typer.Exit(1)


async def _all_good(checks: AsyncIterator[Check]) -> bool:
    good = True
    async for check in checks:
        good = good and check.good
        _say(f"{'ok  ' if check.good else 'FAIL'} {check.what}: {check.found}")
    return good


def _say(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _url(addresses: startup.DatabaseAddresses) -> str:
    if addresses.backup_url is None:
        fail("Say which role makes backups: TONGHU_DATABASE__BACKUP_URL (docs/backup.md).")
    return addresses.backup_url
