"""What the calendar brought into a file in nights that were missed is told with its day."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.children import derivation
from app.children.rules import Derived
from app.children.sections import File
from app.children.told import Told
from app.core.data.db import SYSTEM, Database
from app.core.ids import new_id
from app.core.jobs import queue
from tests.access.factories import a_caller
from tests.conftest import VILLAGE
from tests.jobs import run_jobs, told


async def night(database: Database) -> None:
    async with database.begin(SYSTEM) as tx:
        await queue.enqueue(tx.connection, "children.rederive", [{}])
    await run_jobs(database)


IMPRISONED: dict[str, Any] = {
    "family": {
        "parents": [
            {
                "role": role,
                "name": name,
                "guardianship_capacity": "full",
                "statuses": [{"status": "imprisoned", "since": "2026-06-10"}],
            }
            for role, name in (("father", "样大甲"), ("mother", "样大乙"))
        ]
    }
}


async def said(database: Database, child_id: str) -> list[dict[str, Any]]:
    rows = await told(database, "children.categories_changed")
    return [row["data"] for row in rows if str(row["subject_id"]) == child_id]


@pytest.mark.parametrize("found_by", ["night", "change", "tell"])
@pytest.mark.parametrize(("day", "late"), [(10, False), (11, True), (41, True)])
async def test_what_was_so_before_it_was_found_is_told_with_its_day(
    client, open_file, director, database: Database, settings, now, found_by, day, late
) -> None:
    """Of what came, and not of what went; whoever looks at the file first tells."""
    opened = (await open_file(director, **IMPRISONED)).json()
    child_id = opened["id"]
    await night(database)
    async with database.begin(SYSTEM) as tx:
        next_on = await tx.connection.fetchval("SELECT next_change_on FROM children")
    assert next_on == date(2026, 12, 10)
    before = await said(database, child_id)
    then = now.replace(day=1, month=12) + timedelta(days=day - 1)
    database.clock = lambda: then
    if found_by == "night":
        await night(database)
    elif found_by == "change":
        etag = f'"{opened["version"]}"'
        caller = await a_caller(database, settings, "village_director", VILLAGE)
        answer = await client.patch(
            f"/v1/children/{child_id}",
            json={"welfare": {"poor": True}},
            headers={**caller.headers, "if-match": etag},
        )
        assert answer.status_code == 200, answer.text
    else:
        async with database.begin(SYSTEM) as tx:
            day_of = {"since": then.date(), "until": None}
            fact = Told(kind="harmed", source_id=new_id(), stated_by=None, **day_of)
            await derivation.tell(tx, UUID(child_id), fact.kind, fact.source_id, fact)
    (news,) = (await said(database, child_id))[len(before) :]
    assert "unattended" in news["added"]
    assert news["held_since"].get("unattended") == ("2026-12-10" if late else None)


DAYS = {
    date(2026, 12, 9): (("left_behind",), date(2026, 12, 10)),
    date(2026, 12, 10): (("left_behind", "orphan", "unattended"), date(2026, 12, 20)),
    date(2026, 12, 20): (("left_behind", "unattended"), date(2027, 1, 5)),
    date(2027, 1, 5): (("left_behind", "orphan", "unattended"), date(2027, 1, 20)),
}


def test_what_came_has_held_since_it_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other rules bring, and not the calendar, is of today."""
    monkeypatch.setattr(
        derivation,
        "derive",
        lambda _file, _place, day, _told: Derived(DAYS[day][0], (), next_change_on=DAYS[day][1]),
    )
    before = {"categories": [], "priority_flags": [], "told": "[]", "region_code": VILLAGE}
    now = Derived(("disabled", "left_behind", "orphan", "unattended"), ())
    for named, held in (
        (date(2026, 12, 10), {"orphan": date(2027, 1, 5), "unattended": date(2026, 12, 10)}),
        (date(2027, 1, 20), {}),
        (date.min, {}),
        (None, {}),
    ):
        row = {**before, "next_change_on": named}
        assert derivation.held_since(row, File(), now, date(2027, 1, 20)) == held
