"""What the commands say, and how they end."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.backup import folder as folders
from app.backup import restoring
from tests.backup.small import FILES, Small
from tests.backup.test_restoring import empty  # noqa: F401  a fixture
from tests.faults.command import Tonghu, here
from tests.waiting import PATIENCE

pytestmark = pytest.mark.xdist_group("backup")
ROOT = Path(__file__).parents[2]
PAST = "2020-01-01T00:00:00+0000"


@pytest.fixture
def keys_file(small: Small) -> Path:
    path = small.place / "keys.json"
    path.write_text(small.keyring.to_json())
    return path


@pytest.fixture
def tonghu(monkeypatch, capsys, small: Small, keys_file: Path) -> Tonghu:
    return here(
        monkeypatch,
        capsys,
        TONGHU_DATABASE__URL=small.server.app_url,
        TONGHU_DATABASE__BACKUP_URL=small.server.backup_url,
        TONGHU_KEYS_FILE=str(keys_file),
    )


@pytest.fixture
def into(small: Small) -> Iterator[Path]:
    place = small.place / "brought-back"
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_a_base_backup_is_made_looked_at_and_restored(tonghu, folder, into) -> None:
    folder.mkdir()
    old = folder / "base-20200101T000000Z"
    old.mkdir()
    folders.Backup("base", "2020-01-01T00:00:00+00:00", "", {}, 0, "", "0" * 24).write(old)
    code, out, err = tonghu("backup", folder)
    assert (code, "100 % copied" in err) == (0, True)
    assert f"{old.name} is gone: too old" in out
    assert "keep a copy of the key file, apart from the backups" in out
    code, out, err = tonghu("verify", folder)
    assert code == 1
    assert "ok   pages: every row stands in its indexes\n" in out
    assert "FAIL wal: nothing was kept since" in out
    code, out, err = tonghu("restore", folder, "--into", into)
    assert code == 0
    assert "everybody signs in anew" in out
    assert "the last entry of its record: 20" in out
    assert (into / "PG_VERSION").exists()
    assert tonghu("restore", folder, "--into", into)[::2] == (1, f"{into} is not empty.\n")
    code, _, err = tonghu("restore", folder, "--into", into, "--at", PAST)
    assert code == 1
    assert err.startswith(f"{folder} holds no base backup from before then: the oldest is ")


def test_an_archive_is_made_looked_at_and_restored(tonghu, small, folder, empty) -> None:  # noqa: F811
    code, out, err = tonghu("backup", folder, "--archive")
    assert (code, "tables: children\n" in err) == (0, True)
    assert "without refresh_tokens: lives for minutes or days" in out
    [place] = folders.whole(folder, "archive")
    code, out, _ = tonghu("verify", place)
    assert (code, out.count("ok   ")) == (0, 3)
    at_one = tonghu("restore", place, "--into", empty, "--at", PAST)
    assert at_one[::2] == (1, "An archive is of one moment: leave --at out.\n")
    code, out, err = tonghu("restore", place, "--into", empty)
    assert code == 0
    name = empty.partition("?")[0].rpartition("/")[2]
    assert small.ask("SELECT count(*) FROM children", name)[0][0] == FILES
    code, out, _ = tonghu("verify", empty.replace(empty.partition("@")[0], _backup_user(small)))
    found = re.findall(r"^ok   (\w+)", out, re.MULTILINE)
    assert (code, found) == (0, ["schema", "rows", "catalogue", "sealed", "audit"])


def _backup_user(small: Small) -> str:
    return small.server.backup_url.partition("@")[0]


def test_of_a_service_that_nobody_used_there_is_no_last_entry(
    tonghu, tmp_path, monkeypatch
) -> None:
    async def nothing(*_):
        return restoring.Restored("0001", None, [])

    monkeypatch.setattr(restoring, "base", nothing)
    code, out, _ = tonghu("restore", tmp_path, "--into", tmp_path / "into")
    assert code == 0
    assert out.startswith("Restored, revision 0001; the last entry of its record: none.\n")


@pytest.mark.parametrize("role", ["app", "owner"])
def test_who_does_not_see_every_row_is_told_so_in_a_line(
    monkeypatch, capsys, small, folder, role
) -> None:
    url = small.server.app_url if role == "app" else small.server.owner_url
    settings = {"TONGHU_DATABASE__URL": url, "TONGHU_DATABASE__BACKUP_URL": url}
    code, _, err = here(monkeypatch, capsys, **settings)("backup", folder)
    assert (code, err.count("\n")) == (1, 1)
    assert f"The role tonghu_{role} does not see every row: it needs BYPASSRLS." in err


def test_who_makes_backups_must_be_said(monkeypatch, capsys, small, folder) -> None:
    tonghu = here(monkeypatch, capsys, TONGHU_DATABASE__URL=small.server.app_url)
    code, _, err = tonghu("backup", folder)
    assert (code, err.startswith("Say which role makes backups")) == (1, True)


def test_keys_do_not_lie_where_backups_do(tonghu, keys_file) -> None:
    code, _, err = tonghu("backup", keys_file.parent)
    assert (code, err) == (
        1,
        f"The keys lie in {keys_file.parent}: keep them apart from the backups.\n",
    )


def _until(there: bool, small: Small) -> None:  # noqa: FBT001
    """Wait until somebody fetches what is written, or nobody does."""
    for _ in range(int(PATIENCE * 100)):
        fetched = "SELECT 1 FROM pg_stat_replication"
        if bool(small.ask(fetched + (" WHERE flush_lsn > '0/0'" if there else ""))) is there:
            return
        threading.Event().wait(0.01)


def _when_it_runs(small: Small, do: Callable[[], None]) -> threading.Thread:
    """Do something once what is written is being kept."""
    _until(False, small)  # whoever did so before

    def wait() -> None:
        _until(True, small)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _kill_the_program() -> None:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"PPid:\t{os.getpid()}\n" in (entry / "status").read_text()
            if mine and (entry / "exe").readlink().name == "pg_receivewal":
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue


class TestWhatIsWritten:
    def test_is_kept_until_it_is_told_to_stop(self, tonghu, small, folder) -> None:
        thread = _when_it_runs(small, lambda: os.kill(os.getpid(), signal.SIGTERM))
        code, out, _ = tonghu("wal", folder)
        thread.join()
        assert code == 0
        assert out == f"Keeping what is written in {folder / 'wal'}.\n"
        assert [each.suffix for each in (folder / "wal").iterdir()] == [".partial"]

    def test_is_said_not_to_be_kept_any_more(self, tonghu, small, folder) -> None:
        thread = _when_it_runs(small, _kill_the_program)
        code, _, err = tonghu("wal", folder)
        thread.join()
        assert code == 1
        assert err.endswith("pg_receivewal ended with status -9.\n")

    def test_is_fetched_no_longer_by_who_outlives_a_killed_command(
        self, small, folder, keys_file
    ) -> None:
        _until(False, small)
        settings = {
            "TONGHU_DATABASE__URL": small.server.app_url,
            "TONGHU_DATABASE__BACKUP_URL": small.server.backup_url,
            "TONGHU_KEYS_FILE": str(keys_file),
        }
        inherited = {name: value for name, value in os.environ.items() if "TONGHU" not in name}
        command = [sys.executable, "-c", "from app.cli import main; main()", "wal", str(folder)]
        with subprocess.Popen(command, env=inherited | settings, cwd=ROOT) as process:
            _until(True, small)
            process.kill()
        _until(False, small)
        assert small.ask("SELECT count(*) FROM pg_stat_replication") == [(0,)]

    def test_is_not_mixed_with_another_servers(self, tonghu, folder) -> None:
        folder.mkdir()
        (folder / "server.json").write_text('{"system": "1", "timeline": 1}')
        code, _, err = tonghu("wal", folder)
        assert (code, err.endswith("begin a new folder.\n")) == (1, True)
