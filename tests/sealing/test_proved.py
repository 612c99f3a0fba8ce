"""What a checkpoint proves and what it does not; that an export says all there is."""

import json
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
    assert (code, "says anything of leaf 14 and those after it" in out) == (1, True), out
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
