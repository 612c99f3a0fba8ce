from datetime import date

import pytest

from app.children.jobs import follow_region_change
from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.regions import following
from app.regions.events import RegionReplaced
from app.regions.operations import replace_region
from tests.access.factories import a_caller
from tests.at_once import behind
from tests.children.factories import a_child, a_file
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

VILLAGE, NEXT_VILLAGE, COUNTY = 120119101200, 120119102200, 120119000000
ELSEWHERE = 120118101201


async def test_a_place_with_another_code_keeps_its_children_and_their_workers(
    client, database, settings
) -> None:
    await some_regions(database, VILLAGE)
    child = await a_child(database, VILLAGE)
    system = await a_caller(database, settings, "civil_affairs", COUNTY, machine=True)
    director = await a_caller(database, settings, "village_director", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(database)
    for caller in (system, director):
        answer = await client.get(f"/v1/children/{child.id}", headers=caller.headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["residence"]["region_code"] == "120120101200"
    async with database.begin(SYSTEM) as tx:
        row = await tx.connection.fetchrow("SELECT home_county, version FROM children")
    assert tuple(row) == (COUNTY, 1)


async def test_in_a_place_with_another_code_all_is_due_to_be_derived_anew(database) -> None:
    """It may be another place's policy; nobody waits for a day that was reckoned by the old one."""
    await some_regions(database, VILLAGE)
    await a_child(database, VILLAGE)
    next_on = "SELECT next_change_on FROM children"
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET next_change_on = '2030-01-01'")
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval(next_on) == tx.today


async def test_a_second_file_opened_after_the_change_is_referred(
    client, database, settings
) -> None:
    """REG-03: one child, one file, whichever code the county had when the first was opened."""
    await some_regions(database, VILLAGE, NEXT_VILLAGE)
    directors = [
        await a_caller(database, settings, "village_director", place)
        for place in (VILLAGE, NEXT_VILLAGE)
    ]
    opened = []
    for director, place in zip(directors, (VILLAGE, NEXT_VILLAGE), strict=True):
        file = a_file(place)
        file["identity"]["resident_id"] = None
        answer = await client.post("/v1/children", json=file, headers=director.headers)
        assert answer.status_code == 201, answer.text
        opened.append(answer.json()["id"])
        if place == VILLAGE:
            await run_jobs(database)
            async with database.begin(SYSTEM) as tx:
                await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        referrals = await tx.connection.fetch(
            "SELECT child_id::text, other_child_id::text FROM duplicate_referrals"
        )
    assert [tuple(row) for row in referrals] == [(opened[1], opened[0])]


async def shift_files(tx, event: RegionReplaced) -> None:
    await following.shift(tx, event, "children", "region_code", keys=("home_county", "id"))


@pytest.mark.parametrize("follow", [follow_region_change, shift_files])
async def test_a_set_that_others_moved_meanwhile_is_not_the_last(
    live_database, monkeypatch, follow
) -> None:
    monkeypatch.setattr(following, "BATCH", 2)
    for _ in range(3):
        await a_child(live_database, VILLAGE)
    away = "(SELECT id FROM children ORDER BY region_code, id LIMIT 2)"
    held = f"UPDATE children SET region_code = {NEXT_VILLAGE} WHERE id IN {away}"
    event = RegionReplaced(
        subject_id=new_id(),
        region_code=VILLAGE,
        home_county=COUNTY,
        old_lo=VILLAGE,
        old_hi=VILLAGE + 1000,
        shift=1_000_000,
        on=date(2026, 7, 1),
    )

    async def replaced() -> None:
        async with live_database.begin(SYSTEM) as tx:
            await follow(tx, event)

    await behind(live_database, held, replaced)
    async with live_database.begin(SYSTEM) as tx:
        lived = await tx.connection.fetch("SELECT region_code FROM children ORDER BY id")
    assert [row["region_code"] for row in lived] == [
        NEXT_VILLAGE,
        NEXT_VILLAGE,
        VILLAGE + 1_000_000,
    ]


async def test_whoever_asks_what_changed_hears_of_each_file_in_which_a_code_is_another(
    database,
) -> None:
    """Of children who live elsewhere and are registered there, too: copies go by `updated_at`."""
    await some_regions(database, VILLAGE)
    hukou = {"registered": True, "type": "rural", "region_code": str(VILLAGE)}
    here, there = await a_child(database, VILLAGE), await a_child(database, ELSEWHERE, hukou=hukou)
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET updated_at = '2026-01-01'")
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(database)
    async with database.begin(SYSTEM) as tx:
        changed = "SELECT id, hukou FROM children WHERE updated_at > '2026-01-01'"
        rows = {row["id"]: row["hukou"] for row in await tx.connection.fetch(changed)}
    assert rows.keys() == {here.id, there.id}
    assert rows[there.id]["region_code"] == "120120101200"
