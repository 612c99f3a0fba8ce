"""Keys of children and reports: what is sealed under one opens with it alone, until it is gone."""

import asyncio
from dataclasses import replace

import pytest

from app.core.data import crypto, keys, sealed
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM
from app.core.data.envelopes import (
    DecryptionRefused,
    Erased,
    KeyNotLoaded,
    Owner,
    Whose,
    of_child,
    of_report,
    of_reporter,
    owner_of,
)
from app.core.ids import new_id
from tests.children.factories import a_child
from tests.conftest import VILLAGE

ONE, OTHER = new_id(), new_id()


@pytest.fixture
def ring() -> Keyring:
    made = Keyring.generate()
    for owner in (of_child(ONE), of_child(OTHER), of_report(ONE), of_reporter(ONE)):
        assert len(keys.make(made, owner)) == 65
    return made


def test_a_value_says_whose_key_it_is_under(ring) -> None:
    for owner in (of_child(ONE), of_report(ONE), of_reporter(ONE)):
        sealed = ring.seal("t.c", "1", "样例", owner)
        assert sealed[:2] == bytes([4, owner.whose])
        assert owner_of(sealed) == owner
        assert "样例".encode() not in sealed
        assert ring.unseal("t.c", "1", sealed) == "样例"
    assert owner_of(ring.seal("t.c", "1", "x")) is None
    assert owner_of(b"\x04\x01") is None


def test_no_other_key_opens_it(ring) -> None:
    sealed = ring.seal("t.c", "1", "x", of_child(ONE))
    for owner in (of_child(OTHER), of_report(ONE), of_reporter(ONE)):
        with pytest.raises(DecryptionRefused) as refused:
            ring.unseal("t.c", "1", b"\x04" + owner.named + sealed[18:])
        assert not isinstance(refused.value, Erased)
    for place, row in (("t.d", "1"), ("t.c", "2")):
        with pytest.raises(DecryptionRefused):
            ring.unseal(place, row, sealed)
    for cut in range(18, len(sealed)):
        with pytest.raises(DecryptionRefused):
            ring.unseal("t.c", "1", sealed[:cut])


def test_one_that_was_not_looked_for_is_no_erased_one(ring) -> None:
    sealed = ring.seal("t.c", "1", "x", of_child(ONE))
    with pytest.raises(KeyNotLoaded):
        ring.anew().unseal("t.c", "1", sealed)
    with pytest.raises(KeyNotLoaded):
        ring.anew().seal("t.c", "1", "x", of_child(ONE))


@pytest.mark.parametrize("gone", [keys.ERASED, None])
def test_what_an_erased_key_sealed_is_gone(ring, gone) -> None:
    """Also where there is no row at all: in a dump that leaves the keys out."""
    sealed = ring.seal("t.c", "1", "x", of_child(ONE))
    ring.open(of_child(ONE), "child_keys.wrapped", gone)
    with pytest.raises(Erased):
        ring.unseal("t.c", "1", sealed)
    assert keys.text_of(ring, "t.c", "1", sealed) == "已删除 (erased)"


@pytest.mark.parametrize("gone", [keys.ERASED, None])
def test_the_service_seals_for_who_has_no_key_yet_or_none_any_more(ring, gone) -> None:
    ring.open(of_child(OTHER), "child_keys.wrapped", gone)
    sealed = ring.seal("t.c", "1", "x", of_child(OTHER))
    assert (sealed[:1], ring.anew().unseal("t.c", "1", sealed)) == (b"\x01", "x")


def test_a_key_is_wrapped_for_its_owner_by_the_newest_data_key(ring) -> None:
    wrapped = keys.make(ring, of_child(ONE))
    with pytest.raises(DecryptionRefused):
        ring.open(of_child(OTHER), "child_keys.wrapped", wrapped)
    with pytest.raises(DecryptionRefused):
        replace(ring, data=Keyring.generate().data).open(
            of_child(ONE), "child_keys.wrapped", wrapped
        )
    rotated = ring.rotated_data()
    assert keys.make(rotated, of_child(ONE))[1:5].decode() == next(iter(ring.coming_data))


def test_a_data_key_that_is_coming_opens_and_one_of_before_may_be_dropped(ring) -> None:
    [before], [coming] = ring.data, ring.coming_data
    rotated = Keyring.from_json(ring.rotated_data().to_json())
    assert list(rotated.data) == [coming, before]
    assert rotated.coming_data.keys().isdisjoint(rotated.data)
    assert ring.unseal("t.c", "1", rotated.seal("t.c", "1", "x")) == "x"
    assert ring.unseal_alike("t", rotated.seal_alike("t", b"x")) == b"x"
    sealed = ring.seal("t.c", "1", "x")
    assert rotated.unseal("t.c", "1", sealed) == "x"
    with pytest.raises(DecryptionRefused):
        rotated.without_data(before).unseal("t.c", "1", sealed)
    first = replace(ring, coming_data={}).rotated_data()
    assert (first.data, len(first.coming_data)) == (ring.data, 1), (
        "it must be known before it seals"
    )


async def test_what_rows_name_is_loaded_in_one_statement(database, queries) -> None:
    made = [await a_child(database, VILLAGE), await a_child(database, VILLAGE)]
    nobody = of_child(new_id())
    async with database.begin(SYSTEM) as tx:
        rows = [{"a": None, "b": b"\x04" + of_child(each.id).named + bytes(40)} for each in made]
        queries.clear()
        await keys.of_rows(tx, [*rows, None, {"b": b"\x04" + nobody.named}, {"b": b"\x01"}])
        await keys.load(tx, [of_child(made[0].id), of_report(new_id()), nobody])
        await keys.of_values(tx, rows[0]["b"], None)
        await asyncio.sleep(0)  # the driver tells who counts in the next turn
        assert len(queries) == 2, queries.statements
        assert tx.keyring.opened[nobody.named] is None
        for each in made:
            assert tx.keyring.seal("t.c", "1", "x", of_child(each.id))[:1] == b"\x04"
        await keys.load(tx, [of_child(new_id())], made[0].home_county)
    async with database.begin(SYSTEM) as tx:
        assert tx.keyring.opened == {}, "no process keeps a key"


async def test_a_key_that_was_taken_back_is_not_used(database) -> None:
    owner = Owner(Whose.child, new_id())
    async with database.begin(SYSTEM) as tx:
        async with tx.taken_back():
            keys.make(tx.keyring, owner)
        with pytest.raises(KeyNotLoaded):
            tx.keyring.seal("t.c", "1", "x", owner)


def test_no_key_gets_the_id_that_another_has_or_had() -> None:
    """What is sealed says by four characters alone under which key."""
    every = {f"{number:04x}" for number in range(0x10000)}
    assert [*crypto.new_key(every - {"beef"})] == ["beef"]
    rotated = Keyring.generate().rotated_data(every - {"cafe"})
    assert [*rotated.coming_data] == ["cafe"]


async def test_what_is_declared_of_sealed_columns_can_be_asked(database) -> None:
    """Also of tables that nothing asks, as their rows go by themselves."""
    async with database.begin(SYSTEM) as tx:
        for each in sealed.TABLES:
            asked = ", ".join((each.row, each.owner, *each.places))
            await tx.connection.fetch(f"SELECT {asked} FROM {each.table} t LIMIT 0")
