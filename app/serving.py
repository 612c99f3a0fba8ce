"""`tonghu serve`: web processes on one listening socket, kept running by the one they come from.

The app is assembled once and the address bound once. Then the processes are forked, while there is
no event loop, thread or connection here: start-up is paid for once, and what the program is made of
lies in memory once. What the app's lifespan opens, each opens for itself: the pool, the lease of
the embedded database, the keys. This one serves nothing; it waits for signals.
"""

import gc
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import NoReturn

import structlog
import uvicorn

from app import main
from app.core.processes import HERE, ProcessesDie

log = structlog.get_logger(__name__)

_STOP = (signal.SIGTERM, signal.SIGINT)
_AWAITED = (*_STOP, signal.SIGCHLD, signal.SIGALRM)
_FAILED = 3
"""As uvicorn says it."""
_SETTLED_SECONDS = 5.0
"""Who dies sooner died at once: of something that starting it again may not mend."""
_DEATHS = 6
_PAUSE_SECONDS = 0.1
"""Before a process that died at once is started again, and twice as long each further time."""


def run(host: str, port: int, processes: int) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then finish what is in flight; end the program."""
    HERE.of = processes
    keeper = os.getpid()
    gc.disable()  # next to nothing of what is made until it serves is garbage
    app = main.create_app()
    gc.freeze()
    gc.enable()

    async def leave_if_alone() -> None:
        if processes > 1 and os.getppid() != keeper:  # the keeper was killed: let its like start
            signal.raise_signal(signal.SIGTERM)

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        server_header=False,
        access_log=False,
        log_config=None,  # app.core.logs decides, for uvicorn's own lines too
        timeout_graceful_shutdown=25,
        callback_notify=leave_if_alone,
        timeout_notify=1,
    )
    if processes == 1:
        _serve(config)
    config.load()
    _Keeper(config, config.bind_socket()).keep(processes)


def _serve(config: uvicorn.Config, *sockets: socket.socket) -> NoReturn:
    # Once stopped in good order, uvicorn raises the signal again: that is success, not a crash.
    for number in _STOP:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    uvicorn.Server(config).run([*sockets] or None)
    sys.exit(_FAILED)  # it never began to serve


@dataclass
class _Keeper:
    """Starts processes, and starts again those that die. `running`: number and start, by pid."""

    config: uvicorn.Config
    listening: socket.socket
    running: dict[int, tuple[int, float]] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    deaths: int = 0
    """Of processes that died at once, since the last one that did not."""

    def keep(self, processes: int) -> NoReturn:
        """Have so many processes until told to stop. Raises ProcessesDie if none stays."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)  # each comes when it is waited for
        self.missing = list(range(processes))
        self._start_missing()
        while self.deaths < _DEATHS:
            told = signal.sigwait(_AWAITED)
            if told in _STOP:
                break
            if told == signal.SIGALRM:
                self._start_missing()
            else:
                for number, seconds, code in self._bury():
                    log.warning("serve.died", process=number, status=code)
                    self.missing.append(number)
                    self.deaths = self.deaths + 1 if seconds < _SETTLED_SECONDS else 0
                signal.setitimer(signal.ITIMER_REAL, _PAUSE_SECONDS * 2**self.deaths)
        self._stop()
        if self.deaths >= _DEATHS:
            raise ProcessesDie(
                f"Web processes ended at once {self.deaths} times, one after another; the log says"
                " why."
            )
        sys.exit(0)

    def _start_missing(self) -> None:
        while self.missing:
            number = self.missing.pop()
            pid = os.fork()
            if not pid:
                HERE.number = number
                _serve(self.config, self.listening)
            self.running[pid] = number, time.monotonic()

    def _bury(self) -> list[tuple[int, float, int]]:
        """Take off who ended; return number, seconds it lived and exit code of each."""
        ended = []
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            number, started = self.running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            ended.append((number, time.monotonic() - started, code))
        return ended

    def _stop(self) -> None:
        """Let all processes finish; whoever says so again is in a hurry, and they hear of it."""
        self.listening.close()  # what nobody will accept is refused
        told: int = signal.SIGTERM
        while self.running:
            if told in _STOP:
                for pid in self.running:
                    os.kill(pid, signal.SIGTERM)
            told = signal.sigwait(_AWAITED)
            self._bury()
