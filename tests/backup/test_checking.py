"""What is not whole is said to be so, and what it is."""

import asyncio
import shutil
import struct
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.backup import checking
from app.backup import folder as folders
from app.backup.checking import Check
from app.core.data.crypto import Keyring
from tests.backup.small import Small
from tests.backup.test_restoring import _change_a_byte
from tests.backup.test_taking import a_backup
from tests.conftest import NOW

pytestmark = pytest.mark.xdist_group("backup")


INVALID = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = 'ix_devices_staff_id'::regclass;"


def looked(checks: AsyncIterator[Check]) -> dict[str, tuple[bool, str]]:
    async def all_of() -> dict[str, tuple[bool, str]]:
        return {check.what: (check.good, check.found) async for check in checks}

    return asyncio.run(all_of())


def of(small: Small, place: Path, keyring: Keyring | None = None) -> dict[str, tuple[bool, str]]:
    return looked(checking.folder(place, keyring or small.keyring, NOW))


class TestADatabase:
    def of(self, small: Small, keyring: Keyring | None = None) -> dict[str, tuple[bool, str]]:
        return looked(checking.database(small.server.backup_url, keyring or small.keyring))

    def test_is_whole(self, small) -> None:
        found = self.of(small)
        assert [what for what, (good, _) in found.items() if not good] == []
        assert [*found] == ["schema", "rows", "catalogue", "sealed", "audit"]
        assert found["sealed"][1].startswith("one of each of ")

    def test_is_shut_to_other_keys(self, small) -> None:
        good, said = self.of(small, Keyring.generate())["sealed"]
        assert not good
        assert "children.family_sealed" in said

    def test_each_data_key_that_is_named_is_tried(self, small) -> None:
        rows = small.ask("SELECT child_id::text, wrapped FROM child_keys")
        assert len(rows) > 1
        put = "UPDATE child_keys SET wrapped = '\\x{}' WHERE child_id = '{}';"
        for child, was in rows:
            small.ask(put.format("01" + "6e6f7065" + was.hex()[10:], child))
            try:
                good, said = self.of(small)["sealed"]
            finally:
                small.ask(put.format(was.hex(), child))
            assert (good, "child_keys.wrapped" in said) == (False, True)

    def test_is_not_whole_if_one_value_of_one_column_is_shut(self, small) -> None:
        [(name, was)] = small.ask("SELECT id::text, phone_sealed FROM staff LIMIT 1")
        put = "UPDATE staff SET phone_sealed = {} WHERE id = '" + name + "';"
        small.ask(put.format("'\\x01616263640000'"))
        try:
            good, said = self.of(small)["sealed"]
        finally:
            small.ask(put.format(f"'\\x{was.hex()}'" if was is not None else "NULL"))
        assert (good, said) == (False, "shut: staff.phone_sealed")
        assert self.of(small)["sealed"][0]

    @pytest.mark.parametrize(
        ("fault", "back", "where"),
        [
            (INVALID.format("false"), INVALID.format("true"), "ix_devices_staff_id"),
            (
                "ALTER TABLE visits ADD CONSTRAINT later CHECK (version > 0) NOT VALID;",
                "ALTER TABLE visits DROP CONSTRAINT later;",
                "visits.later",
            ),
            (
                "ALTER TABLE visits NO FORCE ROW LEVEL SECURITY;",
                "ALTER TABLE visits FORCE ROW LEVEL SECURITY;",
                "visits",
            ),
            (
                "ALTER TABLE visits DISABLE ROW LEVEL SECURITY;",
                "ALTER TABLE visits ENABLE ROW LEVEL SECURITY;",
                "visits",
            ),
        ],
    )
    def test_has_no_index_check_or_policy_that_is_not_in_force(
        self, small, fault, back, where
    ) -> None:
        small.ask(fault)
        try:
            good, said = self.of(small)["catalogue"]
        finally:
            small.ask(back)
        assert not good
        assert where in said

    @pytest.mark.parametrize(
        ("revision", "good", "says"),
        [
            ("0207", True, "`tonghu migrate` brings it up"),
            ("9999", False, "none this program knows"),
        ],
    )
    def test_is_of_a_schema_that_is_known(self, small, revision, good, says) -> None:
        [(head,)] = small.ask("SELECT version_num FROM alembic_version")
        small.ask(f"UPDATE alembic_version SET version_num = '{revision}';")
        try:
            found = self.of(small)["schema"]
        finally:
            small.ask(f"UPDATE alembic_version SET version_num = '{head}';")
        assert found[0] is good
        assert says in found[1]


class TestAnArchive:
    def test_is_whole(self, small, folder) -> None:
        found = looked(checking.archive(small.archive(folder).place))
        assert all(good for good, _ in found.values())
        assert [*found] == ["bytes", "rows", "schema"]
        assert of(small, folder / f"archive-{NOW:%Y%m%dT%H%M%SZ}") == found

    def test_is_not_if_a_byte_is_another(self, small, folder) -> None:
        place = small.archive(folder).place
        _change_a_byte(place / folders.DUMP)
        assert looked(checking.archive(place)) == {"bytes": (False, "not what was written")}

    def test_nor_if_it_holds_other_rows_than_it_says(self, small, folder) -> None:
        place = small.archive(folder).place
        said = folders.Backup.read(place)
        said.counts["children"] += 1
        said.write(place)
        good, why = looked(checking.archive(place))["rows"]
        assert not good
        assert "of children" in why


class TestABaseBackup:
    def test_is_whole_and_comes_up(self, small, folder) -> None:
        place = small.base(folder).place
        found = of(small, place)
        assert [what for what, (good, _) in found.items() if not good] == []
        assert [*found] == ["bytes", "schema", "rows", "catalogue", "sealed", "audit", "pages"]
        assert not [*folder.glob(".looking-*")]

    def test_is_looked_at_as_the_newest_of_a_folder(self, small, folder) -> None:
        place = small.base(folder).place
        (place / "data" / "global" / "pg_filenode.map").unlink()
        found = of(small, folder)
        assert found["age"] == (True, "none of more than 30 days")
        assert found["wal"] == (False, "nothing was kept since: does `tonghu wal` run?")
        assert not found["bytes"][0]
        assert "pg_filenode.map" in found["bytes"][1]
        assert [*found] == ["age", "wal", "bytes"]

    def test_has_the_manifest_it_was_written_with(self, small, folder) -> None:
        place = small.base(folder).place
        _change_a_byte(place / "data" / "backup_manifest")
        assert of(small, place) == {"bytes": (False, "the manifest is not what was written")}

    def test_is_said_not_to_come_up(self, small, folder, monkeypatch) -> None:
        place = small.base(folder).place
        monkeypatch.setattr(checking, "manifest", lambda *_: Check("bytes", True, ""))
        shutil.rmtree(place / "data" / "pg_wal")
        good, why = of(small, place)["server"]
        assert not good
        assert "does not start" in why

    def test_has_every_row_in_its_indexes(self, small) -> None:
        """A name that does not exist is what any fault looks like here: the program fails."""
        at = small.server.superuser_url.replace("/postgres?", "/nowhere?")
        assert not checking.pages(at, 18).good


def test_a_base_backup_that_is_kept_too_long_is_a_fault(tmp_path) -> None:
    a_backup(tmp_path, 31, 1)
    assert checking._age(tmp_path, NOW).good is False
    assert checking._age(tmp_path, NOW - timedelta(days=2)).good


def test_a_gap_is_found_where_a_file_of_the_log_ends(tmp_path) -> None:
    """A segment's name counts to 255 and begins anew."""
    place = a_backup(tmp_path, 1, 0xFD)
    wal = tmp_path / "wal"
    wal.mkdir()
    (wal / f"00000001{'0' * 8}000000FE").write_bytes(a_segment())
    (wal / f"00000001{'0' * 7}1{'0' * 8}").write_bytes(a_segment())
    said = folders.Backup.read(place)
    assert checking.wal(wal, said).found == f"a gap after {'0' * 8}000000FE"
    (wal / f"00000001{'0' * 8}000000FF").write_bytes(a_segment())
    assert checking.wal(wal, said).good


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        ([], "does `tonghu wal` run"),
        ([2, 3, 4], "3 segments since, without a gap"),
        ([3, 4], "3 segments"),
        ([2, 4], f"a gap after {'0' * 8}00000002"),
        ([5], f"a gap after {'0' * 8}00000002"),
    ],
)
def test_a_gap_in_what_was_written_since_is_found(tmp_path, kept, says) -> None:
    place = a_backup(tmp_path, 1, 2)
    wal = tmp_path / "wal"
    wal.mkdir()
    for segment in kept:
        (wal / f"00000001{'0' * 8}{segment:08X}").write_bytes(a_segment())
    (wal / "00000002.history").touch()
    found = checking.wal(wal, folders.Backup.read(place))
    assert says in found.found or kept == [3, 4]
    assert found.good is (kept in ([2, 3, 4], [3, 4]))


def a_segment(system: int = 7, size: int = 64) -> bytes:
    """The first page of a segment of so many bytes, and what follows."""
    return struct.pack("=24xQI", system, size).ljust(size, b"x")


@pytest.mark.parametrize(
    "segment", [b"", a_segment()[:-1], a_segment()[:30], a_segment() + b"x", a_segment(8)]
)
def test_a_segment_that_is_cut_short_or_anothers_is_found(tmp_path, segment) -> None:
    place = a_backup(tmp_path, 1, 2)
    wal = tmp_path / "wal"
    wal.mkdir()
    for number, written in enumerate((a_segment(), segment, a_segment()), 2):
        (wal / f"00000001{'0' * 8}{number:08X}").write_bytes(written)
    found = checking.wal(wal, folders.Backup.read(place))
    said = f"00000001{'0' * 8}00000003 is cut short, or another server's"
    assert (found.good, found.found) == (False, said)


def test_what_was_written_since_is_read_record_by_record(small, folder) -> None:
    place = small.base(folder).place
    said = folders.Backup.read(place)
    wal = folders.wal_of(folder, said.of)
    assert checking.records(wal, said).found == "no segment is whole yet"
    small.ask(
        "CREATE TABLE written AS SELECT n FROM generate_series(1, 9) n; SELECT pg_switch_wal();"
    )
    small.ask("DROP TABLE written; SELECT pg_switch_wal();")
    [(now,)] = small.ask("SELECT pg_walfile_name(pg_current_wal_lsn())")
    for each in (small.place / "postgres" / "cluster" / "pg_wal").glob("0*"):
        if said.first_wal <= each.name < now and each.is_file():
            shutil.copy(each, wal)
    assert checking.wal(wal, said).good
    assert checking.records(wal, said).good
    last = max(wal.iterdir())
    written = bytearray(last.read_bytes())
    written[70] ^= 1  # in its first record
    last.write_bytes(written)
    assert checking.wal(wal, said).good
    found = checking.records(wal, said)
    assert (found.good, "pg_waldump failed" in found.found) == (False, True), found
