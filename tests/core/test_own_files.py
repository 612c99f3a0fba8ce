"""A file with keys is nobody else's from its first moment on (IN-10)."""

import os
from pathlib import Path

import pytest

from app.backup import server
from app.core import own_files


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch):
    """A process whose umask lets everybody read, where nothing is closed afterwards."""
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_file_is_never_open_to_others(careless, tmp_path) -> None:
    path = tmp_path / "keys.json"
    with own_files.create(path):
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        own_files.create(path)


def test_nobody_reads_a_server_while_it_is_copied(careless, tmp_path, monkeypatch) -> None:
    files, to = tmp_path / "data", tmp_path / "copy"
    files.mkdir()
    (files / "rows").write_text("words")
    seen = []
    monkeypatch.setattr(server.shutil, "copytree", lambda *_, **__: seen.append(to.stat().st_mode))
    server.copied(files, to)
    assert [mode & 0o777 for mode in seen] == [0o700]


def test_whoever_writes_keys_writes_them_so() -> None:
    """Where a file is closed after it was made, somebody has looked into it by then."""
    app = Path(own_files.__file__).parents[1]
    closed_late = [each for each in app.rglob("*.py") if "chmod(0o600)" in each.read_text()]
    assert closed_late == []
