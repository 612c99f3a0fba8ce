"""Evidence is not refused for a clock: it is taken, marked, and does not count before its day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, an_event, codes, push, statuses
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs

TODAY, TOMORROW = "2026-11-20", "2026-11-21"
MONDAY = "2026-11-23"


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def pupil(around, database):
    return await around.school.pupil(database)


def doubts(answer) -> list[str | None]:
    return [result["doubt"] for result in answer.json()["results"]]


@pytest.mark.parametrize(
    ("day", "fields", "doubt"),
    [
        (TODAY, {}, None),
        (TODAY, {"time": "2026-11-20T23:59:00+08:00"}, None),
        (TODAY, {"time": "2029-01-01T00:00:00Z"}, "clock"),
        (TODAY, {"time": "1970-01-01T00:00:00Z"}, "clock"),
        (MONDAY, {}, "day_ahead"),
        (MONDAY, {"category": "present"}, "day_ahead"),
        (MONDAY, {"category": "excused", "time": "2026-11-20T08:00:00+08:00"}, None),  # leave
        ("2026-12-31", {"category": "excused"}, "day_ahead"),
        ("2025-10-16", {}, None),  # 400 days back
        ("2025-10-15", {}, "long_ago"),
        ("2019-09-02", {}, "long_ago"),
        ("2019-09-02", {"time": "2026-11-20T08:00:00+08:00"}, "long_ago"),
        ("2019-09-02", {"time": "2018-01-01T00:00:00Z"}, "clock"),
        (TODAY, {"time": "0001-01-01T00:00:00Z"}, "clock"),
        (TODAY, {"time": "9999-12-31T23:59:59Z"}, "clock"),
    ],
)
async def test_it_is_taken_and_marked(client, around, pupil, day, fields, doubt) -> None:
    event = an_event(pupil.id, day, **fields)
    answer = await push(client, around.school, event)
    assert (statuses(answer), doubts(answer)) == (["accepted"], [doubt])
    read = await client.get(
        "/v1/attendance-events",
        headers=around.teacher.headers,
        params={"child_id": str(pupil.id), "since": "1990-01-01"},
    )
    (stored,) = read.json()["items"]
    assert (stored["doubt"], stored["school_day"]) == (doubt, day)


async def test_a_day_ahead_counts_on_its_day_and_not_before(
    client, around, pupil, database, now
) -> None:
    await push(client, around.school, an_event(pupil.id, MONDAY, time="2026-11-20T08:00:00+08:00"))
    await run_jobs(database)
    assert await around.alerts() == []
    async with database.begin(SYSTEM) as tx:
        (wait,) = await tx.connection.fetch(
            "SELECT run_at - now() AS wait FROM jobs WHERE name = 'attendance.day_came'"
        )
        await tx.connection.execute("UPDATE jobs SET run_at = now()")
    assert wait["wait"] == timedelta(days=2, hours=14)  # from ten in the morning to midnight
    database.clock = lambda: now + timedelta(days=3)
    await run_jobs(database)
    database.clock = lambda: now
    (alert,) = await around.alerts()
    assert (alert["first_absent_day"], alert["unexcused_days"]) == (MONDAY, 1)


async def test_a_day_next_year_is_kept_and_never_counts(client, around, pupil, database) -> None:
    answer = await push(client, around.school, an_event(pupil.id, "2027-11-19"))
    assert (statuses(answer), codes(answer)) == (["accepted"], ["too_far_ahead"])
    async with database.begin(SYSTEM) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM attendance_slots") == 0


async def test_a_clock_hours_ahead_is_believed_no_further_than_to_when_it_was_received(
    client, around, pupil
) -> None:
    first = await push(client, around.school, an_event(pupil.id, time="2026-11-20T23:59:00+08:00"))
    assert doubts(first) == [None]
    next_word = an_event(pupil.id, category="present", time="2026-11-20T10:30:00+08:00")
    assert codes(await push(client, around.school, next_word)) == ["applied"]


async def test_a_clock_years_ahead_does_not_hold_against_the_next_word(
    client, around, pupil
) -> None:
    await push(client, around.school, an_event(pupil.id, time="2029-01-01T00:00:00Z"))
    next_word = an_event(pupil.id, category="present", time="2026-11-20T10:30:00+08:00")
    answer = await push(client, around.school, next_word)
    assert codes(answer) == ["applied"]


async def test_a_clock_that_fell_back_to_its_beginning_says_the_next_word_all_the_same(
    client, around, pupil
) -> None:
    """What counts of it is when it was received; within one batch, too."""
    await push(client, around.school, an_event(pupil.id))
    fallen = an_event(pupil.id, category="present", time="1970-01-01T00:00:00Z")
    assert codes(await push(client, around.school, fallen)) == ["applied"]
    late = an_event(pupil.id, time="2026-11-20T09:59:00+08:00")
    assert codes(await push(client, around.school, late)) == ["superseded"]


async def test_the_last_day_that_is_believed_ahead_is_a_month_away(
    client, around, pupil, database
) -> None:
    days = ("2026-12-21", "2026-12-22")
    said_at = "2026-11-20T08:00:00+08:00"
    events = [an_event(pupil.id, day, category="excused", time=said_at) for day in days]
    answer = await push(client, around.school, *events)
    assert codes(answer) == ["applied", "too_far_ahead"]
    async with database.begin(SYSTEM) as tx:
        rows = await tx.connection.fetch("SELECT school_day::text FROM attendance_slots")
    assert [row[0] for row in rows] == ["2026-12-21"]
    before = an_event(pupil.id, days[0], category="excused", time="2026-11-20T07:00:00+08:00")
    assert codes(await push(client, around.school, before)) == ["superseded"]


class TestLongAgo:
    """However late a day is told: it is kept, says what the day was, and opens no alert."""

    DAYS = ("2025-09-01", "2025-09-02", "2025-09-03", "2025-09-04", "2025-09-05", "2025-09-08")

    async def test_it_opens_no_alert_of_itself(self, around, pupil) -> None:
        answer = await around.absent(pupil.id, *self.DAYS)
        assert set(codes(answer)) == {"applied"}
        assert await around.alerts() == []

    async def test_an_alert_of_then_counts_what_is_said_now(
        self, client, database, settings, now
    ) -> None:
        database.clock = lambda: datetime(2025, 9, 8, 12, tzinfo=UTC)
        then = await everyone(client, database, settings)
        pupil = await then.school.pupil(database)
        await then.absent(pupil.id, *self.DAYS)
        (alert,) = await then.alerts()
        assert (alert["state"], alert["unexcused_days"]) == ("registered", 6)
        database.clock = lambda: now
        who = {"agency_id": then.school.id}
        system = await a_caller(database, settings, "school_system", TOWNSHIP, **who)
        excused = an_event(pupil.id, self.DAYS[-1], category="excused", sequence=1)
        answer = await push(client, replace(then.school, system=system), excused)
        assert (codes(answer), doubts(answer)) == (["applied"], ["long_ago"])
        await run_jobs(database)
        teacher = await a_caller(database, settings, "school", TOWNSHIP, **who)
        (alert,) = await then.alerts(teacher)
        assert (alert["state"], alert["unexcused_days"]) == ("registered", 5)

    async def test_a_roll_of_long_ago_is_kept_too(self, client, around) -> None:
        roll = {**an_event(uuid4(), "2019-09-02"), "category": "roll", "class_name": "一班"}
        answer = await push(
            client, around.school, {k: v for k, v in roll.items() if k != "student"}
        )
        assert (statuses(answer), doubts(answer)) == (["accepted"], ["long_ago"])


@pytest.mark.parametrize(
    ("day", "doubt"), [("0001-01-01", "long_ago"), ("0002-06-01", "long_ago"), (None, "day_ahead")]
)
async def test_a_day_that_cannot_be_keeps_back_no_other(
    client, database, around, pupil, day, doubt
) -> None:
    day, said_at = day or "9999-12-31", "2026-11-20T08:00:00+08:00"
    events = [an_event(pupil.id, TODAY), an_event(pupil.id, day, time=said_at)]
    answer = await push(client, around.school, *events)
    assert (statuses(answer), doubts(answer)) == (["accepted", "accepted"], [None, doubt])
    await run_jobs(database)
    assert [alert["state"] for alert in await around.alerts(around.teacher)] == ["absent"]
    again = await push(client, around.school, *events)
    assert statuses(again) == ["duplicate", "duplicate"]
