"""An export is checked against what witnesses kept; whatever was done to it is named."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from tonghu_verify import tree
from tonghu_verify.__main__ import main
from tonghu_verify.export import canonical

from app.core.data import db
from app.sealing import exporting, leaves
from tests.conftest import NOW
from tests.sealing.stage import KEY, Log, exported, looks
from tests.sealing.witnesses import Witness

pytestmark = pytest.mark.xdist_group("sealing")


async def _sealed(database: db.Database, log: Log) -> None:
    """Nineteen entries, with a checkpoint after the seventh, the fourteenth and the last."""
    for many in (7, 7, 5):
        await looks(database, many)
        await log.seal()


def _verified(tmp_path: Path, log: Log, lines: list[bytes], capsys, *more: str) -> tuple[int, str]:
    """What the verifier says of it, to who held every checkpoint."""
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    held = log.keep(tmp_path / "held")
    code = main([str(file), str(held), "--key", str(KEY.public), *more])
    return code, capsys.readouterr().out


async def test_what_nobody_touched_is_right(log, live_database, tmp_path, capsys) -> None:
    await _sealed(live_database, log)
    for begins, ends in ((0, None), (3, None), (0, 9), (5, 16), (18, 19)):
        lines = await exported(live_database, begins, ends)
        code, said = _verified(tmp_path, log, lines, capsys)
        assert (code, said.splitlines()[0]) == (
            0,
            f"RIGHT: leaves {begins} to {(ends or 19) - 1} are whole, unchanged and in order.",
        )


def _byte_changed(lines: list[bytes]) -> list[bytes]:
    lines[9] = lines[9].replace(b'"readChild"', b'"readChilD"')
    return lines


def _row_cut(lines: list[bytes]) -> list[bytes]:
    return lines[:9] + lines[10:]


def _two_swapped(lines: list[bytes]) -> list[bytes]:
    lines[9], lines[10] = lines[10], lines[9]
    return lines


def _one_inserted(lines: list[bytes]) -> list[bytes]:
    said = json.loads(lines[9])
    return [*lines[:9], json.dumps(said).encode(), *lines[9:]]


def _tail_cut(lines: list[bytes]) -> list[bytes]:
    return lines[:15]


def _torn(lines: list[bytes]) -> list[bytes]:
    lines[9] = lines[9][:40]
    return lines


def _behind(lines: list[bytes]) -> list[bytes]:
    said = json.loads(lines[-1])
    said["leaf"]["n"] += 1
    return [*lines, json.dumps(said).encode()]


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (_byte_changed, "leaf 8 (entry"),
        (_row_cut, "leaf 8 is missing: leaf 9 stands in its place"),
        (_two_swapped, "leaf 8 is missing: leaf 9 stands in its place"),
        (_one_inserted, "where leaf 9 should stand is leaf 8, a second time or out of order"),
        (_tail_cut, "leaf 14 is missing, and all after it: the end was cut off"),
        (_torn, "line 10, where leaf 8 should stand, is no row of the audit"),
        (_behind, "leaf 19 was added behind the last one, 18"),
    ],
)
async def test_what_was_done_to_the_file_is_named(
    log, live_database, tmp_path, capsys, done: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    await _sealed(live_database, log)
    lines = done(await exported(live_database))
    code, out = _verified(tmp_path, log, lines, capsys)
    assert (code, said in out) == (1, True), out


_ENTRY = "(SELECT entry_id FROM audit_leaves WHERE n = {})"
_SWAP = """
UPDATE audit_leaves SET n = -1 WHERE n = 8;
UPDATE audit_leaves SET n = 8 WHERE n = 9;
UPDATE audit_leaves SET n = 9 WHERE n = -1
"""
_INSERT = """
UPDATE audit_leaves SET n = -1 - n WHERE n >= 8;
UPDATE audit_leaves SET n = -n WHERE n < 0;
INSERT INTO audit_leaves SELECT 8, (left(entry_id::text, 30) || 'abcdef')::uuid, hash
FROM audit_leaves WHERE n = 7;
INSERT INTO audit_entries (id, at, actor, role, operation, decision, request_id)
SELECT entry_id, now(), 'system', 'system', 'readChild', 'allowed', 'job' FROM audit_leaves
WHERE n = 8
"""


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (f"UPDATE audit_entries SET purpose = 'care' WHERE id = {_ENTRY.format(8)}", "leaf 8 (e"),
        (f"DELETE FROM audit_entries WHERE id = {_ENTRY.format(8)}", "leaf 8 is missing"),
        ("DELETE FROM audit_leaves WHERE n = 8", "leaf 8 is missing: leaf 9 stands in its place"),
        (_SWAP, "leaf 8 (e"),
        (_INSERT, "leaf 8 (e"),
    ],
)
async def test_what_was_done_in_the_database_is_named(
    log, live_database, tmp_path, capsys, superuser, statements: str, said: str
) -> None:
    await _sealed(live_database, log)
    await superuser.execute(statements)
    code, out = _verified(tmp_path, log, await exported(live_database), capsys)
    assert (code, said in out) == (1, True), out


_REBUILT = """
DELETE FROM audit_leaves; DELETE FROM audit_nodes; DELETE FROM audit_checkpoints
"""


async def test_a_log_built_anew_with_its_own_key_is_another_history(
    log, live_database, tmp_path, capsys, superuser
) -> None:
    """By somebody who has the database and the key of the log, and not what witnesses kept."""
    await _sealed(live_database, log)
    await superuser.execute(
        f"UPDATE audit_entries SET actor = 'client' WHERE id = {_ENTRY.format(8)}"
    )
    await superuser.execute(_REBUILT)
    kept = log.held[:]
    await log.again()
    await log.seal()
    assert log.state.signed == 19
    log.held = kept
    code, out = _verified(tmp_path, log, await exported(live_database), capsys)
    assert code == 1
    assert "another history than" in out
    assert "at size 14: the first row that is not right is one of the leaves 7 to 13" in out


async def test_a_tail_cut_off_in_the_database_is_missed_by_who_kept_a_checkpoint(
    log, live_database, tmp_path, capsys, superuser
) -> None:
    await _sealed(live_database, log)
    await superuser.execute(
        "DELETE FROM audit_checkpoints WHERE size > 14; DELETE FROM audit_leaves WHERE n >= 14"
    )
    code, out = _verified(tmp_path, log, await exported(live_database), capsys)
    assert (code, "leaf 14 is missing, and all after it" in out) == (1, True), out


async def test_without_a_checkpoint_of_these_rows_nothing_is_proved(
    log, live_database, tmp_path, capsys
) -> None:
    await _sealed(live_database, log)
    lines = await exported(live_database, 8, 12)
    log.held = log.held[:1]
    code, out = _verified(tmp_path, log, lines, capsys)
    assert (code, "nothing is proved" in out) == (1, True), out


async def test_what_witnesses_signed_beside_the_rows_proves_none_of_them(
    log, live_database, tmp_path, capsys
) -> None:
    """The log's own word for the first rows, a countersigned checkpoint that the export skips."""
    await _sealed(live_database, log)
    witness = Witness("police.example", None, str(KEY.public))
    lines = await exported(live_database, 0, 7)
    log.held = [log.held[0], f"{log.held[1]}{witness.line(log.held[1])}\n"]
    asked = ("--witness", witness.key)
    code, out = _verified(tmp_path, log, lines, capsys, *asked)
    assert (code, "000 is cosigned by 0 witnesses, not by 1" in out) == (1, True), out
    log.held[0] += f"{witness.line(log.held[0])}\n"
    assert _verified(tmp_path, log, lines, capsys, *asked)[0] == 0


@pytest.mark.parametrize("chunk", [4, 19, 5])
async def test_what_is_written_in_several_parts_is_whole(
    log, live_database, tmp_path, capsys, monkeypatch, chunk
) -> None:
    monkeypatch.setattr(exporting, "_CHUNK", chunk)
    await _sealed(live_database, log)
    for begins, ends in ((0, None), (3, 17)):
        lines = await exported(live_database, begins, ends)
        assert len(lines) == 1 + (ends or 19) - begins
        assert _verified(tmp_path, log, lines, capsys)[0] == 0


def test_a_leaf_says_all_of_an_entry_but_what_is_null_or_an_empty_list() -> None:
    """In the one form of all releases: what is nought or blank is no other than it is."""
    entry = {"role": "", "groups": ["a"], "found": 0, "at": NOW, "whole": False}
    said = leaves.content(7, {**entry, "purpose": None, "children": []})
    text = (
        b'{"at":"2026-11-20T02:00:00+00:00","found":0,"groups":["a"],"n":7,"role":"","whole":false}'
    )
    assert leaves.text(said) == text
    assert leaves.hash_of(7, entry) == sha256(b"\0" + text).digest()


async def test_what_came_after_every_checkpoint_is_not_called_right(
    log, live_database, tmp_path, capsys
) -> None:
    """Whoever changes it there may make its hash anew."""
    await _sealed(live_database, log)
    lines = await exported(live_database)
    said = json.loads(lines[17])
    said["leaf"]["operation"] = "readNobody"
    said["hash"] = tree.leaf(canonical(said["leaf"])).hex()
    lines[17] = json.dumps(said).encode()
    log.held = log.held[:2]
    code, out = _verified(tmp_path, log, lines, capsys)
    assert (code, "leaves 14 to 18 came after every checkpoint" in out) == (1, True), out
    before = await exported(live_database, 0, 14)
    assert _verified(tmp_path, log, before, capsys)[0] == 0


async def test_hashes_beside_the_rows_are_compared_too(
    log, live_database, tmp_path, capsys
) -> None:
    await _sealed(live_database, log)
    for begins, ends, place in ((0, 18, "after"), (8, 12, "before")):
        lines = await exported(live_database, begins, ends)
        head = json.loads(lines[0])
        many = len(head[place])
        assert many
        other = "00" * 32
        head[place] = [[0, other]] * many if place == "after" else [other] * many
        lines[0] = json.dumps(head).encode()
        code, out = _verified(tmp_path, log, lines, capsys)
        assert (code, "another history than" in out) == (1, True), (place, out)
    for before in ([], ["00" * 32] * 9):
        lines[0] = json.dumps({**head, "before": before}).encode()
        code, out = _verified(tmp_path, log, lines, capsys)
        assert (code, "`before` does not fit `from`" in out) == (1, True), out
