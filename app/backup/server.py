"""A server on a folder of files, for as long as it is looked at: nobody reaches it but us.

What the files say of where to listen, whom to let in and what to archive counts for nothing
meanwhile: a copy must not write into the archive of the server it was taken from.
"""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from app.backup import programs
from app.backup.programs import BackupRefused
from app.embedded import cluster
from app.embedded.cluster import Home

_SETTINGS: Final = (
    "config_file={sockets}/postgresql.conf",
    "hba_file={sockets}/pg_hba.conf",
    "ident_file={sockets}/pg_ident.conf",
    "archive_mode=off",
    "hot_standby=off",
    "shared_preload_libraries=",
    "primary_conninfo=",
    "restore_command=false",  # what there is lies in pg_wal
    "recovery_target_action=promote",
    "recovery_target_timeline=latest",
)
_POLL: Final = 0.02
_STOPPED: Final = 60.0


@contextmanager
def running(
    files: Path, version: int, superuser: str, database: str, *settings: str, passing: bool = False
) -> Iterator[str]:
    """Start a server on `files`, let it recover, and yield a superuser's DSN; stop it at the end.
    `passing`: the files are thrown away afterwards. Raises BackupRefused if it does not start.
    """
    binaries = programs.find("postgres", version, exactly=True).parent
    with tempfile.TemporaryDirectory(prefix="tonghu-") as place:
        work = Path(place)
        ours = programs.version_of(binaries / "postgres") == _version_that_comes_along()
        home = Home(
            work,
            throwaway=passing,
            binaries=None if ours else binaries,
            more=(*_SETTINGS, *settings),
        )
        if home.account:  # pragma: no branch  whether by root depends on the machine
            for each in (files, *files.rglob("*")):
                os.chown(each, home.account.uid, home.account.gid, follow_symlinks=False)
        home.cluster.symlink_to(files.resolve())
        for name, text in (
            ("pg_hba.conf", "local all all trust\n"),  # the socket's folder is closed to others
            *(("pg_ident.conf", ""), ("postgresql.conf", "")),
        ):
            (home.sockets / name).write_text(text)
            (home.sockets / name).chmod(0o644)
        process = home.start()
        try:
            while not home.is_ready(process.pid):
                if process.poll() is not None:
                    raise BackupRefused(f"The restored server does not start: {_why(work)}")
                time.sleep(_POLL)
            yield f"postgresql://{superuser}@/{database}?host={quote(str(home.sockets))}"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_STOPPED)
            home.leave()


def _version_that_comes_along() -> int:
    root = cluster.installed_binaries()
    return programs.version_of(root / "bin" / "postgres") if root else 0


def _why(work: Path) -> str:
    """Return what the server said last of why it ended."""
    lines = (work / "postgres.log").read_text(errors="replace").splitlines()
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return next(iter(fatal), "its log says nothing")


def copied(files: Path, to: Path) -> None:
    """Copy a server's files. Raises BackupRefused if there is no room."""
    try:
        to.mkdir(mode=0o700)  # before anything lies in it
        shutil.copytree(files, to, symlinks=True, dirs_exist_ok=True)
        to.chmod(0o700)
    except (OSError, shutil.Error) as full:
        shutil.rmtree(to, ignore_errors=True)
        raise BackupRefused(f"{to} cannot be written: {_first(full)}.") from full


def _first(error: OSError) -> str:
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)
