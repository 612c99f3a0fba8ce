"""A row written while its child moves ends up where the child is, whoever comes first."""

from collections.abc import Awaitable, Callable

import pytest

from tests.at_once import at_once
from tests.attendance.factories import an_event, push
from tests.below.conftest import Town, with_alert
from tests.below.places import rows, strays
from tests.jobs import run_jobs


async def _open_alert(town: Town) -> None:
    await run_jobs(town.database)


async def _absent_before(town: Town) -> None:
    days = ("2026-11-18", "2026-11-19", "2026-11-20")
    await push(town.client, town.school, *(an_event(town.child, day) for day in days))


async def _nothing(town: Town) -> None:
    pass


WRITES: dict[str, tuple[Callable[[Town], Awaitable[None]], Callable[[Town], Awaitable[object]]]] = {
    "visits": (_nothing, Town.record_visit),
    "visit_versions": (_nothing, Town.correct_visit),
    "attendance_events": (_nothing, Town.push_absence),
    "attendance_slots": (_nothing, Town.push_absence_by_number),
    "dropout_alerts": (_absent_before, _open_alert),
    "dropout_persuasions": (with_alert, Town.persuade),
}


@pytest.mark.parametrize("first", ["move", "write"])
@pytest.mark.parametrize("table", WRITES)
async def test_a_row_and_a_move_wait_for_each_other(town, database_urls, table, first) -> None:
    before, write = WRITES[table]
    await before(town)
    held = (await rows(town.database))[table]
    waiters = (
        [town.move, lambda: write(town)] if first == "move" else [lambda: write(town), town.move]
    )
    answers = await at_once(town.database, database_urls.owner, *waiters)
    assert [a.status_code for a in answers if a is not None and a.status_code >= 300] == []
    assert (await rows(town.database))[table] == held + 1
    assert await strays(town.database) == {}
