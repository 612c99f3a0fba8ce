"""A child that moves between the look for its county and the lock is found where it is by now."""

import pytest

from app.children import queries, rows
from app.core.data.db import SYSTEM
from tests.at_once import behind
from tests.below.conftest import COUNTY, NEXT_VILLAGE, NUMBER, VILLAGE
from tests.children.factories import a_child, everywhere, moved
from tests.regions.factories import some_regions

ELSEWHERE = 120118101201
_MOVES = "UPDATE children SET region_code = {} WHERE region_code = {}"


@pytest.mark.parametrize("reach", [everywhere(), everywhere(COUNTY, COUNTY + 10**6)])
async def test_a_child_that_moves_before_it_is_held_is_found_where_it_is(patient, reach) -> None:
    await some_regions(patient, VILLAGE, NEXT_VILLAGE)
    child = await a_child(patient, VILLAGE)

    async def hold():
        async with patient.begin(SYSTEM) as tx:
            return await queries.find_many(tx, reach, [child.id])

    (found,) = await behind(patient, _MOVES.format(NEXT_VILLAGE, VILLAGE), hold)
    assert found[child.id].region_code == NEXT_VILLAGE


@pytest.mark.parametrize("hi", [COUNTY + 10**6, COUNTY + 2 * 10**6])
async def test_a_child_that_moves_out_of_reach_before_it_is_held_is_not_found(patient, hi) -> None:
    await some_regions(patient, VILLAGE, ELSEWHERE)
    child = await a_child(patient, VILLAGE)
    ours = everywhere(COUNTY, hi)

    async def hold():
        async with patient.begin(SYSTEM) as tx:
            return await queries.find_many(tx, ours, [child.id])

    (found,) = await behind(patient, _MOVES.format(ELSEWHERE, VILLAGE), hold)
    assert found == {}


async def test_all_hold_what_they_found_by_id_where_it_is_now(patient) -> None:
    await some_regions(patient, VILLAGE, ELSEWHERE)
    child = await a_child(patient, VILLAGE)

    async def hold():
        async with patient.begin(SYSTEM) as tx:
            return await queries.hold(tx, [child.id])

    (found,) = await behind(patient, _MOVES.format(ELSEWHERE, VILLAGE), hold)
    held = found[child.id]
    assert (held.home_county, held.region_code) == (COUNTY, ELSEWHERE)


async def test_a_visit_to_a_child_from_another_county_waits_and_is_where_the_child_is(town) -> None:
    child = await a_child(town.database, ELSEWHERE)
    await moved(town.database, child.id, region_code=VILLAGE)
    (answer,) = await behind(
        town.database,
        _MOVES.format(NEXT_VILLAGE, VILLAGE) + f" AND id = '{child.id}'",
        lambda: town.record_visit(str(child.id)),
    )
    assert (answer.status_code, answer.json()["region_code"]) == (201, str(NEXT_VILLAGE))


@pytest.mark.parametrize("goes", [ELSEWHERE, NEXT_VILLAGE])
async def test_a_visit_that_moves_before_it_is_held_is_its_finders_only_if_they_see_it_still(
    town, goes
) -> None:
    ours = everywhere(COUNTY, COUNTY + 10**6)

    async def hold():
        async with town.database.begin(SYSTEM) as tx:
            return await rows.find(tx, ours, town.visit["id"], table="visits", for_update=True)

    moves = _MOVES.format(goes, VILLAGE).replace("children", "visits")
    (found,) = await behind(town.database, moves, hold)
    assert (found is not None) == (goes == NEXT_VILLAGE)


@pytest.mark.parametrize("goes", [ELSEWHERE, NEXT_VILLAGE])
async def test_a_child_known_by_a_number_that_moves_before_it_is_held(town, goes) -> None:
    ours, number = everywhere(COUNTY, COUNTY + 10**6), ("student_status", NUMBER)

    async def hold():
        async with town.database.begin(SYSTEM) as tx:
            return await queries.resolve_external(tx, ours, [number])

    (found,) = await behind(town.database, _MOVES.format(goes, VILLAGE), hold)
    assert [each.region_code for each in found.values()] == [goes] * (goes == NEXT_VILLAGE)
