"""A backup holds every row or is none (DB-1, DB-3, REL-5)."""

import asyncio
import errno
import fcntl
import json
import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlmodel import SQLModel

from app import wiring
from app.backup import folder as folders
from app.backup import programs, restoring, taking
from app.backup.folder import Backup
from app.backup.programs import BackupRefused
from app.backup.role import Server
from app.core.data import backups, rls
from app.core.data.db import TemporarilyUnavailable
from tests.backup.small import FILES, Small
from tests.conftest import NOW

pytestmark = pytest.mark.xdist_group("backup")


def a_role(small: Small, attributes: str) -> str:
    """Make a role with less than it needs; return its DSN."""
    small.ask(f"DROP ROLE IF EXISTS lesser; CREATE ROLE lesser LOGIN PASSWORD 'x' {attributes};")
    at = small.server.backup_url.partition("@")[2]
    return f"postgresql://lesser:x@{at}"


@pytest.mark.parametrize("take", [taking.base, taking.archive])
class TestWhoDoesNotSeeEveryRow:
    """The obvious command as the app's role dumps what the app sees: an eighth."""

    @pytest.mark.parametrize("role", ["app_url", "owner_url"])
    def test_backs_nothing_up(self, small, folder, take, role) -> None:
        with pytest.raises(BackupRefused, match="does not see every row: it needs BYPASSRLS"):
            asyncio.run(take(getattr(small.server, role), folder, NOW, print))
        assert not folder.exists()

    @pytest.mark.parametrize(
        ("attributes", "lack"),
        [
            ("BYPASSRLS", "may not read every table"),
            ("BYPASSRLS IN ROLE pg_read_all_data", "may not copy the server"),
        ],
    )
    def test_nor_who_reads_or_copies_too_little(
        self, small, folder, take, attributes, lack
    ) -> None:
        with pytest.raises(BackupRefused, match=lack):
            asyncio.run(take(a_role(small, attributes), folder, NOW, print))

    def test_nor_does_who_finds_nobody(self, folder, take) -> None:
        with pytest.raises(TemporarilyUnavailable):
            asyncio.run(take("postgresql://a@127.0.0.1:1/a", folder, NOW, print))


def test_the_backup_role_sees_every_row_and_changes_none(small) -> None:
    def ask(sql: str) -> int:
        connection = small.server.backup_url
        return asyncio.run(_one(connection, sql))

    assert ask("SELECT count(*) FROM children") == FILES
    assert ask("SELECT count(*) FROM staff_accounts") > 0
    with pytest.raises(Exception, match="read-only transaction"):
        ask("DELETE FROM children")
    with pytest.raises(Exception, match="permission denied"):
        ask("SET default_transaction_read_only = off; DELETE FROM children")


async def _one(url: str, sql: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        *before, last = sql.split("; ")
        for each in before:
            await connection.execute(each)
        return await connection.fetchval(last)
    finally:
        await connection.close()


def test_a_base_backup_says_what_it_is(small, folder) -> None:
    small.said.clear()
    taken = small.base(folder)
    assert taken.place.name == f"base-{NOW:%Y%m%dT%H%M%SZ}"
    said = Backup.read(taken.place)
    assert said == taken.said
    assert said.of.database == "tonghu"
    assert said.sha256 == folders.digest(taken.place / "data" / "backup_manifest")
    assert len(said.first_wal) == 24
    assert small.said[-1] == "100 % copied"


def test_an_archive_holds_as_many_rows_as_the_database_and_no_keys(small, folder) -> None:
    small.ask("INSERT INTO revocations VALUES (gen_random_uuid(), now(), now())")
    try:
        taken = small.archive(folder)
    finally:
        small.ask("DELETE FROM revocations")
    held = taking.held_by(taken.place / folders.DUMP, 18)
    assert held["children"] == FILES == taken.said.counts["children"]
    assert {"child_keys", "revocations", "refresh_tokens"}.isdisjoint(held)
    assert "erased" in taken.said.left_out["child_keys"]
    assert any("tables: children" in line for line in small.said)


def test_a_dump_that_holds_less_is_no_backup(small, folder, monkeypatch) -> None:
    less = {"children": FILES + 1}
    whole = taking._dump

    async def more(*given):
        return await whole(*given) | less

    monkeypatch.setattr(taking, "_dump", more)
    with pytest.raises(BackupRefused, match=f"holds {FILES} rows of children, and not {FILES + 1}"):
        small.archive(folder)
    assert [*folder.glob("*archive*")] == []


def test_a_dump_that_ends_early_is_none() -> None:
    with pytest.raises(BackupRefused, match="in the middle"):
        taking._rows(iter([b"1\n"]))


@contextmanager
def a_full_disk(after: int) -> Iterator[None]:
    """Let no file grow beyond some bytes: what is written then is refused, as by a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", ["base", "archive"])
def test_a_full_disk_leaves_nothing_that_looks_whole(small, folder, kind) -> None:
    with a_full_disk(20_000), pytest.raises(BackupRefused, match="failed|File too large"):
        getattr(small, kind)(folder)
    assert folders.whole(folder, kind) == []
    assert [*folder.glob(".making-*")] == []


def test_nor_does_one_that_is_full_at_the_last_moment(small, folder, monkeypatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folders, "_synced", full)
    with pytest.raises(BackupRefused, match="No space left on device"):
        small.archive(folder)
    assert {each.name for each in folder.iterdir()} == {".lock", "server.json"}


def test_what_a_killed_backup_left_goes_with_the_next(small, folder) -> None:
    for left in (".making-archive-1", ".going-base-1"):
        (folder / left / "data").mkdir(parents=True)
    assert folders.whole(folder, "archive") == []
    small.archive(folder)
    assert {each.name for each in folder.iterdir()} == {
        ".lock",
        "server.json",
        f"archive-{NOW:%Y%m%dT%H%M%SZ}",
    }
    with pytest.raises(BackupRefused, match="is there already"):
        small.archive(folder)


def test_two_backups_do_not_meet(small, folder) -> None:
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupRefused, match="Another backup is at work"):
            small.archive(folder)


def test_a_folder_is_of_one_server_and_one_history_of_it(small, folder) -> None:
    folder.mkdir()
    (folder / "server.json").write_text(json.dumps({"system": "1", "timeline": 1}))
    with pytest.raises(BackupRefused, match="begin a new folder"):
        small.archive(folder)


def test_no_schema_and_tablespaces_are_refused(small, folder) -> None:
    small.ask("ALTER TABLE alembic_version RENAME TO gone;")
    try:
        with pytest.raises(BackupRefused, match="run `tonghu migrate`"):
            small.archive(folder)
    finally:
        small.ask("ALTER TABLE gone RENAME TO alembic_version;")
    small.ask("ALTER ROLE postgres SET allow_in_place_tablespaces = on")
    small.ask("CREATE TABLESPACE elsewhere LOCATION ''")
    try:
        with pytest.raises(BackupRefused, match="tablespaces of its own"):
            small.archive(folder)
    finally:
        small.ask("DROP TABLESPACE elsewhere")


def a_backup(folder: Path, days: int, segment: int) -> Path:
    """Write of a base backup what tells its age."""
    at = NOW - timedelta(days=days)
    place = folder / f"base-{at:%Y%m%dT%H%M%SZ}"
    place.mkdir(parents=True)
    name = f"00000001{'0' * 8}{segment:08X}"
    Backup("base", at.isoformat(), "", {"system": "7"}, 0, "", first_wal=name).write(place)
    return place


def test_no_base_backup_and_no_wal_of_before_it_is_kept_for_more_than_thirty_days(tmp_path) -> None:
    a_backup(tmp_path, 31, 1)
    kept = a_backup(tmp_path, 29, 3)
    (tmp_path / "archive-1").mkdir()
    wal = tmp_path / "wal"
    wal.mkdir()
    names = [f"00000001{'0' * 8}{segment:08X}" for segment in (1, 2, 3, 4)]
    for name in (*names, "00000002.history", f"{names[3]}.partial"):
        (wal / name).touch()
    gone = folders.expire(tmp_path, NOW)
    assert gone[0].startswith("base-")
    assert sorted(gone[1:]) == names[:2]
    assert folders.whole(tmp_path, "base") == [kept]
    assert (tmp_path / "archive-1").exists()
    assert sorted(each.name for each in wal.iterdir()) == sorted(
        [*names[2:], "00000002.history", f"{names[3]}.partial"]
    )


def test_of_several_base_backups_each_keeps_the_wal_it_needs(tmp_path) -> None:
    """To the day: who is a day older goes, and what only that one needed."""
    kept = [a_backup(tmp_path, days, segment) for days, segment in ((30, 2), (1, 4))]
    (tmp_path / "wal").mkdir()
    names = [f"00000001{'0' * 8}{segment:08X}" for segment in (1, 2, 3, 4, 5)]
    for name in names:
        (tmp_path / "wal" / name).touch()
    assert folders.expire(tmp_path, NOW) == names[:1]
    assert folders.whole(tmp_path, "base") == kept
    gone = folders.expire(tmp_path, NOW + timedelta(seconds=1))
    assert gone[0] == kept[0].name
    assert sorted(gone[1:]) == names[1:3]
    assert sorted(each.name for each in (tmp_path / "wal").iterdir()) == names[3:]


def test_what_is_written_while_it_is_dumped_is_in_neither(small, folder, monkeypatch) -> None:
    """The dump holds what was counted, however busy the database is."""
    run = programs.run

    def meanwhile(*arguments, **how) -> None:
        more = "INSERT INTO subject_sequences VALUES (gen_random_uuid(), 7);"
        with ThreadPoolExecutor(1) as apart:
            apart.submit(small.ask, more).result()
        run(*arguments, **how)

    monkeypatch.setattr(programs, "run", meanwhile)
    [(before,)] = small.ask("SELECT count(*) FROM subject_sequences")
    assert small.archive(folder).said.counts["subject_sequences"] == before
    assert small.ask("SELECT count(*) FROM subject_sequences")[0][0] == before + 1


def test_the_newest_base_backup_before_a_moment_is_restored(tmp_path) -> None:
    older, newer = a_backup(tmp_path, 3, 1), a_backup(tmp_path, 1, 2)
    assert restoring.base_for(tmp_path, None) == newer
    assert restoring.base_for(tmp_path, NOW) == newer
    for days in (1, 2):
        assert restoring.base_for(tmp_path, NOW - timedelta(days=days)) == older
    with pytest.raises(BackupRefused, match="no base backup from before then"):
        restoring.base_for(tmp_path, NOW - timedelta(days=3))


def test_two_that_hold_a_folder_do_not_meet(tmp_path) -> None:
    one = Server(18, "tonghu", "postgres", "1", 1, "0209")
    with (
        folders.held(tmp_path, one),
        pytest.raises(BackupRefused, match="Another backup is at work"),
        folders.held(tmp_path, one),
    ):
        raise AssertionError
    with folders.held(tmp_path, one):
        pass


def test_a_folder_is_of_one_history_only(tmp_path) -> None:
    one = Server(18, "tonghu", "postgres", "1", 1, "0209")
    folders.belongs(tmp_path, one)
    folders.belongs(tmp_path, one._replace(revision="0210"))
    for other in (one._replace(timeline=2), one._replace(system="2")):
        with pytest.raises(BackupRefused, match="begin a new folder"):
            folders.belongs(tmp_path, other)


def test_what_a_dump_lacks_or_has_besides_is_named() -> None:
    taking.compare({"a": 1, "b": 0}, {"a": 1, "b": 0})
    for found in ({"a": 1}, {"a": 1, "b": 0, "c": 2}, {"a": 2, "b": 0}):
        with pytest.raises(BackupRefused, match="The dump holds"):
            taking.compare({"a": 1, "b": 0}, found)


def test_keys_do_not_lie_with_backups(tmp_path) -> None:
    folders.refuse_keys_in(tmp_path / "backups", tmp_path / "keys.json")
    folders.refuse_keys_in(tmp_path, None)
    with pytest.raises(BackupRefused, match="keep them apart"):
        folders.refuse_keys_in(tmp_path, tmp_path / "secrets" / "keys.json")


@pytest.mark.parametrize(
    ("text", "why"), [(None, "it has no backup.json"), ("{}", "cannot be read"), ("[", "cannot")]
)
def test_what_is_no_backup_is_said_to_be_none(tmp_path, text, why) -> None:
    if text:
        (tmp_path / folders.SAID).write_text(text)
    with pytest.raises(BackupRefused, match=why):
        Backup.read(tmp_path)


def test_a_program_that_is_not_there_is_named(tmp_path, monkeypatch) -> None:
    with pytest.raises(BackupRefused, match=r"no pg_dump of PostgreSQL 99 or newer here"):
        programs.find("pg_dump", 99)
    with pytest.raises(BackupRefused, match=r"no postgres of PostgreSQL 99 here"):
        programs.find("postgres", 99, exactly=True)
    assert programs.version_of(Path("/bin/true")) == 0


def test_a_program_of_debian_is_found_and_heard_to_its_last_word(tmp_path, monkeypatch) -> None:
    program = tmp_path / "pg_of_debian"
    program.write_text(
        "#!/bin/sh\n[ $# -gt 1 ] && printf 'no newline' >&2 && exit 1\n"
        "echo 'pg_of_debian (PostgreSQL) 42.1'\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(programs, "_DEBIAN", str(tmp_path))
    assert programs.find("pg_of_debian", 42, exactly=True) == program
    with pytest.raises(BackupRefused, match="pg_of_debian failed: no newline"):
        programs.run(program, "a", "b")


def test_no_password_is_among_a_programs_arguments() -> None:
    bare, environment = programs.dsn("postgresql://me:se%40cret@host/db?sslmode=require")
    assert bare == "postgresql://me@host/db?sslmode=require"
    assert environment["PGPASSWORD"] == "se@cret"


def test_what_is_kept_refers_to_nothing_that_is_left_out() -> None:
    wiring.load()
    assert set(backups.LEFT_OUT) <= set(rls.TABLES)
    lost = [
        (table.name, key.referred_table.name)
        for table in SQLModel.metadata.tables.values()
        for key in table.foreign_key_constraints
        if key.referred_table.name in backups.LEFT_OUT and table.name not in backups.LEFT_OUT
    ]
    assert lost == []
