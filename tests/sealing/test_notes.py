"""Notes, keys and trees, by themselves: here, and as the verifier reads them."""

from base64 import b64decode, b64encode

import pytest
from tonghu_verify import notes, tree

from app.sealing import merkle
from app.sealing.notes import WITNESS, BadNote, Signer, VerifierKey, body_of
from tests.sealing.stage import KEY
from tests.sealing.witnesses import Witness


def test_a_node_is_kept_of_each_256_of_256() -> None:
    """Of them proofs are made in a log of more than 65,536 entries."""
    edge = merkle.Edge(0, [])
    made = [node for n in range(1 << 16) for node in edge.append(merkle.leaf_hash(b"%d" % n))]
    ones = [(i, hash_) for level, i, hash_ in made if level == 1]
    assert [i for i, _ in ones] == [*range(256)]
    assert made[-1] == (2, 0, merkle.fold([hash_ for _, hash_ in ones])) == (2, 0, edge.root())


def test_what_is_no_key_or_note_is_refused() -> None:
    for text in ("x", "a+b+c", str(KEY.public)):
        with pytest.raises(notes.Bad):
            notes.Key.read(text, notes.WITNESS)
    log = [notes.Key.read(str(KEY.public), notes.LOG)]
    note = KEY.checkpoint(3, bytes(32))
    assert notes.checkpoint(note, "x", log, []).size == 3
    witness = Witness("police.example", None, "")
    known = [notes.Key.read(witness.key, notes.WITNESS)]
    of_no_log = f"{body_of(note)}\n{witness.line(note)}\n"
    with pytest.raises(notes.Bad, match="not signed by the key of the log"):
        notes.checkpoint(of_no_log, "x", log, known)
    assert notes.checkpoint(f"{note}{witness.line(note)}\n", "x", log, known).signers == {
        "police.example"
    }
    another = Witness(witness.name, None, "").line(note)  # signed by no key that is known
    its_id = b64decode(witness.line(note).split()[2])[:4]
    false = b64encode(its_id + b64decode(another.split()[2])[4:]).decode()
    with pytest.raises(notes.Bad, match=r"the signature of police\.example is false"):
        notes.checkpoint(f"{note}— {witness.name} {false}\n", "x", log, known)
    name, id_, rest = witness.key.split("+", 2)
    with pytest.raises(notes.Bad):
        notes.Key.read(f"{name}+{'0' * len(id_)}+{rest}", notes.WITNESS)
    elsewhere = Signer("other.example/audit", KEY.private).checkpoint(3, bytes(32))
    of_ours = body_of(elsewhere).encode()
    line = b64encode(KEY.public.id + KEY.private.sign(of_ours)).decode()
    of_another_log = f"{body_of(elsewhere)}\n— {KEY.name} {line}\n"
    for bad in (
        of_another_log,
        note.replace("\n3\n", "\n4\n"),
        note.replace("\n3\n", "\n03\n"),
        note.replace("test.example/audit\n3", "other.example/audit\n3"),
        note.partition("\n\n")[0],
        note + "more\n",
        note + "— x !\n",
        "",
    ):
        with pytest.raises(notes.Bad):
            notes.checkpoint(bad, "x", log, [])


def test_what_is_no_key_of_a_witness_is_refused_here_too() -> None:
    with pytest.raises(BadNote):
        VerifierKey.read("witness.example+00000000+!", WITNESS)
    assert merkle.root([]) == tree.Growing().root()


def test_a_proof_ends_where_the_tree_does_and_begins_with_what_was_held() -> None:
    """Of every size and leaf; a witness takes nothing else for a log that goes on."""
    kept = [tree.leaf(b"%d" % n) for n in range(9)]

    def root(begins: int, ends: int) -> bytes:
        growing = tree.Growing()
        for each in kept[begins:ends]:
            growing.add(each)
        return growing.root()

    def path(ranges: list[tuple[int, int]]) -> list[bytes]:
        return [root(*each) for each in ranges]

    other = tree.leaf(b"other")
    for size in range(1, 10):
        for leaf in range(size):
            proof = path(merkle.inclusion(leaf, size))
            assert tree.includes(kept[leaf], leaf, size, proof, root(0, size))
            more = tree.node(root(0, size), other)
            assert not tree.includes(kept[leaf], leaf, size, [*proof, other], more)
            if proof:
                assert not tree.includes(kept[leaf], leaf, size, proof[:-1], root(0, size))
        for old in range(1, size + 1):
            proof = path(merkle.consistency(old, size))
            assert tree.extends(old, size, proof, root(0, old), root(0, size))
            assert not tree.extends(old, size, proof, other, root(0, size))
            assert not tree.extends(old, size, proof, root(0, old), other)
            assert not tree.extends(old, size, [*proof, other], root(0, old), root(0, size))
    of_four, goes_on = path(merkle.inclusion(0, 4)), path(merkle.consistency(2, 4))
    assert not tree.includes(kept[0], 0, 8, of_four, root(0, 4)), "half of the way"
    assert not tree.extends(2, 8, goes_on, root(0, 2), root(0, 4))
