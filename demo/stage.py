"""The processes of the demo: started, watched and stopped together."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

HOME = Path(__file__).resolve().parents[1]
PORTS = range(8000, 8100)
READY_SECONDS = 60.0


class StageFailed(Exception):
    """A process of the demo did not do what it had to; the text says which and where its log is."""


def free_port() -> int:
    """Find a free port on this machine, 8000 if it is free."""
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise StageFailed("No port from 8000 to 8099 is free.")


@dataclass
class Stage:
    """Web, worker and the actors' processes, on a data folder made anew."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Settings of every Tonghu process: a sandbox that may deliver to this machine."""
        return {
            **os.environ,
            "TONGHU_ENVIRONMENT": "sandbox",
            "TONGHU_DATA_DIR": str(self.data_dir),
            "TONGHU_TOKENS__ISSUER": self.base,
            "TONGHU_WEBHOOKS__ALLOW_HTTP": "true",
            "TONGHU_WEBHOOKS__ALLOWED_NETWORKS": '["127.0.0.1/32"]',
            "TONGHU_WEBHOOKS__ALLOWED_PORTS": f"[{','.join(map(str, PORTS))}]",
        }

    def prepare(self) -> None:
        """Empty the data folder."""
        shutil.rmtree(self.data_dir, ignore_errors=True)
        (self.data_dir / "logs").mkdir(parents=True)

    def log(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"

    def start(self, name: str, *arguments: str) -> None:
        """Start `python ARGUMENTS` in the background, its output in a log."""
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603  our own modules
                [sys.executable, *arguments],
                env=self.environment,
                cwd=HOME,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which stops them in order
            )

    def kill(self, name: str) -> None:
        """End a process at once, as a power cut would."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def run(self, module: str, *arguments: str) -> None:
        """Run one actor's part in a process of its own, printing as it goes."""
        done = subprocess.run(  # noqa: S603  our own modules
            [sys.executable, "-u", "-m", module, self.base, str(self.data_dir), *arguments],
            env=self.environment,
            cwd=HOME,
            check=False,
        )
        if done.returncode:
            raise StageFailed(
                f"{module} {' '.join(arguments)} failed; logs: {self.log('*').parent}"
            )

    def wait_until_ready(self) -> None:
        """Wait for the web process."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.processes["web"].poll() is not None:
                break
            try:
                if httpx.get(f"{self.base}/readyz", timeout=2).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise StageFailed(f"The web process is not ready; see {self.log('web')}.")

    def stop(self) -> None:
        """Stop everything, the last started first."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes.values()):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes.clear()


def poll(what: str, ask: Any, *, seconds: float = 30.0) -> Any:
    """Ask again until the answer is something, or fail saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.1)
    raise StageFailed(f"{what} did not happen within {seconds:.0f} s.")
