"""What the calendar brought in nights that were missed is owed in each period since."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.core.data.db import SYSTEM
from app.core.ids import new_id
from app.duties.explaining import explain
from app.duties.rulebook import rules
from tests.access.factories import a_caller, an_agency
from tests.children.factories import a_child
from tests.duties.conftest import TOWNSHIP, VILLAGE
from tests.duties.factories import announce, ledger, mark_overdue, visited, work

FOUND = (2027, 1, 20)
_STAYED = """
INSERT INTO child_stays
    (id, home_county, child_id, region_code, lived_in, enrolled_at, since, until)
VALUES ($1, $2, $3, $4, $5, $6, '-infinity', $7)
"""


async def _found(database, child, held_since: dict[str, str], **data: Any) -> None:
    said = {"categories": ["unattended"], "priority_flags": [], **data}
    name = "children.categories_changed"
    await announce(database, name, child=child, subject_id=child.id, held_since=held_since, **said)
    await work(database)


async def _stayed(database, child, place: int, school, until: datetime) -> None:
    async with database.begin(SYSTEM) as tx:
        about = (child.home_county, child.id, child.region_code)
        await tx.connection.execute(_STAYED, new_id(), *about, place, school, until)


def _periods(duties: list[dict[str, Any]]) -> list[str]:
    return sorted(duty["period"] for duty in duties)


async def test_each_period_since_is_owed_and_late_at_once(client, database, settings, time) -> None:
    child = await a_child(database, VILLAGE, categories=["unattended"])
    time.set(*FOUND)
    caller = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    for _ in range(2):
        await _found(database, child, {"unattended": "2026-09-30"})
    duties = await ledger(database, "VIS-01")
    assert _periods(duties) == ["2026Q3", "2026Q4", "2027Q1"]
    url = "/v1/duties?rule=VIS-01&state=overdue"
    late = (await client.get(url, headers=caller.headers)).json()["items"]
    assert [each["period"] for each in late] == ["2026Q3", "2026Q4"]
    assert all(each["opened_at"] > each["due_at"] for each in late), "found late"
    answer = await client.get("/v1/duties/summary?period=2026Q4", headers=caller.headers)
    (whole, *_) = answer.json()["coverage"]
    assert (whole["owed"], whole["gap"]) == (1, 1)
    async with database.begin(SYSTEM) as tx:
        await mark_overdue(tx)
        said = await explain(tx, rules()["VIS-01"], child.id)
    assert sum("found late" in line for line in said) == 2
    states = [duty["state"] for duty in await ledger(database, "VIS-01")]
    assert states == ["overdue", "overdue", "open"]


async def test_is_done_by_what_was_done_then(database, time) -> None:
    child = await a_child(database, VILLAGE, categories=["unattended"])
    time.set(*FOUND)
    await visited(database, child, date(2026, 12, 20), as_role="village_director", place="home")
    await work(database)
    await _found(database, child, {"unattended": "2026-12-10"})
    states = [(duty["period"], duty["state"]) for duty in await ledger(database, "VIS-01")]
    assert states == [("2026Q4", "discharged"), ("2027Q1", "open")]


@pytest.mark.parametrize(
    ("until", "place"),
    [
        (datetime(2027, 1, 5, tzinfo=UTC), VILLAGE + 1),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), VILLAGE + 1),
        (datetime(2026, 12, 31, 15, 59, tzinfo=UTC), VILLAGE),
    ],
)
async def test_is_owed_where_the_child_was_when_it_was_due(database, time, until, place) -> None:
    child = await a_child(database, VILLAGE, categories=["unattended"])
    await _stayed(database, child, VILLAGE + 1, None, until)
    await _stayed(database, child, VILLAGE + 2, None, datetime(2027, 1, 9, tzinfo=UTC))
    time.set(*FOUND)
    await _found(database, child, {"unattended": "2026-12-10"})
    before, now = await ledger(database, "VIS-01")
    assert (before["region_code"], now["region_code"]) == (
        VILLAGE + 2 if place == VILLAGE else place,
        VILLAGE,
    )


@pytest.mark.parametrize(
    ("held_since", "data", "periods"),
    [
        ({"ill": "2026-12-10"}, {"priority_flags": ["ill"]}, ["2027Q1"]),
        ({"unattended": "2027-01-01"}, {}, ["2027Q1"]),
        ({"unattended": "2026-12-31"}, {}, ["2026Q4", "2027Q1"]),
        (
            {"unattended": "2026-12-10"},
            {"categories": ["left_behind", "unattended"]},
            ["2027Q1"],
        ),
        (
            {"unattended": "2026-12-10", "left_behind": "2026-09-10"},
            {"categories": ["left_behind", "unattended"]},
            ["2026Q3", "2026Q4", "2027Q1"],
        ),
    ],
)
async def test_only_what_follows_from_what_was_found_late(
    database, time, held_since, data, periods
) -> None:
    """What a child was anyway was owed, and opened, before."""
    child = await a_child(database, VILLAGE, categories=["unattended"], priority_flags=["ill"])
    time.set(*FOUND)
    await _found(database, child, held_since, **data)
    assert _periods(await ledger(database, "VIS-01")) == periods


async def test_what_a_school_owes_it_owes_if_the_pupil_was_there(database, time) -> None:
    schools = [await an_agency(database, "school", VILLAGE) for _ in range(2)]
    asked = rules()["REG-10.school"].opens.children
    then = datetime(2027, 1, 5, tzinfo=UTC)
    owed_by = []
    for was in (schools[0], None):
        child = await a_child(
            database,
            VILLAGE,
            school_id=schools[1],
            categories=["left_behind"],
            lacking=asked.lacks[:1],
        )
        await _stayed(database, child, VILLAGE, was, then)
        time.set(*FOUND)
        held = {"left_behind": "2026-12-10"}
        await _found(database, child, held, categories=["left_behind"])
        owed_by.append(
            {
                duty["bearer_agency_id"]
                for duty in await ledger(database, "REG-10.school")
                if duty["child_id"] == child.id and duty["due_at"] < then
            }
        )
    assert owed_by == [{schools[0]}, set()]


async def test_the_record_says_who_held_the_post_when_it_was_due(
    client, database, settings, time
) -> None:
    child = await a_child(database, VILLAGE, categories=["unattended"])
    time.set(*FOUND)
    left = await a_caller(database, settings, "village_director", VILLAGE)
    came = await a_caller(database, settings, "village_director", VILLAGE)
    async with database.begin(SYSTEM) as tx:
        held = "UPDATE post_holdings SET since = $2, until = $3 WHERE staff_id = $1"
        day = date(2027, 1, 1)
        await tx.connection.execute(held, left.subject_id, date(2026, 1, 1), day)
        await tx.connection.execute(held, came.subject_id, day, None)
    await _found(database, child, {"unattended": "2026-12-10"})
    supervisor = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    for duty, who in zip(await ledger(database, "VIS-01"), (left, came), strict=True):
        url = f"/v1/duties/{duty['id']}"
        shown = (await client.get(url, headers=supervisor.headers)).json()
        assert [each["staff_id"] for each in shown["held_then"]] == [str(who.subject_id)]
