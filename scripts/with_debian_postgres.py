"""Run a command with `TONGHU_TEST_SUPERUSER_URL` naming a throwaway cluster of Debian's PostgreSQL.

    scripts/with_debian_postgres.py pytest -n 2

The cluster lives where the tests keep theirs and ends with the command. As root it runs as
`postgres`.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.scratch import choose

LOWEST, HIGHEST = 20_000, 32_000


def binaries() -> Path:
    """Find the newest PostgreSQL of the distribution."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    if not found:
        sys.exit("No PostgreSQL below /usr/lib/postgresql")
    return found[-1].parent


def free_port() -> int:
    """Find a port below the kernel's ephemeral range."""
    for port in range(LOWEST, HIGHEST):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    sys.exit("No free port")


@contextmanager
def cluster(bin_dir: Path) -> Iterator[str]:
    """Run a cluster; yield its superuser DSN."""
    place = Path(tempfile.mkdtemp(prefix="tonghu-pg-", dir=choose().folder))
    user: str | None = None
    if os.getuid() == 0:
        user = "postgres"
        account = pwd.getpwnam(user)
        os.chown(place, account.pw_uid, account.pw_gid)
    data, port = place / "data", free_port()
    password = secrets.token_hex()
    (place / "password").write_text(password)
    (place / "password").chmod(0o644)

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(bin_dir / program), *arguments],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=place,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    call(
        "initdb",
        "-D",
        str(data),
        "-U",
        "postgres",
        "--auth=scram-sha-256",
        f"--pwfile={place / 'password'}",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    )
    options = f"-p {port} -h 127.0.0.1 -k {place} -c fsync=off -c synchronous_commit=off"
    try:
        call("pg_ctl", "-D", str(data), "-w", "-l", str(place / "log"), "-o", options, "start")
        yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    finally:
        if (data / "postmaster.pid").exists():
            call("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(place, ignore_errors=True)


def main() -> None:
    bin_dir = binaries()
    print(f"PostgreSQL {bin_dir.parts[4]}", flush=True)
    with cluster(bin_dir) as url:
        done = subprocess.run(
            sys.argv[1:], env={**os.environ, "TONGHU_TEST_SUPERUSER_URL": url}, check=False
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
