"""What was written wrong, or meanwhile, is derived once more, and all that follows is told."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.children import derivation, rederiving, sealing
from app.children.told import Told
from app.core.data import keys
from app.core.data.db import SYSTEM, Database
from app.core.data.envelopes import DecryptionRefused
from app.core.ids import new_id
from app.core.jobs import queue
from tests.children.factories import a_child, a_file
from tests.children.test_rederiving import COUNTY, night, stored
from tests.conftest import NOW, VILLAGE
from tests.jobs import told


@pytest.fixture
async def fifteen(open_file, director, database: Database) -> str:
    """A left-behind girl who turns sixteen on 25 November; all that is there is derived."""
    identity = {**a_file(VILLAGE)["identity"], "birth_date": "2010-11-25", "resident_id": None}
    opened = (await open_file(director, identity=identity)).json()
    assert opened["derived"]["categories"] == ["left_behind"]
    await night(database)
    return opened["id"]


async def test_what_is_written_meanwhile_is_read_again(fifteen: str, database: Database) -> None:
    """Files are read without holding them: what was read may not be true any more."""
    async with database.begin(SYSTEM) as tx:
        stale = "UPDATE children SET next_change_on = '-infinity', name_index = ''"
        await tx.connection.execute(stale)
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(rederiving._NEXT, COUNTY, rederiving.FIRST, 500)
        assert [str(row["id"]) for row in rows] == [fifteen]
        called = await tx.connection.fetchrow("SELECT * FROM children")
        await keys.of_rows(tx, [called])
        other = sealing.whole(tx.keyring, called).identity.model_copy(update={"name": "李小四"})
        kept = sealing.keep(tx.keyring, called["id"], "identity", other)
        await tx.connection.execute(
            "UPDATE children SET categories = '{}', identity_sealed = $1", kept["identity_sealed"]
        )
        await rederiving._derive_anew(tx, COUNTY, rows)
        await rederiving._respell(tx, COUNTY, rows)
        (row,) = await tx.connection.fetch(rederiving._NEXT, COUNTY, rederiving.FIRST, 500)
        assert row["categories"] == ["left_behind"]
        assert not rederiving._spelt_otherwise(tx, row)
        assert sealing.named(tx.keyring, row)[0] == "李小四"
    assert (await told(database, "children.categories_changed"))[-1]["data"]["added"] == [
        "left_behind"
    ]


async def test_a_file_that_cannot_be_read_keeps_no_other_waiting(
    fifteen: str, open_file, director, database: Database, now
) -> None:
    torn = (await open_file(director)).json()["id"]
    async with database.begin(SYSTEM) as tx:
        was = await tx.connection.fetchval(
            "UPDATE children c SET family_sealed = '-', next_change_on = '2026-11-01'"
            " FROM children o WHERE o.id = c.id AND c.id = $1::uuid RETURNING o.family_sealed",
            torn,
        )
    database.clock = lambda: now.replace(day=25)
    with pytest.raises(DecryptionRefused):
        await night(database)
    assert (await stored(database, fifteen))["categories"] == []
    owed = {"home_county": COUNTY, "child_id": torn}
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE children SET family_sealed = $2 WHERE id = $1::uuid", torn, was
        )
        await queue.REGISTRY["children.rederive_file"].handler(tx, owed)
    assert (await stored(database, torn))["next_change_on"] is not None


async def test_what_is_read_again_is_derived_again(fifteen: str, database: Database) -> None:
    """She was found to be of age between the reading and the writing."""
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET next_change_on = '-infinity'")
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch(rederiving._NEXT, COUNTY, rederiving.FIRST, 500)
        await tx.connection.execute("UPDATE children SET birth_date = '2000-01-01'")
        await rederiving._derive_anew(tx, COUNTY, rows)
        assert await tx.connection.fetchval("SELECT categories FROM children") == []


@pytest.mark.parametrize("column", ["categories", "undecided", "counted", "lacking"])
async def test_all_that_a_file_says_is_made_good(
    open_file, director, database: Database, monkeypatch: pytest.MonkeyPatch, now, column: str
) -> None:
    nothing_known = {"family": {}} if column == "undecided" else {}
    await open_file(director, **nothing_known)
    read = f"SELECT {column} AS said, updated_at FROM children"
    async with database.begin(SYSTEM) as tx:
        before = await tx.connection.fetchrow(read)
        await tx.connection.execute(f"UPDATE children SET {column} = '{{}}'")
    monkeypatch.setattr(derivation, "made_by", lambda: "others")
    database.clock = lambda: now + timedelta(hours=1)
    await night(database)
    async with database.begin(SYSTEM) as tx:
        after = await tx.connection.fetchrow(read)
    assert after["said"] == before["said"] != []
    assert after["updated_at"] == now + timedelta(hours=1) > before["updated_at"]


async def test_of_more_than_a_batch_all_change_in_a_night_and_each_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rederiving, "BATCH", 2)
    children = {(await a_child(database, VILLAGE)).id for _ in range(3)}
    await night(database)
    async with database.begin(SYSTEM) as tx:
        due = "UPDATE children SET categories = '{left_behind}', next_change_on = '2026-11-01'"
        await tx.connection.execute(due)
    await night(database)
    async with database.begin(SYSTEM) as tx:
        left = "SELECT count(*) FROM children WHERE categories <> '{}'"
        assert await tx.connection.fetchval(left) == 0
    changed = await told(database, "children.categories_changed")
    gone = {row["subject_id"] for row in changed if row["data"]["removed"] == ["left_behind"]}
    assert gone == children


async def test_what_follows_from_what_others_told_is_told(fifteen: str, database: Database) -> None:
    source = new_id()
    fact = {"since": NOW.date(), "until": None, "source_id": source, "stated_by": None}
    async with database.begin(SYSTEM) as tx:
        said = Told(kind="out_of_school", **fact)
        await derivation.tell(tx, UUID(fifteen), "out_of_school", source, said)
    assert (await told(database, "children.categories_changed"))[-1]["data"]["added"] == [
        "out_of_school"
    ]
