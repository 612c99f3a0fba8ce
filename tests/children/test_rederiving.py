"""Files are derived anew when their day comes, and all of them when the rules are others."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.children import derivation, rederiving
from app.children.queries import ChildRef
from app.children.rules import policy_of
from app.core.data import versions
from app.core.data.db import SYSTEM, Database
from app.core.jobs import queue
from app.policy import rules as policy_rules
from app.policy.queries import values
from app.regions.rules import county_of
from tests.children.factories import a_child, a_file
from tests.conftest import VILLAGE
from tests.jobs import run_jobs

COUNTY = county_of(VILLAGE)
ELSEWHERE = 130102001001


async def night(database: Database) -> list[str]:
    """Run the job of a night; return what ran."""
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.rederive", [{}])
    return [name for name in await run_jobs(database) if name.startswith("children.rederive")]


async def stored(database: Database, child_id: Any) -> dict[str, Any]:
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow(
            "SELECT categories, next_change_on, derived_on, updated_at, version FROM children"
            " WHERE id = $1::uuid",
            str(child_id),
        )
    return dict(row)


@pytest.fixture
async def fifteen(open_file, director, database: Database) -> str:
    """A left-behind girl who turns sixteen on 25 November; all that is there is derived."""
    identity = {**a_file(VILLAGE)["identity"], "birth_date": "2010-11-25", "resident_id": None}
    opened = (await open_file(director, identity=identity)).json()
    assert opened["derived"]["categories"] == ["left_behind"]
    await night(database)
    return opened["id"]


async def test_a_file_names_the_day_it_changes_on(fifteen: str, database: Database) -> None:
    assert (await stored(database, fifteen))["next_change_on"] == date(2026, 11, 25)


async def test_only_who_is_due_is_looked_at(
    fifteen: str, database: Database, monkeypatch: pytest.MonkeyPatch, now
) -> None:
    looked_at = []
    derive = derivation.derive
    monkeypatch.setattr(
        derivation, "derive", lambda file, *rest: looked_at.append(file) or derive(file, *rest)
    )
    database.clock = lambda: now.replace(day=24)
    await night(database)
    assert not looked_at
    database.clock = lambda: now.replace(day=25)
    await night(database)
    assert len(looked_at) == 1


async def test_nights_that_were_missed_are_made_up_for(
    fifteen: str, database: Database, now
) -> None:
    late = now + timedelta(days=14)
    database.clock = lambda: late
    await night(database)
    found = await stored(database, fifteen)
    assert (found["categories"], found["version"], found["updated_at"]) == ([], 1, late)
    assert found["derived_on"] == date(2026, 12, 4)


async def test_another_day_to_change_on_is_no_change_of_the_file(
    fifteen: str, database: Database
) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET next_change_on = '-infinity'")
    before = await stored(database, fifteen)
    await night(database)
    after = await stored(database, fifteen)
    assert after["next_change_on"] == date(2026, 11, 25)
    assert after["updated_at"] == before["updated_at"]


async def test_other_rules_derive_all_files_anew(
    fifteen: str, database: Database, monkeypatch: pytest.MonkeyPatch, now
) -> None:
    young = {"lbc.age_limit": 14}
    monkeypatch.setattr(
        derivation, "policy_on", lambda code, on: {**policy_of(values(), code, on), **young}
    )
    await night(database)
    assert (await stored(database, fifteen))["categories"] == ["left_behind"]
    monkeypatch.setattr(derivation, "made_by", lambda: "others")
    database.clock = lambda: now + timedelta(hours=1)
    await night(database)
    assert (await stored(database, fifteen))["categories"] == []


async def test_a_walk_goes_on_where_it_stood(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rederiving, "BATCH", 2)
    children = [await a_child(database, VILLAGE, categories=["left_behind"]) for _ in range(5)]

    async def emptied() -> list[bool]:
        return [not (await stored(database, child.id))["categories"] for child in children]

    async with database.begin(SYSTEM) as tx:
        assert await rederiving.rederive(tx, COUNTY)
        assert [await rederiving.how_far(tx)] == [rederiving.HowFar(1, 0, 2, None)]
    assert await emptied() == [True, True, False, False, False]
    async with database.begin(SYSTEM) as tx:
        assert await rederiving.rederive(tx, COUNTY)
    assert await emptied() == [True, True, True, True, False]
    # Other rules begin anew: what the walk left behind was made by those before.
    monkeypatch.setattr(derivation, "made_by", lambda: "others")
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET categories = '{left_behind}'")
        assert await rederiving.rederive(tx, COUNTY)
        assert (await rederiving.how_far(tx)).files == 2
    assert await emptied() == [True, True, False, False, False]
    await night(database)
    assert all(await emptied())
    async with database.begin(SYSTEM) as tx:
        assert await rederiving.how_far(tx) == rederiving.HowFar(1, 1, 5, date(2026, 11, 20))


async def test_what_a_walk_derived_that_was_given_up_is_derived_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch, now
) -> None:
    monkeypatch.setattr(rederiving, "BATCH", 2)
    children, derive = [await a_child(database, VILLAGE) for _ in range(5)], derivation.derive
    await night(database)
    with monkeypatch.context() as others:
        others.setattr(derivation, "made_by", lambda: "others")
        others.setattr(derivation, "derive", lambda *of: replace(derive(*of), categories=["x"]))
        async with database.begin(SYSTEM) as tx:
            assert await rederiving.rederive(tx, COUNTY)
            assert (await rederiving.how_far(tx)).whole == 0
    assert (await stored(database, children[1].id))["categories"] == ["x"]
    database.clock = lambda: now + timedelta(days=1)
    await night(database)
    assert not any([(await stored(database, each.id))["categories"] for each in children])


async def by(database: Database, release: pytest.MonkeyPatch, rules: str, schema: str) -> bool:
    """Run a county's next job as a release would; return whether it went at the files."""
    payload = {"home_county": COUNTY}
    with release.context() as of_it:
        of_it.setattr(derivation, "made_by", lambda: rules)
        of_it.setattr(versions, "head", lambda: schema)
        async with database.begin(SYSTEM) as tx:
            before = await tx.connection.fetchval(_AT)
            await queue.REGISTRY["children.rederive_in_county"].handler(tx, payload)
            after = await tx.connection.fetchval(_AT)
            waits = await tx.connection.fetchval(
                "SELECT count(*) FROM jobs WHERE run_at > now() AND payload = $1::jsonb",
                f'{{"home_county": {COUNTY}}}',
            )
            await tx.connection.execute("DELETE FROM jobs")
    assert (before == after) == (waits == 1)
    return before != after


_AT = "SELECT d::text FROM derivations d"


@pytest.mark.parametrize("newer", ["0185", "0189"])
async def test_two_releases_side_by_side_do_not_undo_each_other(
    database: Database, monkeypatch: pytest.MonkeyPatch, now, newer: str
) -> None:
    """Each would begin anew what the other had derived, and so on for ever."""
    monkeypatch.setattr(rederiving, "BATCH", 2)
    for _ in range(3):
        await a_child(database, VILLAGE)
    assert await by(database, monkeypatch, "old", "0185")
    assert not await by(database, monkeypatch, "new", newer)  # it is at work
    database.clock = lambda: now + timedelta(minutes=11)
    assert await by(database, monkeypatch, "new", newer)
    assert not await by(database, monkeypatch, "old", "0185")
    assert await by(database, monkeypatch, "new", newer)  # to the end
    assert not await by(database, monkeypatch, "old", "0185")
    assert await by(database, monkeypatch, "new", newer)  # what is due
    database.clock = lambda: now + timedelta(minutes=22)
    assert await by(database, monkeypatch, "old", "0185") == (newer == "0185")


@pytest.mark.parametrize("newer", ["0185", "0189"])
async def test_of_two_releases_that_take_jobs_in_turn_one_comes_to_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch, now, newer: str
) -> None:
    """What one leaves alone is the other's next set: it must come round before its walk is over."""
    monkeypatch.setattr(rederiving, "BATCH", 2)
    for _ in range(5):
        await a_child(database, VILLAGE)
    at, begun = now, await by(database, monkeypatch, "new", newer)
    for turn in range(12):
        database.clock = lambda at=at: at
        with monkeypatch.context() as old:
            old.setattr(derivation, "made_by", lambda: "old")
            old.setattr(versions, "head", lambda: "0185")
            async with database.begin(SYSTEM) as tx:
                wait = await rederiving.left_to_another(tx, COUNTY)
        assert begun
        assert wait is not None
        at += wait
        if turn % 6 == 5:
            database.clock = lambda at=at: at
            assert await by(database, monkeypatch, "new", newer)
    async with database.begin(SYSTEM) as tx:
        made = "SELECT made_by FROM derivations"
        assert await tx.connection.fetchval(made) == "new"
    assert at - now < timedelta(minutes=10)


async def test_a_newer_release_that_was_taken_back_is_not_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, now
) -> None:
    await a_child(database, VILLAGE)
    for _ in range(2):
        assert await by(database, monkeypatch, "new", "0189")
    for hours, goes in ((35, False), (37, True)):
        database.clock = lambda hours=hours: now + timedelta(hours=hours)
        assert await by(database, monkeypatch, "old", "0185") == goes


async def test_each_county_goes_by_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = [
        await a_child(database, place, categories=["left_behind"]) for place in (VILLAGE, ELSEWHERE)
    ]
    async with database.begin(SYSTEM) as tx:
        assert await rederiving.counties(tx) == [COUNTY, county_of(ELSEWHERE)]
        while await rederiving.rederive(tx, county_of(ELSEWHERE)):
            pass
        assert await rederiving.how_far(tx) == rederiving.HowFar(2, 1, 1, None)
    assert (await stored(database, here.id))["categories"] == ["left_behind"]
    assert (await stored(database, there.id))["categories"] == []
    assert (await night(database))[0] == "children.rederive"
    assert (await stored(database, here.id))["categories"] == []


async def test_a_row_that_knew_of_no_such_day_is_due_at_once(database: Database) -> None:
    child: ChildRef = await a_child(database, VILLAGE)
    async with database.begin(SYSTEM) as tx:
        due = "SELECT count(*) FROM children WHERE next_change_on <= $1 AND id = $2"
        assert await tx.connection.fetchval(due, date(2000, 1, 1), child.id) == 1


def test_what_derives_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = derivation.made_by()
    assert len(made) == 16
    assert derivation.made_by.__wrapped__() == made
    monkeypatch.setattr(derivation.policy, "values", lambda: values()[1:])
    assert derivation.made_by.__wrapped__() != made
    monkeypatch.undo()
    for each in derivation._RULES:  # how values of the policy are looked up, too
        left = [one for one in derivation._RULES if one != each]
        monkeypatch.setattr(derivation, "_RULES", left)
        assert derivation.made_by.__wrapped__() != made
        monkeypatch.undo()
    assert Path(policy_rules.__file__) in derivation._RULES


async def test_what_will_be_written_is_held(live_database: Database) -> None:
    """Else somebody writes it after it was found to be as read, and that is lost."""
    child = await a_child(live_database, VILLAGE)
    async with live_database.begin(SYSTEM) as tx, live_database.begin(SYSTEM) as other:
        rows = await tx.connection.fetch(rederiving._NEXT, COUNTY, rederiving.FIRST, 500)
        held = await rederiving._held(tx, COUNTY, rows)
        assert [row["id"] for row in held] == [child.id]
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with other.connection.transaction():
                await other.connection.execute("SELECT FROM children FOR SHARE NOWAIT")
