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
from dataclasses import dataclass, field
from typing import NoReturn

import structlog
import uvicorn

from app import main
from app.core.processes import HERE, PortTaken, ProcessesDie, shared
from app.core.settings import Settings, read

log = structlog.get_logger(__name__)

_STOP = (signal.SIGTERM, signal.SIGINT)
_AWAITED = (*_STOP, signal.SIGCHLD, signal.SIGALRM)
_FAILED = 3
"""As uvicorn says it."""
_DEATHS = 6
"""Of processes that never served, one after another: starting them again does not mend it."""
_PAUSE_SECONDS = 0.1
"""Before a process that died is started again; twice as long with each that never served."""


def run(host: str, port: int, processes: int) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then finish what is in flight; end the program."""
    HERE.of = processes
    keeper = os.getpid()
    gc.disable()  # next to nothing of what is made until it serves is garbage
    settings = served_at(read(Settings), host, port)
    listening = _listen(host, port)
    app = main.create_app(settings)
    gc.freeze()
    gc.enable()

    served = shared(processes).cast("q")

    async def look_around() -> None:
        served[HERE.number] = 1
        if processes > 1 and os.getppid() != keeper:  # the keeper was killed: let its like start
            signal.raise_signal(signal.SIGTERM)

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        server_header=False,
        proxy_headers=False,  # app.core.http.proxies says whom to believe
        access_log=False,
        log_config=None,  # app.core.logs decides, for uvicorn's own lines too
        timeout_graceful_shutdown=25,
        callback_notify=look_around,
        timeout_notify=1,
    )
    if processes == 1:
        _serve(config, listening)
    config.load()
    _Keeper(config, listening, served).keep(processes)


def served_at(settings: Settings, host: str, port: int) -> Settings:
    """Name in tokens the address that is served, unless another is set: what clients are told of it
    is where they call.
    """
    if "issuer" in settings.tokens.model_fields_set:
        return settings
    tokens = settings.tokens.model_copy(update={"issuer": address(host, port)})
    return settings.model_copy(update={"tokens": tokens})


def address(host: str, port: int) -> str:
    """Return where one on this machine calls who listens there."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  what it means
    return f"http://{f'[{here}]' if ':' in here else here}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    """Take the address before anything else is done. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(host, port, error, "Choose another with --port.") from None
    return listening


def _serve(config: uvicorn.Config, *sockets: socket.socket) -> NoReturn:
    # Once stopped in good order, uvicorn raises the signal again: that is success, not a crash.
    for number in _STOP:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    uvicorn.Server(config).run([*sockets] or None)
    sys.exit(_FAILED)  # it never began to serve


@dataclass
class _Keeper:
    """Starts processes, and starts again those that die. `served`: a cell for each, 1 once it
    serves. `running`: numbers, by pid.
    """

    config: uvicorn.Config
    listening: socket.socket
    served: "memoryview[int]"
    running: dict[int, int] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    deaths: int = 0
    """Of processes that never served, since the last one that did."""

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
                for number, code in self._bury():
                    log.warning("serve.died", process=number, status=code)
                    self.missing.append(number)
                    alive = any(self.served[each] for each in self.running.values())
                    self.deaths = 0 if self.served[number] else self.deaths + 1
                    if alive:  # those that serve go on, and this one is tried as long
                        self.deaths = min(self.deaths, _DEATHS - 1)
                signal.setitimer(signal.ITIMER_REAL, _PAUSE_SECONDS * 2**self.deaths)
        self._stop()
        if self.deaths >= _DEATHS:
            raise ProcessesDie(
                f"Web processes ended {self.deaths} times, one after another, before they served;"
                " the log says why."
            )
        sys.exit(0)

    def _start_missing(self) -> None:
        while self.missing:
            number = self.missing.pop()
            self.served[number] = 0
            pid = os.fork()
            if not pid:
                HERE.number = number
                _serve(self.config, self.listening)
            self.running[pid] = number

    def _bury(self) -> list[tuple[int, int]]:
        """Take off who ended; return number and exit code of each."""
        ended = []
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            ended.append((self.running.pop(pid), os.waitstatus_to_exitcode(status)))
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
