"""Where the tests' databases go on machines whose memory folder is missing, closed or small."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import scratch

ROOT = Path(__file__).parents[1]
ORDINARY = 65534
LITTLE = 64 * scratch.MIB


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the machine's memory; TMPDIR is another."""
    made = tmp_path / "memory"
    made.mkdir()
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(scratch, "MEMORY", made)
    monkeypatch.setenv("TMPDIR", str(disk))
    return made


@pytest.fixture
def disk(memory: Path) -> Path:
    return memory.with_name("disk")


def only_a_little_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.statvfs

    def statvfs(path):
        if path == place:
            return SimpleNamespace(f_bavail=LITTLE // 4096, f_frsize=4096)
        return really(path)

    monkeypatch.setattr(os, "statvfs", statvfs)


def test_memory_is_taken_where_there_is_enough(memory) -> None:
    found = scratch.choose()
    assert (found.folder, found.passed_over) == (memory, ())
    assert found.free >= scratch.NEEDED
    assert list(memory.iterdir()) == []


def test_what_must_survive_a_power_cut_is_not_put_into_memory(memory, disk) -> None:
    assert scratch.choose(durable=True).folder == disk


def test_a_small_memory_is_passed_over_and_named(memory, disk, monkeypatch) -> None:
    only_a_little_in(memory, monkeypatch)
    found = scratch.choose()
    assert found.folder == disk
    assert f"{memory}: 64 MiB free, 512 needed" in str(found)
    assert scratch.choose(LITTLE).folder == memory


def test_a_memory_that_is_missing_or_a_file_is_passed_over(memory, disk) -> None:
    memory.rmdir()
    assert scratch.choose().folder == disk
    memory.write_text("")
    found = scratch.choose()
    assert found.folder == disk
    assert f"{memory}: Not a directory" in str(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_memory_one_may_not_write_to_is_passed_over() -> None:
    # What the user must read lies in root's home: the capability opens it, but writes nothing.
    user = (f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    script = (
        "from pathlib import Path; from scripts import scratch; import sys;"
        "scratch.MEMORY = Path(sys.argv[1]); print(scratch.choose())"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as closed:
        said = subprocess.run(
            ["setpriv", *user, *may_read, sys.executable, "-c", script, closed],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": "/tmp"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert said.startswith("databases in /tmp ")
        assert f"{closed}: Permission denied" in said


def test_the_checkout_is_the_last_resort(memory, disk, monkeypatch) -> None:
    memory.rmdir()
    disk.rmdir()
    monkeypatch.setattr(scratch, "CACHE", memory.parent / "checkout")
    assert scratch.choose().folder == memory.parent / "checkout"


def test_where_nothing_serves_it_says_why_not_of_each(memory, disk, monkeypatch) -> None:
    memory.rmdir()
    disk.rmdir()
    checkout = memory.parent / "checkout"
    checkout.write_text("")
    monkeypatch.setattr(scratch, "CACHE", checkout)
    with pytest.raises(scratch.NowhereToWrite) as refused:
        scratch.choose()
    assert str(refused.value).startswith("Set TMPDIR to a folder to write in.")
    for place in (memory, disk, checkout):
        assert f"{place}: " in str(refused.value)


def test_nothing_else_names_the_memory_folder() -> None:
    """Who writes to it without asking fails where it is closed or small."""
    named = {
        path.relative_to(ROOT)
        for folder in ("app", "bench", "demo", "scripts", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"""["']/dev/shm|gettempdir|mkdtemp\((?!.*dir=)""", path.read_text("utf-8"))
    }
    assert named == {
        Path("scripts/scratch.py"),
        Path("tests/test_scratch.py"),
        Path("app/embedded/cluster.py"),  # its sockets, where the data folder's path is too long
    }
