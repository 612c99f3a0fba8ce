"""Wherever a child moves, everything below it goes along, and nobody left behind sees it."""

from datetime import date
from random import Random

from app.core.data.db import SYSTEM
from app.regions.operations import replace_region
from tests import everywhere
from tests.below.conftest import COUNTY, NEXT_VILLAGE, VILLAGE, Town, with_alert
from tests.below.places import rows, strays
from tests.children.factories import RESIDENT_ID, moved
from tests.dropout_alerts.factories import a_report
from tests.jobs import run_jobs


async def _something_everywhere(town: Town) -> None:
    """Write at least one row into every table below the child."""
    await with_alert(town)
    await town.change(identity={"resident_id": RESIDENT_ID})
    await town.open_again()
    await town.correct_visit()
    assert (await town.persuade()).status_code == 201
    path = f"/v1/dropout-alerts/{town.alert}"
    sent = await town.client.post(
        f"{path}/written-report",
        json=a_report(),
        headers={**town.teacher.headers, "if-match": '"2"'},
    )
    assert sent.status_code == 201, sent.text
    measure = {"kind": "talk_with_guardian", "ordered_on": "2026-11-20"}
    ordered = await town.client.post(
        f"{path}/measures",
        json=measure,
        headers={**town.education.headers, "if-match": '"3"'},
    )
    assert ordered.status_code == 201, ordered.text
    for place in (NEXT_VILLAGE, VILLAGE):
        assert (await town.move(place)).status_code == 200
    async with town.database.begin(SYSTEM) as tx:  # what takes two schools to come about
        await everywhere.fill(tx.connection, await rows(town.database))
    assert await strays(town.database) == {}


async def test_random_moves_take_every_row_along(town) -> None:
    await _something_everywhere(town)
    random = Random(14)
    for _ in range(4):
        answer = await town.move(random.choice([VILLAGE, NEXT_VILLAGE]))
        assert answer.status_code == 200, answer.text
        assert await strays(town.database) == {}
    left = await town.change(education={"school_id": None})
    assert left.status_code == 200, left.text
    assert await strays(town.database) == {}
    async with town.database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT bool_and(pupil_of IS NULL) FROM visits")


async def test_what_lies_below_other_children_stays(town) -> None:
    other = await town.opens_file("样小二", "G000000000000000002")
    await town.record_visit(other)
    assert (await town.move()).status_code == 200
    assert await strays(town.database) == {}


async def test_what_is_in_its_place_already_is_not_written_again(town) -> None:
    versions = "SELECT xmin FROM visits UNION ALL SELECT xmin FROM child_facts"
    async with town.database.begin(SYSTEM) as tx:
        before = await tx.connection.fetch(versions)
    await moved(town.database, town.child)
    async with town.database.begin(SYSTEM) as tx:
        assert await tx.connection.fetch(versions) == before


async def test_a_place_with_another_code_takes_every_row_along(town) -> None:
    await _something_everywhere(town)
    async with town.database.begin(SYSTEM) as tx:
        await replace_region(tx, COUNTY, 120120000000, date(2026, 7, 1))
    await run_jobs(town.database)
    assert await strays(town.database) == {}
    async with town.database.begin(SYSTEM) as tx:
        place = await tx.connection.fetchrow("SELECT region_code, visited_in FROM visits")
        stays = await tx.connection.fetch("SELECT lived_in FROM child_stays")
        staff = await tx.connection.fetch("SELECT DISTINCT region_code FROM staff")
    assert tuple(place) == (120120101200, 120120101200)
    assert len(stays) == 2
    assert all(120120000000 <= row[0] < 120121000000 for row in (*staff, *stays))


async def test_a_move_that_forgets_a_table_is_noticed(town) -> None:
    """The comparison itself: what is not taken along shows."""
    async with town.database.begin(SYSTEM) as tx:
        await tx.connection.execute("UPDATE children SET region_code = $1", NEXT_VILLAGE)
    assert (await strays(town.database))["visits"] == 1
    await moved(town.database, town.child)
    assert await strays(town.database) == {}
