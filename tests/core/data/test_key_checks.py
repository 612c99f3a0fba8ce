"""Keys are compared with what the database knows of them (DB-6)."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.data import key_checks
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.key_checks import DATA, INDEX, SIGNING, SPOOL, Fault
from app.core.data.key_file import KeyFile
from app.core.data.wrong_keys import KeysWrong
from app.regions.rules import lineage
from tests.access.factories import a_caller
from tests.children.factories import a_file
from tests.conftest import NOW, VILLAGE, calling
from tests.regions.factories import some_regions
from tests.time_of_keys import passed


async def settled(database: Database, ring: Keyring) -> list[Fault]:
    async with database.begin(SYSTEM) as tx:
        return (await key_checks.settle(tx, ring))[1]


async def known(database: Database) -> set[tuple[str, str]]:
    async with database.begin(SYSTEM) as tx:
        return {(row["kind"], row["kid"]) for row in await key_checks.rows_of(tx)}


async def test_the_first_to_start_makes_its_keys_known(live_database, keyring) -> None:
    other = Keyring.generate()
    found = await asyncio.gather(settled(live_database, keyring), settled(live_database, other))
    won, lost = (keyring, other) if not found[0] else (other, keyring)
    assert sorted(map(bool, found)) == [False, True]
    its_own = {(DATA, *won.data), (INDEX, *won.index), (SPOOL, *won.spool)}
    assert its_own < await known(live_database)
    assert await settled(live_database, lost)
    assert not await settled(live_database, won)


async def test_what_is_new_is_made_known_when_all_else_is_right(live_database, keyring) -> None:
    await settled(live_database, keyring)
    more = replace(keyring, data={"more": os.urandom(32), **keyring.data})
    wrong = replace(more, index={next(iter(more.index)): os.urandom(32)})
    assert await settled(live_database, wrong)
    assert (DATA, "more") not in await known(live_database)
    assert not await settled(live_database, more)
    assert await settled(live_database, keyring) == [Fault(DATA, "more", key_checks.MISSING)]


@pytest.mark.parametrize("kind", key_checks.KINDS)
async def test_another_key_of_any_kind_under_the_same_id_is_wrong(
    live_database, keyring, kind
) -> None:
    await settled(live_database, keyring)
    [(kid, _)] = getattr(keyring, kind).items()
    other = replace(
        keyring, **{kind: {kid: next(iter(getattr(Keyring.generate(), kind).values()))}}
    )
    assert await settled(live_database, other) == [Fault(kind, kid, key_checks.ANOTHER)]


async def test_a_key_of_tokens_that_comes_is_another_too(live_database, keyring) -> None:
    await settled(live_database, keyring)
    [kid] = keyring.coming
    [pem] = Keyring.generate().coming.values()
    wrong = [Fault(SIGNING, kid, key_checks.ANOTHER)]
    assert await settled(live_database, replace(keyring, coming={kid: pem})) == wrong


@pytest.mark.parametrize("kind", key_checks.KINDS)
async def test_a_key_in_use_may_be_missing_of_none_but_the_spool(
    live_database, keyring, kind
) -> None:
    more = {**getattr(Keyring.generate(), kind), **getattr(keyring, kind)}
    await settled(live_database, replace(keyring, **{kind: more}))
    kid = next(iter(more))
    wrong = await settled(live_database, keyring)
    assert wrong == ([] if kind == SPOOL else [Fault(kind, kid, key_checks.MISSING)])


async def test_a_key_that_is_coming_may_be_missing_until_it_is_used(live_database, keyring) -> None:
    await settled(live_database, keyring)
    next_one = replace(keyring, index={**keyring.index, "next": os.urandom(32)})
    assert not await settled(live_database, next_one)
    assert not await settled(live_database, keyring)
    first = replace(next_one, index=dict(reversed(next_one.index.items())))
    assert not await settled(live_database, first)
    assert await settled(live_database, keyring) == [Fault(INDEX, "next", key_checks.MISSING)]


async def test_a_key_that_has_ended_is_nobodys_first_and_comes_back_by_no_file(
    live_database, keyring
) -> None:
    both = replace(keyring, index={"newi": os.urandom(32), **keyring.index})
    await settled(live_database, both)
    old = next(iter(keyring.index))
    async with live_database.begin(SYSTEM) as tx:
        await key_checks.end(tx, INDEX, old)
    assert not await settled(live_database, both)
    without = replace(both, index={"newi": both.index["newi"]})
    assert not await settled(live_database, without)
    backwards = replace(both, index=dict(reversed(both.index.items())))
    assert await settled(live_database, backwards) == [Fault(INDEX, old, key_checks.ENDED)]


async def test_what_has_ended_is_neither_used_nor_coming_nor_verified_by(
    live_database, keyring
) -> None:
    more = replace(keyring, data={**Keyring.generate().data, **keyring.data})
    await settled(live_database, more)
    [signs], [comes], [data] = keyring.signing, keyring.coming, keyring.data
    [data_comes] = keyring.coming_data
    async with live_database.begin(SYSTEM) as tx:
        rows = await key_checks.rows_of(tx)
        assert key_checks.verifying(rows).keys() == {signs, comes}
        assert [row["kid"] for row in key_checks.coming(rows, SIGNING)] == [comes]
        assert [row["kid"] for row in key_checks.coming(rows, DATA)] == [data_comes]
        for kind, kid in ((SIGNING, comes), (DATA, data)):
            await key_checks.end(tx, kind, kid)
        rows = await key_checks.rows_of(tx)
    assert key_checks.verifying(rows).keys() == {signs}
    assert key_checks.coming(rows, SIGNING) == []
    assert key_checks.used(rows, DATA) == [kid for kid in more.data if kid != data]
    assert not key_checks.faults(more, rows, NOW)


async def test_who_writes_by_the_index_key_before_is_wrong_though_another_comes(
    live_database, keyring
) -> None:
    await settled(live_database, keyring)
    both = replace(keyring, index={**keyring.index, "next": os.urandom(32)})
    await settled(live_database, both)
    async with live_database.begin(SYSTEM) as tx:
        await key_checks.use(tx, INDEX, "next")
        await tx.connection.execute(
            "UPDATE key_checks SET used_since = used_since - interval '1 hour' WHERE kid <> 'next'"
        )
        await key_checks.make_known(tx, INDEX, "more", os.urandom(32))
        rows = await key_checks.rows_of(tx)
    late = NOW + key_checks.KNOWN_FOR
    assert key_checks.faults(both, rows, late) == [Fault(INDEX, "next", key_checks.BEHIND[INDEX])]
    first = replace(both, index=dict(reversed(both.index.items())))
    assert key_checks.faults(first, rows, late) == []


@pytest.fixture
async def of_before(app, settings, live_database, keyring) -> Keyring:
    """A database with data, of whose keys nothing is known."""
    await some_regions(live_database, *lineage(VILLAGE))
    director = await a_caller(live_database, settings, "village_director", VILLAGE)
    async with calling(app, settings, live_database) as client:
        opened = await client.post("/v1/children", json=a_file(VILLAGE), headers=director.headers)
    assert opened.status_code == 201, opened.text
    return keyring


async def test_keys_of_an_older_installation_are_tried_on_its_data(
    live_database, of_before
) -> None:
    kid, index = next(iter(of_before.data)), next(iter(of_before.index))
    other = Keyring.generate()
    assert Fault(DATA, kid, key_checks.MISSING) in await settled(live_database, other)
    same_id = replace(of_before, data={kid: os.urandom(32)})
    assert Fault(DATA, kid, key_checks.ANOTHER) in await settled(live_database, same_id)
    unfit = replace(of_before, index={index: os.urandom(32)})
    assert await settled(live_database, unfit) == [Fault(INDEX, index, key_checks.ANOTHER)]
    assert not await known(live_database)
    async with live_database.begin(SYSTEM) as tx:  # one value that is spoilt says nothing of a key
        spoilt = b"\x01" + kid.encode() + bytes(40)
        put = "UPDATE staff SET phone_sealed = $1 RETURNING 1"
        assert await tx.connection.fetchval(put, spoilt)
    assert not await settled(live_database, of_before)
    assert (SIGNING, next(iter(of_before.signing))) in await known(live_database)


async def test_of_a_large_table_a_part_is_looked_at(live_database, of_before, monkeypatch) -> None:
    """Else a start reads all of it for a column in which nothing lies, and is cut off."""
    kid, other = next(iter(of_before.data)), Keyring.generate()

    async def huge(*_: object) -> int:
        return 10**12

    with monkeypatch.context() as patched:
        patched.setattr(key_checks, "about", huge)
        async with live_database.begin(SYSTEM) as tx:
            found = await key_checks.unproven(tx, other)
    assert found == [Fault(DATA, next(iter(other.data)), key_checks.SHUT)], "none was looked at"
    async with live_database.begin(SYSTEM) as tx:
        found = await key_checks.unproven(tx, other)
    assert Fault(DATA, kid, key_checks.MISSING) in found


@pytest.mark.parametrize("kind", [DATA, INDEX])
async def test_where_a_kind_is_forgotten_keys_are_tried_as_well(
    live_database, of_before, kind
) -> None:
    """By whoever deletes what is known of it: another key takes its place, or none at all."""
    await settled(live_database, of_before)
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE key_checks SET ended_at = $2 WHERE kind = $1", kind, tx.now
        )
    other = replace(of_before, **{kind: {"more": os.urandom(32)}})
    assert await settled(live_database, other)
    assert (kind, "more") not in await known(live_database)


async def test_whoever_has_wrong_keys_seals_hashes_and_opens_nothing(
    live_database, of_before
) -> None:
    await settled(live_database, of_before)
    database = Database(live_database.engine, Keyring.generate(), live_database.clock)
    await KeyFile(database.keyring).look(database)
    assert database.wrong_keys is not None
    async with database.begin(SYSTEM) as tx:
        for use in (
            lambda: tx.keyring.seal("t.c", "row", "words"),
            lambda: tx.keyring.seal_alike("cursor", b"words"),
            lambda: tx.keyring.unseal("t.c", "row", b"\x01abcdwords"),
            lambda: tx.keyring.unseal_alike("cursor", b"\x03abcdwords"),
            lambda: tx.keyring.blind_index("kind", "words"),
            lambda: tx.keyring.blind_indexes("kind", "words"),
            lambda: tx.keyring.tokens("kind", 1, ["words"]),
            lambda: tx.keyring.mark("kind", "words"),
            tx.keyring.each,
            lambda: len(tx.keyring.data),
            lambda: tx.keyring.data["abcd"],
        ):
            with pytest.raises(KeysWrong):
                use()
        sealed = tx.keyring.seal_away("spooled_reports.sealed", "row", b"words")
    opened = of_before.unseal_away("spooled_reports.sealed", "row", sealed)
    assert opened == b"words", "to the public key that stands in the database"


async def test_a_key_is_used_since_it_was_first(live_database, keyring) -> None:
    await settled(live_database, keyring)
    [kid] = keyring.data

    async def since() -> object:
        async with live_database.begin(SYSTEM) as tx:
            rows = await key_checks.rows_of(tx)
            return next(row["used_since"] for row in rows if row["kid"] == kid)

    before = await since()
    async with live_database.begin(SYSTEM) as tx:
        later = replace(tx, now=tx.now + timedelta(hours=1))
        await key_checks.use(later, DATA, kid)
    assert await since() == before


async def test_of_data_keys_that_become_known_together_the_first_is_the_newest(
    live_database, keyring
) -> None:
    """As where a database was restored from before two rotations."""
    await settled(live_database, keyring)
    async with live_database.begin(SYSTEM) as tx:
        await passed(tx.connection)
    before = keyring.rotated_data()
    newest = before.rotated_data()
    assert not await settled(live_database, newest)
    assert not await settled(live_database, before), "it has ten minutes"
    async with live_database.begin(SYSTEM) as tx:
        rows = await key_checks.rows_of(tx)
    assert key_checks.used(rows, DATA) == [*newest.data]
    late = NOW + key_checks.KNOWN_FOR
    assert not key_checks.faults(newest, rows, late)
    behind = Fault(DATA, next(iter(newest.data)), key_checks.BEHIND[DATA])
    assert behind in key_checks.faults(before, rows, late)


async def test_the_id_of_a_key_that_ended_is_taken(live_database, keyring) -> None:
    await settled(live_database, keyring)
    [kid] = keyring.index
    async with live_database.begin(SYSTEM) as tx:
        await key_checks.end(tx, INDEX, kid)
        assert kid in key_checks.ids(await key_checks.rows_of(tx))


async def test_a_key_behind_all_that_are_known_was_used_before_them(live_database, keyring) -> None:
    """As where somebody puts a dropped one, or another's, at the end of a file by hand."""
    await settled(live_database, keyring)
    more = replace(keyring, data={**keyring.data, **Keyring.generate().data})
    assert not await settled(live_database, more)
    async with live_database.begin(SYSTEM) as tx:
        rows = await key_checks.rows_of(tx)
    assert key_checks.used(rows, DATA) == [*more.data]
    assert not key_checks.faults(more, rows, NOW + key_checks.KNOWN_FOR)
