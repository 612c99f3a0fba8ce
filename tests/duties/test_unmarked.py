"""What was due is overdue wherever it is read, though the worker is away and marked nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from app.core.data.db import SYSTEM
from app.duties.explaining import explain
from app.duties.rulebook import rules
from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.duties.conftest import COUNTY, TOWNSHIP, VILLAGE
from tests.duties.factories import announce, ledger, mark_overdue, work
from tests.duties.test_counting import PROVINCE, _count
from tests.duties.test_operations import _open_period

DUE = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
RULES = {"VIS-01", "REP-07", "REG-03.confirm"}


async def _listed(client, caller, query: str) -> set[tuple[str, str]]:
    answer = await client.get(f"/v1/duties{query}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return {(each["rule"], each["state"]) for each in answer.json()["items"]} & {
        (rule, state) for rule in RULES for state in ("open", "overdue")
    }


async def _counted(client, caller, query: str = "?period=2026Q4") -> dict[str, tuple[int, int]]:
    answer = await client.get(f"/v1/duties/summary{query}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    found = {each["rule"]: (each["open"], each["overdue"]) for each in answer.json()["rules"]}
    return {rule: found[rule] for rule in RULES & found.keys()}


@pytest.mark.parametrize(
    ("role", "place"),
    [
        ("village_director", VILLAGE),
        ("township_supervisor", TOWNSHIP),
        ("civil_affairs", COUNTY),
        ("civil_affairs", PROVINCE),
        ("civil_affairs", 0),
    ],
)
async def test_a_list_and_its_filters_have_it_overdue(
    client, database, settings, child, time, role, place
) -> None:
    await _open_period(database)
    time.now = DUE - timedelta(microseconds=1)
    caller = await a_caller(database, settings, role, place)
    both = {("VIS-01", "open"), ("REG-03.confirm", "open")}
    assert await _listed(client, caller, "?state=open") == both
    assert await _listed(client, caller, "?state=overdue") == set()
    time.now = DUE
    late = {("VIS-01", "overdue"), ("REG-03.confirm", "overdue")}
    for marked in (False, True):
        if marked:
            async with database.begin(SYSTEM) as tx:
                await mark_overdue(tx)
        assert await _listed(client, caller, "") == late
        assert await _listed(client, caller, "?state=overdue") == late
        assert await _listed(client, caller, "?state=open") == set()


@pytest.mark.usefixtures("child")
async def test_one_is_overdue_since_it_was_due_and_nobody_was_told(
    client, database, settings, time
) -> None:
    await _open_period(database)
    (duty,) = await ledger(database, "VIS-01")
    time.set(2027, 2, 10)
    caller = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    shown = (await client.get(f"/v1/duties/{duty['id']}", headers=caller.headers)).json()
    assert (shown["state"], shown["overdue_at"]) == ("overdue", "2026-12-31T16:00:00Z")
    assert (shown["told"], shown["version"]) == ([], duty["version"])
    async with database.begin(SYSTEM) as tx:
        said = await explain(tx, rules()["VIS-01"], duty["subject_id"])
    assert "  overdue by now: not marked yet, and nobody was told" in said
    assert not any("found late" in line for line in said)


@pytest.mark.usefixtures("child")
async def test_what_is_late_is_not_waived_though_nobody_marked_it(
    client, database, settings, time
) -> None:
    await _open_period(database)
    query = "?rule=REG-03.confirm&permitted=proposeWaiver"
    time.now = DUE - timedelta(microseconds=1)
    caller = await a_caller(database, settings, "township_supervisor", TOWNSHIP)
    assert await _listed(client, caller, query) == {("REG-03.confirm", "open")}
    time.now = DUE
    assert await _listed(client, caller, query) == set()
    (duty,) = await ledger(database, "REG-03.confirm")
    url = f"/v1/duties/{duty['id']}"
    assert (await client.get(url, headers=caller.headers)).json()["permitted"] == []
    headers = {**caller.headers, "if-match": f'"{duty["version"]}"'}
    refused = await client.post(f"{url}/waiver", json={"reason": "合成"}, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/nothing-owed")


async def test_counts_have_it_overdue_whenever_they_were_made(
    client, database, settings, child, time
) -> None:
    """Of a county from its rows, of a province from what was counted before anything was due."""

    async def each(query: str = "?period=2026Q4") -> list[dict[str, tuple[int, int]]]:
        places = (COUNTY, PROVINCE)
        callers = [await a_caller(database, settings, "civil_affairs", place) for place in places]
        return [await _counted(client, caller, query) for caller in callers]

    await _open_period(database)
    for minute in (1, 2):
        time.set(2026, 11, 20, 1, minute)
        await announce(database, "police_reports.report_filed", child=child)
        await work(database)
    due = sorted(duty["due_at"] for duty in await ledger(database, "REP-07"))
    time.now = due[0] - timedelta(microseconds=1)
    before = await each()
    await _count(database)
    assert [*before, *await each()] == [{**before[0], "VIS-01": (1, 0), "REP-07": (2, 0)}] * 4
    time.now = due[0]
    for found in await each():
        assert found["REP-07"] == (1, 1)
    async with database.begin(SYSTEM) as tx:
        await mark_overdue(tx)
    for found in await each():
        assert found["REP-07"] == (1, 1), "marked since it was counted"
    time.now = DUE
    before = await each()
    await _count(database)
    assert [*before, *await each()] == [{**before[0], "VIS-01": (0, 1), "REP-07": (0, 2)}] * 4
    # What was opened after the count is in none, and so nothing of it fell due.
    time.now += timedelta(minutes=1)
    await announce(database, "police_reports.report_filed", child=child)
    await work(database)
    time.now += timedelta(days=9)
    _, province = await each("?period=2027Q1")
    assert province["REP-07"] == (0, 2)


async def test_a_quarter_says_whether_it_was_opened(client, database, settings, time) -> None:
    """Nothing in it does not say that nobody owes anything."""
    await a_child(database, VILLAGE, categories=["orphan"])
    time.set(2027, 1, 1, 0, 30)
    caller = await a_caller(database, settings, "township_supervisor", TOWNSHIP)

    async def opened(quarter: str) -> bool:
        url = f"/v1/duties/summary?period={quarter}"
        return (await client.get(url, headers=caller.headers)).json()["opened"]

    assert not await opened("2027Q1"), "no night ever was"
    for night, so in (
        (datetime(2026, 12, 31, 15, 59, tzinfo=UTC), False),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), True),
    ):
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                """INSERT INTO job_schedules (name, cron, next_at, begun_at, succeeded_at)
                VALUES ('duties.open_period', '', $1, $1, $1), ('other', '', $2, $2, $2)
                ON CONFLICT (name) DO UPDATE SET succeeded_at = excluded.succeeded_at""",
                night,
                datetime(2028, 1, 1, tzinfo=UTC),
            )
        assert await opened("2027Q1") is so
        assert await opened("2026Q4"), night
    assert not await opened("2027Q2")
