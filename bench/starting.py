"""What a web process takes to start and to be there: `python -m bench.starting [WORKERS]`.

CPU seconds of `tonghu serve` and of what it forks until the first 200 of `/readyz`, and their
memory two seconds later, from /proc. The database is an embedded one in a folder of its own.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from demo.stage import free_port

TONGHU = str(Path(sys.executable).with_name("tonghu"))
TICK = os.sysconf("SC_CLK_TCK")
SETTLED_SECONDS = 2.0


def of(parent: int) -> list[int]:
    """Return a process and those that it forked."""
    forked = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *map(int, forked)]


def cpu(pid: int) -> float:
    """CPU seconds of a process so far."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICK


def memory(pid: int) -> dict[str, float]:
    """MiB of a process: resident, shared out among those that share it, and its own."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {name: int(kib) / 1024 for name, kib in re.findall(r"(\w+):\s+(\d+) kB", told)}
    own = found["Private_Clean"] + found["Private_Dirty"]
    return {"resident": found["Rss"], "proportional": found["Pss"], "private": own}


def run(workers: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tonghu-starting-") as folder:
        env = {**os.environ, "TONGHU_DATA_DIR": folder}
        subprocess.run([TONGHU, "migrate"], env=env, check=True, stdout=subprocess.DEVNULL)
        port = free_port()
        command = [TONGHU, "serve", "--port", str(port), "--workers", str(workers)]
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
            try:
                _tell(process, port)
            finally:
                process.terminate()
                process.wait()


def _tell(process: subprocess.Popen[bytes], port: int) -> None:
    while not _ready(port):
        if process.poll() is not None:
            raise SystemExit("the process has ended: run `tonghu serve` to see why")
        time.sleep(0.02)
    spent = sum(map(cpu, of(process.pid)))
    time.sleep(SETTLED_SECONDS)
    table = Table(title=f"{spent:.1f} CPU seconds to the first 200 (mark 1.5)")
    table.add_column("process")
    for name in ("resident", "proportional", "private"):
        table.add_column(f"{name}, MiB", justify="right")
    for pid in of(process.pid):
        name = "as started" if pid == process.pid else "forked"
        table.add_row(name, *(f"{each:.0f}" for each in memory(pid).values()))
    Console(width=100).print(table)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
