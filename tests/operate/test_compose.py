"""The pieces of compose.yaml, run by hand: what an engine would run, on a real PostgreSQL, as the
user that the image names.
"""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import yaml

from app.core.data.crypto import Keyring
from app.core.settings import Settings, names
from app.embedded import postgres
from tests import schema
from tests.architecture.test_shape import HOME
from tests.faults.town import free_ports
from tests.waiting import PATIENCE

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((HOME / "compose.yaml").read_text("utf-8"))
SERVICES: Final = COMPOSE["services"]
IMAGE: Final = (HOME / "Dockerfile").read_text("utf-8")
USER: Final = 10001
FOREIGN: Final = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


def _interpreter() -> str | None:
    """Return a Python of this version that another user may run; None: there is none, or no way to
    be another user.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return None
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.executable, f"/usr/local/bin/{version}", f"/usr/bin/{version}"):
        tried = subprocess.run([*FOREIGN, "env", path, "-c", ""], capture_output=True, check=False)
        if tried.returncode == 0:
            return path
    return None


PYTHON: Final = _interpreter()
as_root = pytest.mark.skipif(
    PYTHON is None, reason="only root may run a command as another user, who may run Python"
)
with_psql = pytest.mark.skipif(
    shutil.which("psql") is None, reason="no psql here: Debian's package `postgresql-client`"
)


def test_who_runs_it_is_who_may_read_the_keys() -> None:
    assert f"USER {USER}\n" in IMAGE
    assert f"--uid {USER} " in IMAGE
    steps = (HOME / "compose.yaml").read_text("utf-8").partition("name: tonghu")[0]
    assert f"chown {USER}:{USER} /keys/keys.json" in steps


def test_what_it_sets_is_a_setting_and_fills_in_what_the_example_names() -> None:
    known = {*names(Settings, "TONGHU_")}
    for name in ("migrate", "web", "worker"):
        assert {*SERVICES[name]["environment"]} <= known, name
    asked = set(re.findall(r"\$\{(\w+):\?\}", (HOME / "compose.yaml").read_text("utf-8")))
    example = (HOME / ".env.example").read_text("utf-8")
    assert asked == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_strangers_reach_the_front_alone_and_it_alone_says_for_whom_it_asks() -> None:
    assert [name for name, each in SERVICES.items() if "ports" in each] == ["front"]
    front = SERVICES["front"]["networks"]["inside"]["ipv4_address"]
    web = SERVICES["web"]["environment"]
    assert web["TONGHU_TRUSTED_PROXIES"] == f'["{front}/32"]'
    networks = COMPOSE["networks"]
    assert [name for name, each in networks.items() if not each.get("internal")] == ["outside"]
    assert [name for name, each in SERVICES.items() if "database" in each["networks"]] == [
        *("postgres", "migrate", "web", "worker", "sealer", "wal"),
    ]
    assert "postgres" not in [
        name for name, each in SERVICES.items() if "outside" in each["networks"]
    ]


def test_the_database_is_asked_over_tcp_and_migrations_are_tried_again() -> None:
    """While the image sets itself up it listens on its socket, which is healthy too early."""
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[check.index("-h") + 1] == "127.0.0.1"
    assert SERVICES["migrate"]["restart"].startswith("on-failure")
    for name in ("postgres", "web", "worker"):
        assert "healthcheck" in SERVICES[name]


@with_psql
def test_its_roles_are_made_and_the_program_runs_with_them(scratch: Path, tmp_path: Path) -> None:
    """The script of the image's first start, against a server that has neither."""
    script = COMPOSE["configs"]["roles"]["content"].replace("$$", "$")
    with postgres.acquire(scratch / f"compose-{os.getpid()}", throwaway=True) as lease:
        superuser = lease.server.superuser_url
        asyncio.run(_without_roles(superuser))
        mine = {name: each for name, each in os.environ.items() if name[:7] != "TONGHU_"}
        told = {
            **mine,
            **_libpq(superuser),
            "PGDATA": str(tmp_path),
            "TONGHU_APP_PASSWORD": "a1",
            "TONGHU_OWNER_PASSWORD": "o1",
            "TONGHU_SEALER_PASSWORD": "s1",
            "TONGHU_BACKUP_PASSWORD": "b1",
        }
        made = subprocess.run(
            ["bash", "-c", script], env=told, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        urls = {
            "TONGHU_DATABASE__URL": _as(superuser, "tonghu_app", "a1"),
            "TONGHU_DATABASE__OWNER_URL": _as(superuser, "tonghu_owner", "o1"),
            "TONGHU_DATA_DIR": str(tmp_path),
        }
        for command in (("migrate",), ("jobs", "schedules")):
            ended = subprocess.run(
                [sys.executable, "-m", "app.cli", *command],
                env=mine | urls,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (ended.returncode, ended.stderr) == (0, ""), command
        check = SERVICES["postgres"]["healthcheck"]["test"][1:]
        check[check.index("-h") + 1] = _libpq(superuser)["PGHOST"]
        healthy = subprocess.run(
            check,
            env={**mine, "PGPORT": _libpq(superuser)["PGPORT"]},
            capture_output=True,
            check=False,
        )
        assert healthy.returncode == 0


async def _without_roles(superuser: str) -> None:
    connection = await asyncpg.connect(superuser)
    for statement in (
        "DROP DATABASE tonghu WITH (FORCE)",
        "DROP ROLE tonghu_app",
        "DROP ROLE tonghu_owner",
        "DROP ROLE tonghu_sealer",
        "DROP ROLE tonghu_backup",
    ):
        await connection.execute(statement)
    await connection.close()


def _libpq(url: str) -> dict[str, str]:
    found = dict(re.findall(r"[?&](host|port)=([^&]+)", url))
    parts = urlsplit(url)
    return {
        "PGHOST": found.get("host") or parts.hostname or "",
        "PGPORT": found.get("port") or str(parts.port or 5432),
        "PGUSER": parts.username or "postgres",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": "postgres",
    }


def _as(superuser: str, role: str, password: str) -> str:
    at = superuser.replace("/postgres?", "/tonghu?")
    return re.sub(r"//[^@/]*@", f"//{role}:{password}@", at)


# --- as the user of the image --------------------------------------------------------------------


def foreign(*arguments: str, **settings: str) -> list[str]:
    """The command of a container: its user, nobody's home, nothing of ours in the environment."""
    return [
        *FOREIGN,
        *("env", "-i", "PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"),
        f"PYTHONPATH={HOME}:{sysconfig.get_path('purelib')}",
        *(f"{name}={value}" for name, value in settings.items()),
        *(str(PYTHON), *arguments),
    ]


@pytest.fixture
def keys(keyring: Keyring) -> Iterator[Path]:
    """The key file, in a folder that others may look into."""
    folder = Path(tempfile.mkdtemp(prefix="tonghu-keys-", dir="/var/tmp"))
    folder.chmod(0o755)
    path = folder / "keys.json"
    path.write_text(keyring.to_json())
    path.chmod(0o600)
    yield path
    shutil.rmtree(folder)


@as_root
def test_keys_are_read_by_its_user_and_by_nobody_else(keys: Path) -> None:
    command = foreign("-m", "app.cli", "keys", "list", str(keys))
    refused = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    [line] = refused.stderr.strip().splitlines()
    assert "keys.json" in line
    os.chown(keys, USER, USER)
    read = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert (read.returncode, "signs" in read.stdout) == (0, True), read.stderr


@asynccontextmanager
async def running(command: list[str], log: Path) -> AsyncIterator[None]:
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, stderr=said, cwd="/")
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def relayed(url: str, port: int) -> AsyncIterator[None]:
    """Let others reach the tests' server, whose socket is ours alone, over TCP."""
    server = _libpq(url)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while said := await reader.read(65_536):
                writer.write(said)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = f"{server['PGHOST']}/.s.PGSQL.{server['PGPORT']}"
        there = (
            await asyncio.open_unix_connection(path)
            if server["PGHOST"].startswith("/")
            else await asyncio.open_connection(server["PGHOST"], int(server["PGPORT"]))
        )
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    async with await asyncio.start_server(relay, "127.0.0.1", port):
        yield


async def succeeded(command: list[str]) -> bool:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0


@as_root
async def test_web_and_worker_run_as_it_where_nothing_can_be_written(
    database_urls, keys: Path, tmp_path: Path
) -> None:
    """Their own health checks say so, as compose.yaml writes them."""
    os.chown(keys, USER, USER)
    web, worker, database = free_ports(3)
    there = f"127.0.0.1:{database}/{urlsplit(database_urls.app).path[1:]}"
    settings = {
        "TONGHU_ENVIRONMENT": "production",
        "TONGHU_DATABASE__URL": f"postgresql://tonghu_app:{schema.PASSWORD}@{there}",
        "TONGHU_TOKENS__ISSUER": "https://tonghu.example",
        "TONGHU_KEYS_FILE": str(keys),
        "TONGHU_WORKER__PORT": str(worker),
    }
    serve = foreign("-m", "app.cli", "serve", "--port", str(web), "--workers", "2", **settings)
    work = foreign("-m", "app.cli", "worker", **settings)
    async with relayed(database_urls.app, database):
        await _healthy(serve, work, {"web": web, "worker": worker}, tmp_path)


async def _healthy(
    serve: list[str], work: list[str], ports: dict[str, int], tmp_path: Path
) -> None:
    limit = time.monotonic() + PATIENCE
    async with running(serve, tmp_path / "web"), running(work, tmp_path / "worker"):
        for name, port in ports.items():
            _, program, *arguments = SERVICES[name]["healthcheck"]["test"]
            assert program == "python"
            asked = [re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", each) for each in arguments]
            check = foreign(*asked)
            while not await succeeded(check):
                assert time.monotonic() < limit, (tmp_path / name).read_text()[-300:]
        async with httpx.AsyncClient() as http:
            alive = await http.get(f"http://127.0.0.1:{ports['web']}/livez")
            assert alive.status_code == 200
    assert b"worker.stopped" in (tmp_path / "worker").read_bytes()


def test_its_first_steps_leave_no_password_to_others_on_the_machine(tmp_path) -> None:
    """The superuser's is read by the database's own user, so its folder is shut."""
    said = (HOME / "compose.yaml").read_text("utf-8")
    steps = [
        line.removeprefix("#   ")
        for line in said.splitlines()
        if line.startswith(("#   mkdir", "#   install", "#   cp .env"))
    ]
    assert len(steps) == 2
    (tmp_path / ".env.example").write_text((HOME / ".env.example").read_text("utf-8"))
    script = "\n".join(["umask 022", *steps])
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, check=True)
    open_to_others = [
        each.name
        for each in tmp_path.iterdir()
        if each.stat().st_mode & 0o077 and each.name != ".env.example"
    ]
    assert open_to_others == []
    assert {each.name for each in tmp_path.iterdir()} >= {"secrets", "backups", ".env"}
