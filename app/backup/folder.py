"""The folder that backups lie in: what is whole, what is not, what is too old.

    FOLDER/server.json          of which server all here is
    FOLDER/base-20261128T0100Z/ backup.json, data/       a copy of the server's files
    FOLDER/archive-…/           backup.json, tonghu.dump  the rows, as pg_dump writes them
    FOLDER/wal/                 what was written since, without a gap (`tonghu wal`)

A backup is made under a name that begins with a dot and gets its own at the end, all of it on the
disk: what has a name is whole, whenever the power went or the disk was full.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from app.backup.programs import BackupRefused
from app.backup.role import Server
from app.core.data.backups import KEPT_DAYS

SAID: Final = "backup.json"
DUMP: Final = "tonghu.dump"
_SEGMENT_DIGITS: Final = 24
_TIMELINE_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Backup:
    """What `backup.json` says. `taken_at`: when it began; it holds all that was committed by then.
    `program`: the newest revision that the program knew.
    `sha256`: of the dump, or of the manifest that has one of every file. `counts`: rows by table,
    of an archive. `first_wal`: the first WAL segment a base backup needs.
    """

    kind: str
    taken_at: str
    program: str
    server: dict[str, Any]
    bytes: int
    sha256: str
    first_wal: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, place: Path) -> Self:
        """Read it. Raises BackupRefused if this is no backup, or none of ours."""
        try:
            said = json.loads((place / SAID).read_text())
            return cls(**{each.name: said[each.name] for each in fields(cls)})
        except FileNotFoundError:
            raise BackupRefused(f"{place} is no backup: it has no {SAID}.") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise BackupRefused(f"{place / SAID} cannot be read.") from None

    @property
    def of(self) -> Server:
        """The server it is of."""
        return Server(**self.server)

    @property
    def begun(self) -> datetime:
        return datetime.fromisoformat(self.taken_at)

    def write(self, place: Path) -> None:
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        with (place / SAID).open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def held(folder: Path, server: Server) -> Iterator[int]:
    """Hold a folder of backups of one server; yield the lock, for programs to hold as long as they
    live. Raises BackupRefused if another backup is at it, or it is another server's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused(f"Another backup is at work in {folder}.") from None
        belongs(folder, server)
        yield lock
    finally:
        os.close(lock)


def belongs(folder: Path, server: Server) -> None:
    """Note of which server a folder's backups are. Raises BackupRefused if it is another's: WAL of
    two servers, or of two histories of one, makes neither whole.
    """
    here, it = folder / "server.json", {"system": server.system, "timeline": server.timeline}
    if not here.exists():
        beside = here.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(it))
        beside.replace(here)
    elif json.loads(here.read_text()) != it:
        raise BackupRefused(
            f"{folder} holds backups of another server, or of this one before it was restored:"
            " begin a new folder."
        )


def wal_of(folder: Path, server: Server) -> Path:
    """Return where a folder keeps what a server writes, made if need be."""
    wal = folder / "wal"
    wal.mkdir(mode=0o700, parents=True, exist_ok=True)
    belongs(folder, server)
    return wal


@contextmanager
def made(folder: Path, kind: str, at: datetime) -> Iterator[Path]:
    """Make a backup in the yielded place: it has its name when the block ended well, and is gone
    when it did not. What a run that was killed has left goes first.
    """
    for left in (*folder.glob(".making-*"), *folder.glob(".going-*")):
        shutil.rmtree(left)
    whole = folder / f"{kind}-{at:%Y%m%dT%H%M%SZ}"
    if whole.exists():
        raise BackupRefused(f"{whole} is there already.")
    place = folder / f".making-{whole.name}"
    place.mkdir(mode=0o700)
    try:
        yield place
        _synced(place)
        place.rename(whole)
        _synced(folder)
    except OSError as full:
        raise BackupRefused(f"{folder}: {full.strerror or full}.") from full
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def whole(folder: Path, kind: str) -> list[Path]:
    """Return the backups of a kind, the oldest first."""
    return sorted(each.parent for each in folder.glob(f"{kind}-*/{SAID}"))


def expire(folder: Path, now: datetime) -> list[str]:
    """Remove base backups that are too old to keep, and WAL that no other needs; return what went.
    To be done after one was made: the newest is never too old.
    """
    before = now - timedelta(days=KEPT_DAYS)
    gone = []
    for place in whole(folder, "base"):
        if Backup.read(place).begun < before:
            going = place.rename(folder / f".going-{place.name}")  # half of it looks like nothing
            shutil.rmtree(going)
            gone.append(place.name)
    left = whole(folder, "base")
    needed = min((_after_timeline(Backup.read(place).first_wal) for place in left), default="")
    for segment in (folder / "wal").glob("*"):
        name = segment.name.partition(".")[0]
        if len(name) == _SEGMENT_DIGITS and _after_timeline(name) < needed:
            segment.unlink()
            gone.append(segment.name)
    return gone


def _after_timeline(segment: str) -> str:
    return segment[_TIMELINE_DIGITS:]


def size(place: Path) -> int:
    return sum(each.lstat().st_size for each in place.rglob("*"))


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def refuse_keys_in(folder: Path, keys_file: Path | None) -> None:
    """Raise BackupRefused if the keys lie in the folder: whoever has both reads every file."""
    if keys_file is not None and keys_file.resolve().is_relative_to(folder.resolve()):
        raise BackupRefused(f"The keys lie in {folder}: keep them apart from the backups.")
