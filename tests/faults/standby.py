"""A streaming replica of an embedded database, made by its own programs, killed and started."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg

from app.embedded import cluster
from tests.waiting import until


@dataclass
class Standby:
    """Streams from the server whose data lies in `primary`."""

    primary: Path
    place: Path
    home: cluster.Home = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.place.mkdir()
        self.home = cluster.Home(self.place, throwaway=False)

    def dsn(self, role: str, host: Path | None = None) -> str:
        """Return where `role` finds the replica, or the server with its socket in `host`."""
        secrets = json.loads((self.primary / "embedded.json").read_text())
        name, secret = {"app": ("tonghu_app", "app")}.get(role, ("postgres", "superuser"))
        place = quote(str(host or self.home.sockets), safe="")
        return f"postgresql://{name}:{secrets[secret]}@/tonghu?host={place}"

    def copy(self) -> None:
        """Copy the running server, as one that streams from it."""
        made = self.home.cluster
        made.mkdir(mode=0o700)
        if self.home.account:
            os.chown(made, self.home.account.uid, self.home.account.gid)
        source = self.dsn("superuser", cluster.Home(self.primary, throwaway=False).sockets)
        lock = self.home.take_server_lock()
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--dbname", source]
        copying = self.home.spawn(
            "pg_basebackup", made, lambda _: how, lock=lock, death_signal=signal.SIGKILL
        )
        os.close(lock)
        assert copying.wait() == 0, (self.place / "postgres.log").read_text()

    async def start(self) -> None:
        """Start it; return when it answers."""
        self.process = self.home.start()

        async def answers() -> bool:
            with suppress(OSError, asyncpg.PostgresError):
                return bool(await self.ask("SELECT pg_is_in_recovery()"))
            return False

        await until(answers)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it (SIGQUIT: with all its processes), or only make it silent (SIGSTOP)."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        if how not in {signal.SIGSTOP, signal.SIGCONT}:
            self.process.wait()

    def pids(self) -> list[int]:
        """Return its processes, the postmaster first."""
        found = [self.process.pid]
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == found[0]:
                    found.append(int(folder.name))
        return found

    async def ask(self, sql: str) -> object:
        """Ask it as the superuser."""
        connection = await asyncpg.connect(self.dsn("superuser"), timeout=5)
        try:
            return await connection.fetchval(sql)
        finally:
            connection.terminate()

    def remove(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()
        self.home.leave()
        shutil.rmtree(self.place)
