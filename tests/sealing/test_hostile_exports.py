"""An export, or a checkpoint, that somebody wrote to be believed or to break who checks it."""

import io
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tonghu_verify import export
from tonghu_verify.__main__ import main
from tonghu_verify.notes import Bad

from app.sealing import leaves, merkle
from app.sealing.notes import WITNESS, Signer, VerifierKey, body_of

KEY = Signer.generate("test.example/audit")
SIZE = 8
LEAVES = [
    {"id": f"entry-{n}", "actor": "staff:looked", "operation": "readChild"} for n in range(SIZE)
]
HASHES = [leaves.hash_of(n, entry) for n, entry in enumerate(LEAVES)]


def root(size: int) -> bytes:
    edge = merkle.Edge(0, [])
    for each in HASHES[:size]:
        edge.append(each)
    return edge.root()


def note(size: int) -> str:
    return KEY.checkpoint(size, root(size))


def lines(ends: int = SIZE, **head: object) -> list[bytes]:
    said = {"format": export.FORMAT, "from": 0, "to": ends, "before": [], "after": [], **head}
    rows = enumerate(zip(LEAVES[:ends], HASHES, strict=False))
    return [
        json.dumps(said).encode(),
        *(
            leaves.text({"hash": hash_.hex(), "leaf": leaves.content(n, entry)})
            for n, (entry, hash_) in rows
        ),
    ]


Check = Callable[..., tuple[int, str]]


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """What the verifier says to who holds these notes."""

    def verified(
        written: list[bytes], *held: str | bytes, more: tuple[str, ...] = ()
    ) -> tuple[int, str]:
        folder, file = tmp_path / "held", tmp_path / "export.jsonl"
        folder.mkdir()
        for number, each in enumerate(held):
            (folder / str(number)).write_bytes(each if isinstance(each, bytes) else each.encode())
        file.write_bytes(b"".join(each + b"\n" for each in written))
        code = main([str(file), str(folder), "--key", str(KEY.public), *more])
        return code, capsys.readouterr().out

    return verified


def written_over(old: bytes, new: bytes) -> list[bytes]:
    """An export whose fourth row was written over."""
    written = lines()
    assert old in written[4]
    return [*written[:4], written[4].replace(old, new, 1), *written[5:]]


@pytest.mark.parametrize(
    "written",
    [
        written_over(b'"actor":', b'"actor":"staff:nobody","actor":'),
        written_over(b'"leaf":', b'"leaf":{"n":3,"actor":"staff:nobody"},"leaf":'),
        written_over(b"entry-3", b"entry-\\ud800"),
        written_over(b'"staff:looked"', b"NaN"),
        written_over(b'"n":3', b'"n":true'),
        written_over(b'{"', b"[" * 100_000 + b'{"'),
        written_over(HASHES[3].hex().encode(), HASHES[3].hex().encode()[2:]),
    ],
    ids=["name twice", "leaf twice", "surrogate", "NaN", "true", "deep", "short hash"],
)
def test_what_two_readers_would_read_otherwise_is_no_row(checked: Check, written) -> None:
    code, said = checked(written, note(SIZE))
    assert (code, "line 5, where leaf 3 should stand, is no row" in said) == (1, True), said


@pytest.mark.parametrize(
    "head",
    [
        {"from": 0.5},
        {"from": False},
        {"to": 8.0},
        {"before": None},
        {"after": [[True, "00" * 32]]},
        {"after": [[0, "00"]]},
        {"after": [[10**12, "00" * 32]]},
        {"after": [7]},
    ],
)
def test_a_first_line_that_fits_nothing_is_named(checked: Check, head) -> None:
    code, said = checked(lines(**head), note(SIZE))
    assert (code, said.startswith("NOT RIGHT: line 1: ")) == (1, True), said


def test_nothing_it_says_is_written_by_somebody_else(checked: Check) -> None:
    """Neither a line of its own nor what a terminal takes for a command."""
    entry = b"\\u001b[2K\\nRIGHT: leaves 0 to 7 are whole, unchanged and in order.\\u001b[8m"
    code, said = checked(written_over(b"entry-3", entry), note(SIZE))
    assert (code, said.count("\n"), "\x1b" in said) == (1, 1, False), said
    assert said.startswith("NOT RIGHT: leaf 3 (entry \\x1b[2K\\nRIGHT: ")


def test_no_line_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "LONGEST", 100)
    assert [*export.lines_of(io.BytesIO(b"x" * 99 + b"\nrest"))] == [b"x" * 99 + b"\n", b"rest"]
    with pytest.raises(Bad, match="longer than any row"):
        [*export.lines_of(io.BytesIO(b"x" * 101))]


@pytest.mark.parametrize(
    "held",
    [
        note(SIZE).encode() + b"\xff",
        note(SIZE).replace(b64encode(root(SIZE)).decode(), "é"),
        note(SIZE) + "— witness é\n",
    ],
    ids=["bytes", "root", "signature"],
)
def test_a_checkpoint_that_is_none_is_said_to_be_none(checked: Check, held) -> None:
    code, said = checked(lines(), held)
    assert (code, said.startswith("NOT RIGHT: ")) == (1, True), said


def test_rows_behind_the_last_checkpoint_are_not_called_right(checked: Check) -> None:
    """Of the last two nobody but who wrote the export says anything."""
    code, said = checked(lines(), note(3), note(6))
    assert (code, "says anything of leaf 6 and those after it" in said) == (1, True), said


def test_up_to_the_last_checkpoint_they_are(checked: Check) -> None:
    after = [(1, merkle.fold(HASHES[6:]).hex())]
    code, said = checked(lines(6, after=after), note(3), note(6))
    assert (code, said.startswith("RIGHT: leaves 0 to 5 ")) == (0, True), said


def test_two_histories_that_were_shown_to_two_are_seen_where_no_row_tells(checked: Check) -> None:
    other = KEY.checkpoint(7, bytes(32))
    after = [(1, merkle.fold(HASHES[6:]).hex())]
    code, said = checked(lines(6, after=after), note(6), note(7), other)
    assert (code, "signed for size 7, and are of two histories" in said) == (1, True), said


def test_witnesses_must_have_signed_what_proves_these_rows(checked: Check) -> None:
    """Not another checkpoint, of which the export says nothing."""
    private = Ed25519PrivateKey.generate()
    witness = VerifierKey("witness.example", WITNESS, private.public_key().public_bytes_raw())

    def cosigned(text: str) -> str:
        signature = private.sign(f"cosignature/v1\ntime 0\n{body_of(text)}".encode())
        line = b64encode(witness.id + bytes(8) + signature).decode()
        return f"{text}— {witness.name} {line}\n"

    after = [(1, merkle.fold(HASHES[6:]).hex())]
    more = ("--witness", str(witness))
    code, said = checked(lines(6, after=after), note(6), cosigned(note(7)), more=more)
    assert (code, "is cosigned by 0 witnesses, not by 1" in said) == (1, True), said
