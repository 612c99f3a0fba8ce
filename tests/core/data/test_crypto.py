import json
from pathlib import Path

import pytest

from app.core.data.crypto import Keyring
from app.core.data.envelopes import DecryptionRefused, of_child
from app.core.data.key_file import load_keyring
from app.core.ids import new_id


def test_opens_only_in_its_own_place() -> None:
    ring, row, other = Keyring.generate(), new_id(), new_id()
    sealed = ring.seal("children.address", row, "样例路 1 号")
    assert "样例路".encode() not in sealed
    assert ring.unseal("children.address", row, sealed) == "样例路 1 号"
    for place, at in (("children.address", other), ("children.phone", row)):
        with pytest.raises(DecryptionRefused):
            ring.unseal(place, at, sealed)


def test_no_two_values_have_a_nonce_in_common() -> None:
    """Under one key that would give both away, and the key that authenticates them."""
    ring, row, owner = Keyring.generate(), new_id(), of_child(new_id())
    ring.open(owner, "t.k", ring.seal("t.k", owner.id, bytes(32)))
    for of, at in ((None, 5), (owner, 18)):
        nonces = {ring.seal("t.c", row, "text", of)[at : at + 12] for _ in range(20)}
        assert len(nonces) == 20


def test_a_key_of_tokens_that_ended_goes_while_it_is_coming_too() -> None:
    ring = Keyring.generate()
    [signs], [comes] = ring.signing, ring.coming
    left = ring.without(comes)
    assert ([*left.signing], [*left.coming]) == ([signs], [])
    assert ([*ring.without(signs).signing], [*ring.without(signs).coming]) == ([], [comes])


@pytest.mark.parametrize("cut", [0, 1, 3, 10, 20])
def test_refuses_what_was_cut_or_changed(cut: int) -> None:
    ring, row = Keyring.generate(), new_id()
    sealed = ring.seal("t.c", row, "text")
    with pytest.raises(DecryptionRefused):
        ring.unseal("t.c", row, sealed[:cut])
    with pytest.raises(DecryptionRefused):
        ring.unseal("t.c", row, sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_refuses_another_version_and_a_key_nobody_has() -> None:
    ring, row = Keyring.generate(), new_id()
    sealed = ring.seal("t.c", row, "text")
    for other in (b"\x02" + sealed[1:], sealed[:1] + b"\xff\xff\xff\xff" + sealed[5:]):
        with pytest.raises(DecryptionRefused):
            ring.unseal("t.c", row, other)


def test_bytes_come_back_as_they_were() -> None:
    ring, row, raw = Keyring.generate(), new_id(), b"\xff\x00 no text"
    assert ring.unseal_bytes("t.c", row, ring.seal("t.c", row, raw)) == raw


def test_what_was_sealed_before_still_opens() -> None:
    key = bytes(range(32))
    sealed = bytes.fromhex(
        "0161626364000102030405060708090a0ba1a261ff7b6e2aac229dcac93b926428dcc3d875ba23608e4f"
    )
    assert Keyring({}, {"abcd": key}, key).unseal("children.phone", "1", sealed) == "样例路"


def test_an_older_key_still_opens() -> None:
    old, row = Keyring.generate(), new_id()
    sealed = old.seal("t.c", row, "text")
    new = Keyring(old.signing, {**Keyring.generate().data, **old.data}, old.index)
    assert new.unseal("t.c", row, sealed) == "text"
    assert new.seal("t.c", row, "x")[1:5] != sealed[1:5]


def test_what_is_sealed_away_needs_the_private_key() -> None:
    ring, row, other = Keyring.generate(), new_id(), new_id()
    sealed, again = (ring.seal_away("t.c", row, b"words") for _ in range(2))
    assert b"words" not in sealed
    assert sealed != again
    assert ring.unseal_away("t.c", row, sealed) == b"words"
    text = json.loads(ring.to_json())
    del text["unspool"]
    of_web = Keyring.from_json(json.dumps(text))
    assert ring.unseal_away("t.c", row, of_web.seal_away("t.c", row, b"x")) == b"x"
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    wrong = [("t.d", row, sealed), ("t.c", other, sealed), ("t.c", row, changed)]
    for ask, at in ((of_web, ("t.c", row, sealed)), *((ring, each) for each in wrong)):
        with pytest.raises(DecryptionRefused):
            ask.unseal_away(*at)
    for cut in (0, 4, 20, 40):
        with pytest.raises(DecryptionRefused):
            ring.unseal_away("t.c", row, sealed[:cut])


def test_a_key_file_of_before_seals_away_too() -> None:
    """With keys that every process derives alike; another data key in front opens what was."""
    text, row = json.loads(Keyring.generate().to_json()), new_id()
    del text["spool"], text["unspool"]
    web, worker = (Keyring.from_json(json.dumps(text)) for _ in range(2))
    sealed = web.seal_away("t.c", row, b"words")
    assert worker.unseal_away("t.c", row, sealed) == b"words"
    text["data"] = {"next": next(iter(text["index"].values())), **text["data"]}
    rotated = Keyring.from_json(json.dumps(text))
    assert rotated.unseal_away("t.c", row, sealed) == b"words"
    assert rotated.seal_away("t.c", row, b"x")[1:5] == b"next"


def test_blind_index_depends_on_kind_and_key() -> None:
    ring = Keyring.generate()
    index = ring.blind_index("resident_id", "110101199001011234")
    assert len(index) == 32
    assert index == ring.blind_index("resident_id", "110101199001011234")
    assert index != ring.blind_index("phone", "110101199001011234")
    assert index != Keyring.generate().blind_index("resident_id", "110101199001011234")


def test_keys_survive_their_file_and_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    made = load_keyring(keys=None, keys_file=None, generate_in=folder)
    assert load_keyring(keys=None, keys_file=None, generate_in=folder) == made
    assert (folder / "keys.json").stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == ["keys.json"]
    assert repr(made) == "Keyring()"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data": {"abcd": "AAAA"}}, "32 bytes"),
        ({"index": "AAAA"}, "32 bytes"),
        ({"signing": {}}, "no signing, no data or no index key"),
        ({"data": {}}, "no signing, no data or no index key"),
        ({"index": {}}, "no signing, no data or no index key"),
        ({"index": {"abcde": "A" * 43 + "="}}, "4 characters"),
        ({"spool": {}}, "no public key of the spool"),
    ],
)
def test_refuses_a_key_file_with_short_keys_or_none(change, says: str) -> None:
    written = {**json.loads(Keyring.generate().to_json()), **change}
    with pytest.raises(ValueError, match=says):
        Keyring.from_json(json.dumps(written))


def test_refuses_data_keys_whose_names_do_not_fit_the_envelope() -> None:
    written = Keyring.generate().to_json()
    kid = next(iter(Keyring.from_json(written).data))
    with pytest.raises(ValueError, match="4 characters"):
        Keyring.from_json(written.replace(f'"{kid}"', '"too long"'))


def test_keys_come_as_a_value_or_a_file_or_not_at_all(tmp_path: Path) -> None:
    ring = Keyring.generate()
    file = tmp_path / "given.json"
    file.write_text(ring.to_json())
    assert load_keyring(keys=ring.to_json(), keys_file=None, generate_in=None) == ring
    assert load_keyring(keys=None, keys_file=file, generate_in=None) == ring
    with pytest.raises(ValueError, match="no keys given"):
        load_keyring(keys=None, keys_file=None, generate_in=None)
