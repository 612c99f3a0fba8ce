"""Every step on an alert is refused out of turn, to the next school, and on impossible days."""

from typing import Any

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, a_school
from tests.children.factories import moved
from tests.dropout_alerts.factories import a_report, an_attempt, everyone

BY_SCHOOL: dict[str, Any] = {
    "parent-contacts": {"spoken_on": "2026-11-20", "method": "phone"},
    "persuasions": an_attempt(),
    "register-entries": {"cause": "working", "whereabouts": "working_away"},
    "written-report": a_report(),
    "return": {"returned_on": "2026-11-20", "kind": "same_school"},
}
BY_ADDRESSEE: dict[str, Any] = {
    "written-report/receipt": None,
    "measures": {"kind": "aid", "ordered_on": "2026-11-20"},
}
DAYS = {"persuasions": "persuaded_on", "return": "returned_on", "measures": "ordered_on"}


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def reported(database, around):
    """An alert about which the school has written."""
    pupil = await around.school.pupil(database)
    await around.absent(pupil.id, "2026-11-19", "2026-11-20")
    alert = await around.alert(pupil.id)
    for path, body in (("persuasions", an_attempt(final=True)), ("written-report", a_report())):
        answer = await around.step(around.teacher, alert, path, body)
        assert answer.status_code == 201, answer.text
        alert = answer.json()
    return alert


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def denied(database) -> list[str]:
    """Which refusals stand in the record."""
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT rule FROM audit_entries WHERE decision = 'denied'")
    return [row["rule"] for row in rows]


@pytest.mark.parametrize("path", [*BY_SCHOOL, *BY_ADDRESSEE])
async def test_a_closed_alert_admits_nothing(database, around, reported, path: str) -> None:
    async with database.begin(SYSTEM) as tx:
        await tx.connection.execute(
            "UPDATE dropout_alerts SET state = 'closed', end_reason = 'excused', ended_on = $1",
            tx.today,
        )
    caller = around.teacher if path in BY_SCHOOL else around.township
    body = {**BY_SCHOOL, **BY_ADDRESSEE}[path]
    answer = await around.step(caller, reported, path, body)
    assert problem(answer) == (409, "transition-not-allowed")
    assert "The alert is closed" in answer.json()["detail"]


@pytest.mark.parametrize("path", BY_SCHOOL)
async def test_the_next_school_takes_no_step(
    database, settings, around, reported, path: str
) -> None:
    other = await a_school(database, settings)
    await moved(database, reported["child_id"], school_id=other.id)
    answer = await around.step(other.system, reported, path, BY_SCHOOL[path])
    assert problem(answer) == (403, "not-of-your-school")
    assert await denied(database) == ["not-of-your-school"]


@pytest.mark.parametrize("path", BY_ADDRESSEE)
async def test_who_was_not_addressed_takes_no_step(
    database, settings, around, reported, path: str
) -> None:
    second = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    answer = await around.step(second, reported, path, BY_ADDRESSEE[path])
    assert problem(answer) == (403, "not-addressed")
    assert await denied(database) == ["not-addressed"]


@pytest.mark.parametrize("path", [*BY_SCHOOL, *BY_ADDRESSEE])
async def test_no_step_on_what_has_changed_meanwhile(around, reported, path: str) -> None:
    caller = around.teacher if path in BY_SCHOOL else around.township
    seen = {**reported, "version": reported["version"] - 1}
    answer = await around.step(caller, seen, path, {**BY_SCHOOL, **BY_ADDRESSEE}[path])
    assert problem(answer) == (412, "precondition-failed")


@pytest.mark.parametrize("path", DAYS)
@pytest.mark.parametrize("day", ["2026-11-21", "0001-01-01", "9999-12-31"])
async def test_no_step_for_its_day_which_is_marked(around, reported, path: str, day: str) -> None:
    caller = around.teacher if path in BY_SCHOOL else around.township
    body = {**BY_SCHOOL, **BY_ADDRESSEE}[path] | {DAYS[path]: day}
    answer = await around.step(caller, reported, path, body)
    assert answer.is_success, answer.text
    kept = answer.json() if path == "return" else answer.json()[path][-1]
    assert (kept[DAYS[path]], kept["stated_on"]) == ("2026-11-20", day)
