"""The town of a night: what its web and worker have beside them, on a small disk of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from app.core.data.migrations import HOME
from tests.faults.town import Town

DISK: Final = 2**30


class Place(Town):
    """The town of the tests, with what a night has besides. Timeouts are the product's own."""

    worker_port = 0

    @property
    def environment(self) -> dict[str, str]:
        ours = super().environment
        for name in ("LOCK", "STATEMENT"):
            del ours[f"TONGHU_DATABASE__{name}_TIMEOUT_MS"]
        return {**ours, "TONGHU_WORKER__PORT": str(self.worker_port)}

    def up(self) -> None:
        super().up()
        for name, arguments in (("sealer", ("sealer",)), ("wal", ("wal", str(self.backups)))):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                self.start(name, "-m", "app.cli", *arguments)

    @property
    def backups(self) -> Path:
        return self.data_dir.parent / "backups"

    def back_up(self) -> None:
        subprocess.run(
            [sys.executable, "-m", "app.cli", "backup", str(self.backups)],
            env=self.environment,
            cwd=HOME,
            check=True,
            capture_output=True,
        )

    def kill_wal(self) -> None:
        """Kill `tonghu wal` and what it started, which would go on without it."""
        self.kill("wal")
        for pid in _children_of(str(self.backups)):
            os.kill(pid, signal.SIGKILL)


def _children_of(folder: str) -> list[int]:
    """Find what `tonghu wal` started for a folder, which goes on when that is killed."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--directory={folder}" in each.read_text():
                found.append(int(each.parent.name))
    return found


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncIterator[Path | None]:
    """Make a disk of its own for the database; None where only root could."""
    made = subprocess.run(  # noqa: ASYNC221
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tonghu-night", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield folder if made.returncode == 0 else None
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", str(folder)], check=False)  # noqa: ASYNC221
