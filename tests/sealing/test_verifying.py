"""An export is checked against what witnesses kept, by somebody who has nothing else of ours;
whatever was done to it is named.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.data import db
from app.sealing import leaves, merkle
from app.sealing.notes import WITNESS, Signer, VerifierKey
from tests.sealing import stranger
from tests.sealing.stage import KEY, Log, exported, looks
from tests.sealing.stranger import Stranger
from tests.sealing.witnesses import signature_line

pytestmark = pytest.mark.xdist_group("sealing")


async def _sealed(database: db.Database, log: Log) -> None:
    """Nineteen entries, with a checkpoint after the seventh, the fourteenth and the last."""
    for many in (7, 7, 5):
        await looks(database, many)
        await log.seal()


def _verified(
    verifier: Stranger, tmp_path: Path, log: Log, lines: list[bytes], *more: str
) -> tuple[int, str]:
    """What the verifier says of it, to who held every checkpoint."""
    file = tmp_path / "export.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    held = log.keep(tmp_path / "held")
    return verifier.run(file, held, "--key", KEY.public, *more)


async def test_what_nobody_touched_is_right(log, live_database, tmp_path, verifier) -> None:
    await _sealed(live_database, log)
    for begins, ends in ((0, None), (3, None), (0, 9), (5, 16), (18, 19)):
        lines = await exported(live_database, begins, ends)
        code, said = _verified(verifier, tmp_path, log, lines)
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


def _one_doubled(lines: list[bytes]) -> list[bytes]:
    said = json.loads(lines[9])
    return [*lines[:9], json.dumps(said).encode(), *lines[9:]]


def _tail_cut(lines: list[bytes]) -> list[bytes]:
    return lines[:15]


def _of_another_log(lines: list[bytes]) -> list[bytes]:
    """In the place of one row stands another that is whole by itself."""
    said = json.loads(lines[9])["leaf"] | {"id": "019ac0de-0000-7000-8000-000000000000"}
    return [*lines[:9], _whole(said), *lines[10:]]


def _one_inserted(lines: list[bytes]) -> list[bytes]:
    """A row that nobody recorded, and those after it count on from it."""
    told = [json.loads(line)["leaf"] for line in lines[9:]]
    moved = [_whole({**leaf, "n": leaf["n"] + 1}) for leaf in told]
    head = json.loads(lines[0]) | {"to": 20}
    invented = told[0] | {"id": "019ac0de-0000-7000-8000-000000000000"}
    return [json.dumps(head).encode(), *lines[1:9], _whole(invented), *moved]


def _whole(said: dict) -> bytes:
    """A row whose hash is its own."""
    hash_ = merkle.leaf_hash(leaves.text(said)).hex()
    return json.dumps({"hash": hash_, "leaf": said}).encode()


def _deep(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], b"[" * 200_000, *lines[10:]]


def _head_of_floats(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"from":0', b'"from":0.0'), *lines[1:]]


def _beside_all_measure(lines: list[bytes]) -> list[bytes]:
    head = json.loads(lines[0]) | {"after": [[10**12, "00"]]}
    return [json.dumps(head).encode(), *lines[1:]]


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
        (_one_doubled, "where leaf 9 should stand is leaf 8, a second time or out of order"),
        (_tail_cut, "leaf 14 is missing, and all after it: the end was cut off"),
        (_of_another_log, "the first row that is not right is one of the leaves 7 to 13"),
        (_one_inserted, "the first row that is not right is one of the leaves 7 to 13"),
        (_deep, "line 10, where leaf 8 should stand, is no row of the audit"),
        (_head_of_floats, "line 1: this is no export"),
        (_beside_all_measure, "line 1: the hashes beside the rows are none"),
        (_torn, "line 10, where leaf 8 should stand, is no row of the audit"),
        (_behind, "leaf 19 was added behind the last one, 18"),
    ],
)
async def test_what_was_done_to_the_file_is_named(
    log, live_database, tmp_path, verifier, done: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    await _sealed(live_database, log)
    lines = done(await exported(live_database))
    code, out = _verified(verifier, tmp_path, log, lines)
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
    log, live_database, tmp_path, verifier, superuser, statements: str, said: str
) -> None:
    await _sealed(live_database, log)
    await superuser.execute(statements)
    code, out = _verified(verifier, tmp_path, log, await exported(live_database))
    assert (code, said in out) == (1, True), out


_REBUILT = """
DELETE FROM audit_leaves; DELETE FROM audit_nodes; DELETE FROM audit_checkpoints
"""


async def test_a_log_built_anew_with_its_own_key_is_another_history(
    log, live_database, tmp_path, verifier, superuser
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
    code, out = _verified(verifier, tmp_path, log, await exported(live_database))
    assert code == 1
    assert "another history than" in out
    assert "at size 14: the first row that is not right is one of the leaves 7 to 13" in out


async def test_a_tail_cut_off_in_the_database_is_missed_by_who_kept_a_checkpoint(
    log, live_database, tmp_path, verifier, superuser
) -> None:
    await _sealed(live_database, log)
    await superuser.execute(
        "DELETE FROM audit_checkpoints WHERE size > 14; DELETE FROM audit_leaves WHERE n >= 14"
    )
    code, out = _verified(verifier, tmp_path, log, await exported(live_database))
    assert (code, "leaf 14 is missing, and all after it" in out) == (1, True), out


async def test_without_a_checkpoint_of_these_rows_nothing_is_proved(
    log, live_database, tmp_path, verifier
) -> None:
    await _sealed(live_database, log)
    lines = await exported(live_database, 8, 12)
    log.held = log.held[:1]
    code, out = _verified(verifier, tmp_path, log, lines)
    assert (code, "nothing is proved" in out) == (1, True), out


async def test_of_rows_after_the_last_checkpoint_that_is_held_nothing_is_proved(
    log, live_database, tmp_path, verifier
) -> None:
    """Whoever has the log's key could have made them anew."""
    await _sealed(live_database, log)
    log.held = log.held[:2]
    code, out = _verified(verifier, tmp_path, log, await exported(live_database))
    wanted = "no checkpoint that you hold says anything of leaf 14 and those after it"
    assert (code, wanted in out) == (1, True), out
    lines = await exported(live_database, 0, 14)
    assert _verified(verifier, tmp_path, log, lines)[0] == 0


_MINE = Ed25519PrivateKey.generate()
_OTHERS = Ed25519PrivateKey.generate()
_WITNESS = VerifierKey("police.example", WITNESS, _MINE.public_key().public_bytes_raw())


def _with_line(note: str, private: Ed25519PrivateKey) -> str:
    return f"{note}{signature_line(_WITNESS, private, note)}\n"


def _of_another_history(note: str) -> str:
    return KEY.checkpoint(int(note.split("\n")[1]), bytes(32))


def _one_bit_of_the_signature(note: str) -> str:
    *before, line = note.rstrip("\n").split("\n")
    head, _, data = line.rpartition(" ")
    raw = bytearray(b64decode(data))
    raw[-1] ^= 1
    return "\n".join([*before, f"{head} {b64encode(raw).decode()}", ""])


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        (lambda note: _with_line(note, _MINE), "cosigned by police.example"),
        (lambda note: _with_line(note, _OTHERS), "the signature of police.example is false"),
        (lambda note: note, "is cosigned by 0 witnesses, not by 1"),
        (_of_another_history, "another history than"),
        (
            lambda _: Signer.generate(KEY.name).checkpoint(14, bytes(32)),
            "is not signed by the key of the log that was given",
        ),
        (_one_bit_of_the_signature, "the signature of test.example/audit is false"),
        (lambda note: note.replace("\n14\n", "\n13\n"), "the signature of test.example/audit is"),
        (lambda _: "\udcff", "is no text"),
    ],
)
async def test_a_checkpoint_that_somebody_forged_is_named(
    log, live_database, tmp_path, verifier, forged: Callable[[str], str], said: str
) -> None:
    await _sealed(live_database, log)
    lines = await exported(live_database, 0, 14)
    note, log.held = log.held[1], []
    held = tmp_path / "held"
    held.mkdir()
    (held / "14").write_bytes(forged(note).encode("utf-8", "surrogateescape"))
    last = (str(_WITNESS),) if said != "another history than" else ()
    told = [word for each in last for word in ("--witness", each)]
    code, out = _verified(verifier, tmp_path, log, lines, *told)
    assert (code, said in out) == (int(not said.startswith("cosigned by")), True), out
    assert "Traceback" not in out


@pytest.mark.long
def test_it_comes_by_pip_alone(tmp_path, verifier) -> None:
    """And answers there as from the folder."""
    came = stranger.installed(tmp_path / "machine")
    for asked in (("--help",), ("nowhere", "nowhere", "--key", str(KEY.public))):
        there, here = came.run(*asked), verifier.run(*asked)
        assert there == here
