"""The embedded PostgreSQL's supervisor, run as a module with DATA_DIR and maybe `--throwaway`.

One small process per data folder, parent of `postgres`. Whoever needs the database holds a
connection to `lease.sock` in that folder (a lease, see `app.embedded.postgres`); the kernel closes
it however the holder dies. It answers each with one line of JSON: `{"sockets": folder}` when
PostgreSQL accepts connections, or `{"failed": text}`. Nothing is read from a holder.

When no lease is left for `GRACE` seconds PostgreSQL is stopped and the supervisor leaves. If
PostgreSQL dies it is started again. If the supervisor is killed the kernel stops PostgreSQL
(PR_SET_PDEATHSIG) and the next lease starts both. Other signals do not end it while a lease is
held: a stop of a whole service group then lets the web process finish its requests first.
"""

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from app.embedded.cluster import Home, ServerFailed

GRACE = 2.0  # seconds without a lease before the server is stopped
FUTILE_STARTS = 3  # failures in a row without ever becoming ready after which it gives up
BACK_OFF = (0.0, 0.2, 1.0, 3.0, 10.0)  # seconds to wait before a start after 1, 2, ... failures
HEALTHY_AFTER = 60.0  # seconds of uptime after which earlier failures are forgotten
FAST_STOP, IMMEDIATE_STOP = 60.0, 5.0  # seconds that each way of stopping is given
TURN_TIMEOUT = 90.0  # seconds to wait for a predecessor that is still stopping
READY_POLL = 0.02  # seconds between looks at a server that is starting
LOG_LIMIT = 10_000_000  # bytes of postgres.log before it is moved aside at a start


@contextlib.contextmanager
def lease_address(data_dir: Path) -> Iterator[str]:
    """Give an address of the lease socket that fits `sockaddr_un` however long the path is."""
    handle = os.open(data_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/lease.sock"
    finally:
        os.close(handle)


def log_tail(data_dir: Path, lines: int = 12) -> str:
    """Return the last lines of the server's log, or an empty text."""
    with contextlib.suppress(OSError):
        text = (data_dir / "postgres.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
    return ""  # pragma: no cover  nothing was ever logged


def _tell(waiting: set[socket.socket], answer: dict[str, str]) -> None:
    for holder in waiting:
        with contextlib.suppress(OSError):  # gone: its hanging up is noticed elsewhere
            holder.sendall(json.dumps(answer).encode() + b"\n")
    waiting.clear()


def _refuse(listener: socket.socket, waiting: set[socket.socket], reason: str) -> None:
    """Tell everyone who waits, or waits to be let in, why there is no server."""
    with contextlib.suppress(BlockingIOError):
        while True:
            waiting.add(listener.accept()[0])
    _tell(waiting, {"failed": reason})


class Supervisor:
    """Keeps `postgres` running while there are leases."""

    def __init__(self, home: Home, listener: socket.socket) -> None:
        self.home = home
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.waiting: set[socket.socket] = set()  # holders not yet told that the server is ready
        self.holders: set[socket.socket] = set()
        self.postgres: subprocess.Popen[bytes] | None = None
        self.exit_watch = -1  # pidfd, readable when postgres has ended
        self.ready = False
        self.failures = 0
        self.started_at = self.start_after = self.idle_since = time.monotonic()

    def run(self) -> None:
        """Serve until the grace is over. Raises ServerFailed when PostgreSQL cannot be started."""
        while self.holders or time.monotonic() < self.idle_since + GRACE:
            if self.postgres is None and time.monotonic() >= self.start_after:
                self._start()
            for key, _ in self.selector.select(self._patience()):
                self._attend(key.fileobj)
            if self.postgres and not self.ready and self.home.is_ready(self.postgres.pid):
                self.ready = True
            if self.ready:
                _tell(self.waiting, {"sockets": str(self.home.sockets)})

    def _patience(self) -> float | None:
        """Return the seconds until something is due without anyone calling."""
        now = time.monotonic()
        due = [] if self.holders else [self.idle_since + GRACE]
        if self.postgres is None:
            due.append(self.start_after)
        elif not self.ready:
            due.append(now + READY_POLL)
        return max(0.0, min(due) - now) if due else None

    def _start(self) -> None:
        self.postgres = self.home.start()
        self.started_at = time.monotonic()
        self.exit_watch = os.pidfd_open(self.postgres.pid)
        self.selector.register(self.exit_watch, selectors.EVENT_READ)

    def _attend(self, source: object) -> None:
        if source is self.listener:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                holder, _ = self.listener.accept()
                self.holders.add(holder)
                self.waiting.add(holder)
                self.selector.register(holder, selectors.EVENT_READ)
        elif isinstance(source, socket.socket):
            self._let_go(source)
        elif self.postgres is not None:  # pragma: no branch  nothing else is attended to
            self._mourn(self.postgres)

    def _let_go(self, holder: socket.socket) -> None:
        self.selector.unregister(holder)
        holder.close()
        self.holders.discard(holder)
        self.waiting.discard(holder)
        self.idle_since = time.monotonic()

    def _mourn(self, ended: subprocess.Popen[bytes]) -> None:
        """Take note that the server ended without being asked, and plan its next start."""
        ended.wait()
        self.selector.unregister(self.exit_watch)
        os.close(self.exit_watch)
        now = time.monotonic()
        self.failures = 1 if now > self.started_at + HEALTHY_AFTER else self.failures + 1
        if not self.ready and self.failures >= FUTILE_STARTS:
            raise ServerFailed("PostgreSQL ends while it starts.")
        self.start_after = now + BACK_OFF[min(self.failures, len(BACK_OFF)) - 1]
        self.postgres, self.ready = None, False

    def stop(self) -> None:
        """Stop the server, gently first."""
        if self.postgres is None:  # pragma: no cover  it was killed before it had begun
            return
        for request, patience in (  # pragma: no branch  the last waits without end
            (signal.SIGINT, FAST_STOP),
            (signal.SIGQUIT, IMMEDIATE_STOP),
            (signal.SIGKILL, None),
        ):
            self.postgres.send_signal(request)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.postgres.wait(patience)
                return


def _my_turn(data_dir: Path) -> bool:
    """Become the folder's supervisor; False if another one answers, or keeps the lock too long."""
    lock = os.open(data_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    patience = time.monotonic() + TURN_TIMEOUT
    while time.monotonic() < patience:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True  # the descriptor stays open, and with it the lock, until this process ends
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX) as probe,
            lease_address(data_dir) as address,
        ):
            probe.connect(address)
            return False
        time.sleep(READY_POLL)  # pragma: no cover  who has the lock has just begun or is dying
    return False  # pragma: no cover  a machine that is far too slow


def _detach(data_dir: Path) -> None:
    """Leave the caller's session, folder and streams; what is printed goes to the log."""
    os.umask(0o077)
    os.setsid()
    os.chdir("/")
    path = data_dir / "postgres.log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:  # pragma: no cover  runs for weeks
        path.replace(data_dir / "postgres.log.1")
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    for request in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A handler that does nothing, not SIG_IGN, which postgres would inherit.
        signal.signal(request, lambda *_: None)


def supervise(data_dir: Path, *, throwaway: bool) -> None:
    """Run the server of `data_dir` until nobody needs it; return at once if somebody does so."""
    if not _my_turn(data_dir):
        return
    listener = socket.socket(socket.AF_UNIX)
    (data_dir / "lease.sock").unlink(missing_ok=True)
    with lease_address(data_dir) as address:
        listener.bind(address)
    listener.listen(128)
    listener.setblocking(False)
    home = supervisor = None
    try:
        home = Home(data_dir, throwaway=throwaway)
        home.make_cluster()
        supervisor = Supervisor(home, listener)
        supervisor.run()
    except (ServerFailed, OSError) as problem:
        _refuse(listener, supervisor.waiting if supervisor else set(), str(problem))
    finally:
        (data_dir / "lease.sock").unlink(missing_ok=True)
        listener.close()
        if supervisor:  # pragma: no branch  a broken machine
            supervisor.stop()
        if home:  # pragma: no branch  a broken machine
            home.leave()


if __name__ == "__main__":
    if os.fork() == 0:  # so that init, not the caller, is the parent, and no zombie is left to it
        folder = Path(sys.argv[1])
        _detach(folder)
        supervise(folder, throwaway="--throwaway" in sys.argv)
