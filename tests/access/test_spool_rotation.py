"""The key of the spool changes while reports wait in it, and each of them is opened."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.cli.keys import SEALED_BY_ALL
from app.core.clock import utc_now
from app.core.data import key_checks
from app.core.data.crypto import Keyring
from app.core.data.db import SYSTEM, Database
from app.core.data.key_checks import BEHIND, ENDED, KNOWN_FOR, SPOOL, Fault
from app.core.ids import new_id
from app.police_reports.models import SPOOLED

_WAITS = """
INSERT INTO spooled_reports (id, content_index, sender_index, urgent, received_at, sealed)
VALUES ($1, '', '', false, $2, $3)
"""
_A_SECOND = timedelta(seconds=1)


def ring_of(path) -> Keyring:
    return Keyring.from_json(path.read_text())


@pytest.fixture
def wrong(live_database):
    async def found(ring: Keyring) -> list[Fault]:
        async with Database(live_database.engine, ring, utc_now).begin(SYSTEM) as tx:
            return (await key_checks.settle(tx, ring))[1]

    return found


async def test_what_lies_there_is_opened_and_what_comes_is_sealed_to_the_next(
    path, ran, later, wrong, live_database, tmp_path
) -> None:
    old, stale = ring_of(path), tmp_path / "stale.json"
    stale.write_text(path.read_text())
    [first] = old.spool
    await ran("check", path)
    await later(_A_SECOND)  # the next is known after that
    await ran("rotate-spool", path)
    coming = ring_of(path)
    _, second = coming.spool
    assert [*coming.unspool] == [first, second]
    assert "for less than ten minutes" in await ran("rotate-spool", path, code=1)
    assert "right, coming since" in await ran("check", path)
    assert await wrong(old) == [], "nothing is sealed to it yet"
    waits = new_id()
    sealed = coming.seal_away(SPOOLED, waits, b"words")
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute(_WAITS, waits, tx.now, sealed)
        assert next(iter(key_checks.for_intake(await key_checks.rows_of(tx)).spool)) == first
    await later()
    await ran("rotate-spool", path)
    now = ring_of(path)
    assert [*now.spool] == [second, first]
    assert now.unseal_away(SPOOLED, waits, sealed) == b"words"
    assert coming.unseal_away(SPOOLED, waits, now.seal_away(SPOOLED, waits, b"new")) == b"new"
    async with live_database.begin(SYSTEM) as tx:
        assert next(iter(key_checks.for_intake(await key_checks.rows_of(tx)).spool)) == second
    assert await wrong(old) == await wrong(coming) == []
    await ran("check", stale)
    another = new_id()
    async with live_database.begin(SYSTEM) as tx:
        newly = now.seal_away(SPOOLED, another, b"new")
        await tx.connection.execute(_WAITS, another, tx.now, newly)
    await ran("check", path)
    missing = f"spool key {second} is missing: 1 reports that wait are sealed to it"
    assert missing in await ran("check", stale, code=1)
    await later(KNOWN_FOR)
    behind = [Fault(SPOOL, second, BEHIND[SPOOL])]
    assert await wrong(old) == await wrong(coming) == behind
    assert await wrong(now) == []

    assert "may be sealed to still: drop it first" in await ran("rotate-spool", path, code=1)
    assert "no such key" in await ran("drop-spool", path, "none", code=1)
    assert "rotate-spool first" in await ran("drop-spool", path, second, code=1)
    assert "seals for less than an hour" in await ran("drop-spool", path, first, code=1)
    await later(SEALED_BY_ALL)
    assert "1 reports that wait are sealed to it" in await ran("drop-spool", path, first, code=1)
    async with live_database.begin(SYSTEM) as tx:
        await tx.connection.execute("DELETE FROM spooled_reports")
    await ran("drop-spool", path, first)
    assert [*ring_of(path).spool] == [*ring_of(path).unspool] == [second]
    assert await wrong(now) == []
    assert await wrong(old) == [Fault(SPOOL, first, ENDED)]


async def test_only_a_file_with_the_private_keys_gets_another(path, ran) -> None:
    web = json.loads(path.read_text()) | {"unspool": {}}
    path.write_text(json.dumps(web))
    assert "has not the private keys" in await ran("rotate-spool", path, code=1)


async def test_of_a_file_with_several_of_before_none_comes_back(path, ran, later, keyring) -> None:
    """As those that followed from data keys: the last is no coming one."""
    more = Keyring.generate()
    several = replace(
        keyring,
        spool={**keyring.spool, **more.spool},
        unspool={**keyring.unspool, **more.unspool},
    )
    path.write_text(several.to_json())
    await ran("check", path)
    await later()
    assert "drop it first" in await ran("rotate-spool", path, code=1)
    assert await ran("check", path)
    assert [*ring_of(path).spool] == [*several.spool]


async def test_a_file_without_a_key_that_comes_is_changed_no_further(path, ran) -> None:
    """Two files would each have a key that the other opens nothing of."""
    before = path.read_text()
    await ran("rotate-spool", path)
    newest = [*ring_of(path).spool][-1]
    path.write_text(before)
    said = await ran("rotate-spool", path, code=1)
    assert f"Spool key {newest} is not in this file: take the newest" in said
    assert path.read_text() == before
