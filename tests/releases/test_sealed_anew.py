"""What earlier releases sealed comes under the keys it belongs under, and a data key goes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from app.cli import data_keys
from app.core.data import db, key_checks, resealing, sealed
from app.core.data.crypto import Keyring
from app.core.data.envelopes import Whose
from app.core.settings import Database
from scripts import keep_release
from tests import schema
from tests.conftest import NOW
from tests.releases import backups, readers
from tests.releases.test_releases import _still_said as still_said

pytestmark = pytest.mark.xdist_group("schema")
FOLDER = backups.kept()[0]


@pytest.fixture(params=["of the first release", "of now"])
def world(
    request: pytest.FixtureRequest, pg: str, at_head: Callable[[Path], str]
) -> Iterator[tuple[schema.Urls, Keyring, readers.Seen]]:
    name = f"tonghu_sealed_{os.getpid()}"
    if request.param == "of now":
        world = keep_release.played(pg, name)
    else:
        world = schema.copy(pg, at_head(FOLDER), name), *readers.remembered(FOLDER)
    backups.execute(pg, name, "UPDATE former_release SET since = '2026-01-01'")
    yield world
    asyncio.run(schema.drop(pg, name))


@asynccontextmanager
async def as_owner(urls: schema.Urls, keyring: Keyring) -> AsyncIterator[db.Database]:
    database = db.Database(db.open_engine(urls.owner, Database()), keyring, lambda: NOW)
    yield database
    await database.close()


async def sealed_anew(urls: schema.Urls, keyring: Keyring) -> int:
    async with as_owner(urls, keyring) as owner:
        async with owner.begin(db.SYSTEM) as tx:  # which runs no more
            await tx.connection.execute("DELETE FROM former_release")
        return await data_keys._re_encrypt(partial(owner.begin, db.SYSTEM))


_FORCED = "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'police_reporters'"


async def under(urls: schema.Urls, keyring: Keyring, kid: str) -> dict[str, int]:
    async with as_owner(urls, keyring) as owner:
        async with owner.begin(db.SYSTEM) as tx:
            found = await resealing.naming(tx, kid)
        async with owner.begin(db.SYSTEM) as tx:
            assert await tx.connection.fetchval(_FORCED), "who made a report is nobody's again"
    return found


_IN_PLAIN = """
SELECT EXISTS (SELECT FROM events WHERE data ?| '{found,types,left,needs,categories,added}')
    OR EXISTS (SELECT FROM police_report_steps WHERE codes ?| '{kind,measures,handled,situations}')
    OR EXISTS (SELECT FROM police_reports WHERE disposed_as <> '{}' OR situations <> '{}')
    OR EXISTS (SELECT FROM referrals WHERE needs <> '{}' OR found <> '{}')
"""


async def test_all_is_brought_under_its_key_and_a_data_key_goes(
    world, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    urls, keyring, seen = world
    monkeypatch.setattr(resealing, "BATCH", 2)
    [kid] = keyring.data
    made_up = await sealed_anew(urls, keyring)  # what fills tables to which the world does not come
    assert made_up == 0 or "now" in request.node.callspec.id
    async with as_owner(urls, keyring) as owner, owner.begin(db.SYSTEM) as tx:
        assert not await tx.connection.fetchval(_IN_PLAIN) or made_up
    found = await under(urls, keyring, kid)
    own = {each.table for each in sealed.TABLES if each.whose}
    own -= {each.table for each in sealed.TABLES if not each.whose}
    with_child = own - {"unresolved", "unresolved_evidence", "duties", "duplicate_referrals"}
    assert found.keys() & with_child == set(), "all of a child or report is under its own key"
    assert found["child_keys"] > 0
    rotated = replace(keyring, coming_data={}).rotated_data().rotated_data()
    assert list(rotated.data)[1:] == [kid]
    assert await sealed_anew(urls, rotated) == made_up
    found = await under(urls, rotated, kid)
    assert found.keys() <= {"idempotency_keys"}, "which go by themselves"
    without = rotated.without_data(kid)
    async with readers.serving(urls, without, NOW) as (client, database, settings):
        for reader, answers in seen:
            now = await readers.read(client, database, settings, reader)
            for url, before in answers.items():
                assert still_said(before, now[url]), url


async def test_what_no_key_opens_is_counted_and_left(world) -> None:
    urls, keyring, _ = world
    async with as_owner(urls, keyring) as owner, owner.begin(db.SYSTEM) as tx:
        assert not (await key_checks.settle(tx, keyring))[1], "the keys are known, and right"
        await tx.connection.execute("UPDATE staff_accounts SET totp_sealed = '\\x0161626364'")
        await tx.connection.execute(
            "UPDATE child_changes SET changes_sealed = $1", b"\x01nope" + bytes(40)
        )
    assert await sealed_anew(urls, keyring) > 0


def test_every_kind_of_owner_has_sealed_columns() -> None:
    assert {each.whose for each in sealed.TABLES} == {None, *Whose}
