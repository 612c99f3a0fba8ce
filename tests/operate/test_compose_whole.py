"""The steps of compose.yaml one after another, without an engine: as the image's user, on a root
that nobody can write to, behind the real front. What an engine alone can do is in docs/operate.md.
"""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.embedded import postgres
from tests.architecture.test_shape import HOME
from tests.faults.town import free_ports
from tests.operate import test_compose as pieces
from tests.operate.test_compose import COMPOSE, SERVICES, USER, foreign, relayed
from tests.operate.test_front import NGINX, a_certificate
from tests.waiting import until

STRANGER = "203.0.113.9"
ELSEWHERE = "127.0.0.2"
"""An address of this machine that is none of ours."""
READ_ONLY = """
mount --make-rprivate /
mount --bind {backups} {backups}
mount -o remount,bind,ro /
mount -t tmpfs tonghu-tmp {tmp}
exec {command}
"""


def _may_unshare() -> bool:
    tried = ["unshare", "-m", "mount", "--make-rprivate", "/"]
    return (
        os.geteuid() == 0
        and subprocess.run(tried, capture_output=True, check=False).returncode == 0
    )


pytestmark = pytest.mark.skipif(
    pieces.PYTHON is None or NGINX is None or shutil.which("psql") is None or not _may_unshare(),
    reason="needs root that may unshare mounts, setpriv, nginx and psql",
)


@dataclass
class Place:
    """Where compose's secrets and volumes lie. `ports`: of what listens."""

    folder: Path
    ports: dict[str, int]

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def tmp(self) -> Path:
        return self.folder / "tmp"

    @property
    def settings(self) -> dict[str, str]:
        """What the services are told, with names of hosts and secrets as they are here."""
        told = {name: str(text) for name, text in SERVICES["web"]["environment"].items()}
        database = f"127.0.0.1:{self.ports['database']}"
        here = {
            "TONGHU_DATABASE__URL": f"postgresql://tonghu_app:a1@{database}/tonghu",
            "TONGHU_TOKENS__ISSUER": f"https://127.0.0.1:{self.ports['tls']}",
            "TONGHU_KEYS_FILE": str(self.folder / "keys.json"),
            "TONGHU_TRUSTED_PROXIES": '["127.0.0.1/32"]',
            "TONGHU_WORKER__HOST": "127.0.0.1",
            "TONGHU_WORKER__PORT": str(self.ports["worker"]),
        }
        assert here.keys() - {"TONGHU_WORKER__PORT"} <= told.keys()
        return told | here

    def url(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.ports['database']}/tonghu"

    def command(self, *arguments: str, **settings: str) -> list[str]:
        """A service's command, on a root that is read-only but for the backups."""
        settings["TMPDIR"] = str(self.tmp)  # compose's `tmpfs: [/tmp]`
        inner = shlex.join(foreign("-m", "app.cli", *arguments, **settings))
        script = READ_ONLY.format(backups=self.backups, tmp=self.tmp, command=inner)
        return ["unshare", "-m", "sh", "-ec", script]

    def run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments, **settings),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="tonghu-compose-", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "backups").mkdir()
    (folder / "tmp").mkdir()
    names = ("database", "web", "worker", "plain", "tls")
    yield Place(folder, dict(zip(names, free_ports(len(names)), strict=True)))
    shutil.rmtree(folder)


def _secrets(place: Place) -> None:
    """The steps at the head of compose.yaml: keys made by root, and given to the image's user."""
    steps = (HOME / "compose.yaml").read_text("utf-8").partition("name: tonghu")[0]
    found = re.search(r"-c \\\n#     '(.*?)'", steps, re.DOTALL)
    assert found is not None
    script = re.sub(r"\n#\s+", "\n", found[1])
    (place.folder / "superuser_password").write_text("s")
    (place.folder / "tls.key").write_text("k")
    python = f"PYTHONPATH={foreign('')[-2].partition('=')[2]} {pieces.PYTHON}"
    for was, becomes in (
        ("/keys/", f"{place.folder}/"),
        ("/backups", str(place.backups)),
        ("python ", f"{python} "),
    ):
        script = script.replace(was, becomes)
    python_path = next(each for each in foreign("") if each.startswith("PYTHONPATH="))
    script = script.replace("PYTHONPATH= ", f"{python_path} ")
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    keys = (place.folder / "keys.json").stat()
    assert (keys.st_uid, keys.st_mode & 0o777) == (USER, 0o600)
    (place.folder / "tls.key").unlink()


def _roles(superuser: str, place: Place) -> None:
    """What the database's image runs at its first start."""
    script = COMPOSE["configs"]["roles"]["content"].replace("$$", "$")
    told = {
        **pieces._libpq(superuser),
        "PATH": os.environ["PATH"],
        "PGDATA": str(place.folder),
        **{
            f"TONGHU_{who}_PASSWORD": f"{who[0].lower()}1"
            for who in ("APP", "OWNER", "SEALER", "BACKUP")
        },
    }
    made = subprocess.run(
        ["bash", "-c", script], env=told, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert "replication tonghu_backup" in (place.folder / "pg_hba.conf").read_text()


async def _migrated_once_it_is_there(place: Place, url: str) -> None:
    """`restart: on-failure`: it ends with a line while nobody answers, and is started again."""
    told = {**place.settings, "TONGHU_DATABASE__OWNER_URL": place.url("tonghu_owner", "o1")}
    refused = await asyncio.to_thread(place.run, "migrate", **told)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    async with relayed(url, place.ports["database"]):
        done = await asyncio.to_thread(place.run, "migrate", **told)
        assert done.returncode == 0, done.stderr


@asynccontextmanager
async def _service(place: Place, name: str, command: list[str]) -> AsyncIterator[Path]:
    """Run a service; who fails beside it reads what it said last."""
    log = place.folder / f"{name}.log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said, cwd="/")
    try:
        yield log
        assert process.returncode is None, f"{name} ended by itself: {log.read_text()[-300:]}"
    except BaseException as error:
        error.add_note(f"{name} ({process.returncode}): {log.read_text()[-300:]}")
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def _front(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    """deploy/nginx.conf, before the web process; who asks it comes from elsewhere."""
    certificate, key = a_certificate(place.folder)
    text = (HOME / "deploy/nginx.conf").read_text("utf-8")
    for was, becomes in (
        (" /tmp/", f" {place.folder}/"),
        ("server web:8000;", f"server 127.0.0.1:{place.ports['web']};"),
        ("listen 80;", f"listen 127.0.0.1:{place.ports['plain']};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{place.ports['tls']} ssl"),
        ("/run/secrets/tls_certificate", str(certificate)),
        ("/run/secrets/tls_key", str(key)),
        ("worker_processes auto;", "worker_processes 1; daemon off;"),
    ):
        assert was in text
        text = text.replace(was, becomes)
    (place.folder / "nginx.conf").write_text(text)
    trust = ssl.create_default_context(cafile=str(certificate))
    trust.check_hostname = False
    command = [str(NGINX), "-p", str(place.folder), "-c", str(place.folder / "nginx.conf")]
    async with (
        _service(place, "front", command),
        httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{place.ports['tls']}",
            transport=httpx.AsyncHTTPTransport(verify=trust, local_address=ELSEWHERE),
        ) as https,
    ):
        yield https


async def _is(status: int, client: httpx.AsyncClient, path: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(path)).status_code == status
    return False


async def _healthy(place: Place, name: str) -> None:
    """Its own health check says so, over TCP."""
    _, _, *asked = SERVICES[name]["healthcheck"]["test"]
    port = place.ports[name]
    check = [re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", each) for each in asked]
    await until(lambda: pieces.succeeded(foreign(*check)))


async def _recorded_and_signed(url: str, request: str) -> None:
    """The front says itself for whom it asks, and the sealer signs what was written of it."""
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        entry = await pool.fetchrow(
            "SELECT ip, operation FROM audit_entries WHERE request_id = $1", request
        )
        assert dict(entry) == {"ip": ELSEWHERE, "operation": "readMe"}
        await until(lambda: pool.fetchval("SELECT max(size) > 0 FROM audit_checkpoints"))


@pytest.mark.long
async def test_all_of_it_comes_up_in_its_order_on_a_root_that_is_read_only(
    scratch: Path, place: Place
) -> None:
    _secrets(place)
    with await asyncio.to_thread(
        postgres.acquire, scratch / f"whole-{os.getpid()}", throwaway=True
    ) as lease:
        superuser = lease.server.superuser_url
        await pieces._without_roles(superuser)
        _roles(superuser, place)
        url = superuser.replace("/postgres?", "/tonghu?")
        await _migrated_once_it_is_there(place, url)
        sealing = {
            "TONGHU_ENVIRONMENT": "production",
            "TONGHU_DATABASE__SEALER_URL": place.url("tonghu_sealer", "s1"),
            "TONGHU_AUDIT_KEY_FILE": str(place.folder / "audit.key"),
        }
        keeping = {
            **place.settings,
            "TONGHU_DATABASE__BACKUP_URL": place.url("tonghu_backup", "b1"),
        }
        serve = ("serve", "--port", str(place.ports["web"]), "--workers", "2")
        async with (
            relayed(url, place.ports["database"]),
            _service(place, "web", place.command(*serve, **place.settings)),
            _service(place, "worker", place.command("worker", **place.settings)),
            _service(place, "sealer", place.command("sealer", **sealing)),
            _service(place, "wal", place.command("wal", str(place.backups), **keeping)),
        ):
            await _healthy(place, "web")
            await _healthy(place, "worker")
            await until(lambda: [*place.backups.glob("wal/**/*.partial")])
            made = await asyncio.to_thread(place.run, "backup", str(place.backups), **keeping)
            assert made.returncode == 0, made.stderr
            async with _front(place) as https:
                await until(lambda: _is(200, https, "/livez"))
                assert await _is(404, https, "/metrics")
                forged = {"authorization": "Bearer none", "x-forwarded-for": STRANGER}
                answer = await https.get("/v1/me", headers=forged)
                assert answer.status_code == 401
                assert "strict-transport-security" in answer.headers
                await _recorded_and_signed(url, answer.headers["x-request-id"])
            web = f"http://127.0.0.1:{place.ports['web']}"
            async with httpx.AsyncClient(base_url=web) as client:
                figures = await client.get("/metrics")
                assert "tonghu_wal_kept 1.0" in figures.text
                assert 'tonghu_backup_made_seconds{kind="base"} 1.' in figures.text
                told = {"x-forwarded-for": STRANGER}
                assert (await client.get("/metrics", headers=told)).status_code == 404
