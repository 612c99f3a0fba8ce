"""What was backed up comes back: every row, who may see it, and nobody who was signed out since."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import asyncpg
import pytest

from app import wiring
from app.backup import folder as folders
from app.backup import restoring, server
from app.backup.folder import Backup
from app.backup.programs import BackupRefused
from app.core.data import backups
from app.embedded import postgres
from tests import schema
from tests.backup.small import FILES, Small, _asked
from tests.backup.test_taking import a_backup
from tests.conftest import NOW

pytestmark = pytest.mark.xdist_group("backup")

SECURITY = """
SELECT c.relname::text, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole::text,
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'i', 'I', 'S')
ORDER BY 1, 5
"""
FUNCTIONS = """
SELECT proname::text, prosecdef, proowner::regrole::text, proacl::text FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proowner = 'tonghu_owner'::regrole ORDER BY 1
"""


@pytest.fixture
def empty(small: Small) -> Iterator[str]:
    """The owner's DSN of a database without tables, with the roles."""
    name = f"restored_{os.getpid()}"
    url = small.server.superuser_url
    identity = _passwords(small)
    postgres.bootstrap(url, name, *identity)
    yield small.server.owner_url.replace("/tonghu?", f"/{name}?")
    asyncio.run(schema.drop(url, name))


def _passwords(small: Small) -> tuple[str, ...]:
    """Make none anew: the server's other tests know these."""
    it = small.server
    urls = (it.owner_url, it.app_url, it.backup_url)
    return tuple(url.partition("@")[0].rpartition(":")[2] for url in urls)


def restored(place: Path, url: str) -> restoring.Restored:
    wiring.load()
    return asyncio.run(restoring.archive(place, url, lambda _: None))


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


class TestAnArchive:
    def test_brings_back_rows_and_who_may_see_them(self, small, folder, empty) -> None:
        place = small.archive(folder).place
        small.ask("INSERT INTO subject_sequences VALUES (gen_random_uuid(), 7);")
        done = restored(place, empty)
        there = _name(empty)
        assert small.ask("SELECT count(*) FROM children", there)[0][0] == FILES
        for asked in (SECURITY, FUNCTIONS, schema.GRANTED + " ORDER BY 1, 2, 3"):
            assert small.ask(asked, there) == small.ask(asked)
        assert done.revision == Backup.read(place).of.revision
        assert done.upto is not None
        assert asyncio.run(_as_app(small, there)) == 0

    def test_knows_nobody_who_was_signed_in_and_no_number_twice(self, small, folder, empty) -> None:
        [(ends, last)] = small.ask(
            "SELECT (SELECT count(*) FROM sign_ins WHERE revoked_at IS NULL),"
            " (SELECT sum(last) FROM subject_sequences)"
        )
        assert ends > 0
        done = restored(small.archive(folder).place, empty)
        [(open_, now, subjects)] = small.ask(
            "SELECT (SELECT count(*) FROM sign_ins WHERE revoked_at IS NULL AND ends_at > now()),"
            " (SELECT sum(last) FROM subject_sequences), (SELECT count(*) FROM subject_sequences)",
            _name(empty),
        )
        assert open_ == 0
        assert now == last + 1_000_000 * subjects
        assert any("everybody signs in anew" in line for line in done.mended)
        assert len(done.mended) == len(backups.ONCE_RESTORED), "nothing is left out"

    def test_comes_into_an_empty_database_only(self, small, folder) -> None:
        place = small.archive(folder).place
        with pytest.raises(BackupRefused, match="not empty"):
            restored(place, small.server.owner_url)

    def test_by_its_owner_only(self, small, folder, empty) -> None:
        place = small.archive(folder).place
        app = small.server.app_url.replace("/tonghu?", f"/{_name(empty)}?")
        with pytest.raises(BackupRefused, match="Restore as tonghu_owner"):
            restored(place, app)

    def test_and_where_the_roles_are(self, small, folder, empty, monkeypatch) -> None:
        place = small.archive(folder).place
        monkeypatch.setattr(restoring, "_ROLES", ("tonghu_nobody",))
        with pytest.raises(BackupRefused, match="no role tonghu_nobody"):
            restored(place, empty)

    def test_is_all_or_nothing(self, small, folder, empty) -> None:
        place = small.archive(folder).place
        small.ask(
            "CREATE FUNCTION make_months() RETURNS int LANGUAGE sql AS 'SELECT 1';", _name(empty)
        )
        with pytest.raises(BackupRefused, match="pg_restore failed: .*make_months"):
            restored(place, empty)
        assert small.ask("SELECT 1 FROM pg_class WHERE relname = 'children'", _name(empty)) == []

    def test_is_none_if_a_byte_is_another(self, small, folder, empty) -> None:
        place = small.archive(folder).place
        _change_a_byte(place / folders.DUMP)
        with pytest.raises(BackupRefused, match="not what was written"):
            restored(place, empty)

    def test_is_no_base_backup(self, small, folder, tmp_path) -> None:
        place = small.archive(folder).place
        with pytest.raises(BackupRefused, match="restore it into a database"):
            asyncio.run(restoring.base(place, tmp_path / "into", None, print))


def _change_a_byte(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(-9, os.SEEK_END)
        byte = opened.read(1)
        opened.seek(-9, os.SEEK_END)
        opened.write(bytes([byte[0] ^ 1]))


async def _as_app(small: Small, name: str) -> int:
    """Count what the app's role sees without saying for whom it asks."""
    connection = await asyncpg.connect(small.server.app_url, database=name)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM children"))
    finally:
        await connection.close()


class TestABaseBackup:
    def test_without_what_was_written_since_comes_back_as_it_was_taken(self, small, folder) -> None:
        place = small.base(folder).place
        into = small.place / "into"
        into.mkdir()
        wiring.load()
        said: list[str] = []
        try:
            asyncio.run(restoring.base(place, into, None, said.append))
            with server.running(into, 18, "postgres", "tonghu") as url:
                assert asyncio.run(_files(url)) == FILES
            assert not [*small.place.glob(".restoring-*")]
            with pytest.raises(BackupRefused, match="is not empty"):
                asyncio.run(restoring.base(folder, into, None, said.append))
        finally:
            shutil.rmtree(into, ignore_errors=True)
        assert said == [f"copying {place.name}", "replaying what was written since"]

    def test_comes_back_into_a_folder(self, small, folder, empty) -> None:
        place = small.base(folder).place
        with pytest.raises(BackupRefused, match="restore it into a folder"):
            restored(place, empty)

    def test_of_before_the_moment_only(self, small, folder, tmp_path) -> None:
        with pytest.raises(BackupRefused, match="holds no base backup.$"):
            restoring.base_for(folder, None)
        place = small.base(folder).place
        with pytest.raises(BackupRefused, match="from before then: the oldest is 2026"):
            restoring.base_for(folder, NOW)
        assert restoring.base_for(folder, NOW + timedelta(seconds=1)) == place
        with pytest.raises(BackupRefused, match="holds nothing of what was written since"):
            asyncio.run(restoring.base(folder, tmp_path / "a", NOW + timedelta(days=1), print))
        assert not [*tmp_path.iterdir()]

    def test_says_in_a_line_why_it_does_not_come_back(self, small, folder, tmp_path) -> None:
        place = small.base(folder).place
        (place / "data" / "global" / "pg_control").unlink()
        with pytest.raises(BackupRefused, match="does not start"):
            asyncio.run(restoring.base(place, small.place / "never", None, print))
        assert not (small.place / "never").exists()
        missing = small.place / "nowhere" / "never"
        with pytest.raises(BackupRefused, match="cannot be written: No such file"):
            server.copied(place / "nothing", missing)
        with pytest.raises(BackupRefused, match="never: No such file"), restoring._making(missing):
            missing.with_name(".restoring-never").mkdir()
        shutil.rmtree(place / "data")
        with pytest.raises(BackupRefused, match="cannot be written: No such file"):
            asyncio.run(restoring.base(place, tmp_path / "never", None, print))
        assert not (tmp_path / "never").exists()


async def _files(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM children"))
    finally:
        await connection.close()


def test_what_was_streamed_goes_further_than_what_was_copied(tmp_path) -> None:
    """Of the first segment, too; and the moment is that one wherever it is said."""
    place = a_backup(tmp_path, 1, 3)
    wal, files = tmp_path / "wal", tmp_path / "files"
    wal.mkdir()
    (files / "pg_wal").mkdir(parents=True)
    first, *_ = names = [f"00000001{'0' * 8}{segment:08X}" for segment in (3, 2, 4)]
    (files / "pg_wal" / first).write_text("copied")
    for name in (*names[:2], f"{names[2]}.partial", "00000002.history", "else"):
        (wal / name).write_text("streamed")
    at = datetime(2026, 11, 28, 12, tzinfo=timezone(timedelta(hours=8)))
    asked = restoring._recovery(wal, files, Backup.read(place), at)
    assert asked == ("recovery_target_time=2026-11-28 04:00:00.000000+00",)
    laid = {each.name: each.read_text() for each in (files / "pg_wal").iterdir()}
    assert laid == dict.fromkeys((first, names[2], "00000002.history"), "streamed")
    assert (files / "recovery.signal").exists()


def test_a_copy_writes_into_no_archive(small, folder) -> None:
    """Whatever its own files say."""
    files = small.base(folder).place / "data"
    with (files / "postgresql.auto.conf").open("a") as said:
        said.write("archive_mode = 'on'\narchive_command = 'false'\n")
    with server.running(files, 18, "postgres", "tonghu", passing=True) as url:
        assert asyncio.run(_asked(url, "tonghu", "SHOW archive_mode"))[0][0] == "off"
