"""What attendance does to alerts by itself (EDU-01, EDU-02, I6)."""

from datetime import date, timedelta

import pytest

from app.attendance.events import AbsencesRecorded
from app.core.data.db import SYSTEM
from app.dropout_alerts.jobs import reassess
from app.dropout_alerts.queries import thresholds
from tests.attendance.factories import a_school, an_event, push
from tests.children.factories import moved
from tests.dropout_alerts.factories import a_report, an_attempt, everyone
from tests.jobs import run_jobs

WEEK = [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]
SIX = ["2026-11-13", *WEEK]


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def pupil(database, around):
    return await around.school.pupil(database)


class TestOpening:
    async def test_one_open_alert_however_many_batches_say_so(self, around, pupil) -> None:
        for day in WEEK[2:]:
            await around.absent(pupil.id, day)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["unexcused_days"]) == ("absent", 3)
        assert (alert["first_absent_day"], alert["last_absent_day"]) == (WEEK[2], WEEK[4])
        assert await around.announced() == ["alert_opened"]

    async def test_it_stands_in_the_record_as_done_by_rule_out_of_duty(
        self, around, pupil, database
    ) -> None:
        await around.absent(pupil.id, *WEEK)
        async with database.begin(SYSTEM) as tx:
            entry = await tx.connection.fetchrow(
                "SELECT actor, role, purpose, child_ids FROM audit_entries"
                " WHERE operation = 'dropout_alerts.reassess'"
            )
        assert tuple(entry) == ("system", "system", "duty", [pupil.id])

    async def test_the_same_batch_five_times_opens_one(self, around, pupil, database) -> None:
        events = [an_event(pupil.id, day) for day in WEEK]
        for _ in range(5):
            await push(around.client, around.school, *events)
        await run_jobs(database)
        assert len(await around.alerts()) == 1
        assert await around.announced() == ["alert_opened"]

    async def test_a_second_run_of_the_job_changes_nothing(self, around, pupil, database) -> None:
        await around.absent(pupil.id, *WEEK)
        before = await around.alert(pupil.id)
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "INSERT INTO jobs (name, payload) SELECT 'dropout_alerts.reassess',"
                " jsonb_build_object('event', id) FROM events"
                " WHERE wire_name = 'attendance.absences_recorded'"
            )
        assert "dropout_alerts.reassess" in await run_jobs(database)
        assert await around.alert(pupil.id) == before

    async def test_the_register_comes_at_its_own_threshold(self, around, pupil) -> None:
        await around.absent(pupil.id, *SIX[:5])
        assert (await around.alert(pupil.id))["state"] == "absent"
        await around.absent(pupil.id, SIX[5])
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["registered_on"]) == ("registered", "2026-11-20")
        assert await around.announced() == ["alert_opened", "child_registered"]

    async def test_thresholds_are_the_regions(self, now) -> None:
        assert thresholds(120119101000, now.date()).register_after == 6
        assert thresholds(211381000000, now.date()).register_after == 20

    async def test_it_moves_with_every_day_that_is_missed_excused_or_told_late(
        self, around, pupil
    ) -> None:
        async def stands() -> tuple[str, str, int]:
            alert = await around.alert(pupil.id)
            return (alert["first_absent_day"], alert["last_absent_day"], alert["unexcused_days"])

        await around.absent(pupil.id, WEEK[3])
        assert await stands() == (WEEK[3], WEEK[3], 1)
        await around.absent(pupil.id, WEEK[4])
        assert await stands() == (WEEK[3], WEEK[4], 2)
        await around.absent(pupil.id, WEEK[2])
        assert await stands() == (WEEK[2], WEEK[4], 3)
        await around.absent(pupil.id, WEEK[2], category="excused", sequence=1)
        assert await stands() == (WEEK[3], WEEK[4], 2)

    async def test_leave_and_lateness_open_nothing(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[3], category="excused")
        await around.absent(pupil.id, WEEK[4], category="late")
        assert await around.alerts() == []


class TestClosingByItself:
    async def test_a_late_excuse_closes_it(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[4])
        await around.absent(pupil.id, WEEK[4], category="excused", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["end_reason"]) == ("closed", "excused")
        assert await around.announced() == ["alert_opened", "alert_closed"]

    async def test_what_is_only_taken_back_is_no_leave_and_a_person_is_asked(
        self, around, pupil
    ) -> None:
        """Neither does a day on which it was seen before the absence bring it back."""
        await around.absent(pupil.id, "2026-11-12", category="present")
        await around.absent(pupil.id, *WEEK)
        events = [an_event(pupil.id, day, category="withdrawn", sequence=1) for day in WEEK]
        await push(around.client, around.school, *events)
        await run_jobs(around.database)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["doubt"], alert["unexcused_days"]) == (
            "absent",
            "fewer_days",
            0,
        )
        assert "settleDoubt" in alert["permitted"]
        assert await around.announced() == ["alert_opened", "alert_doubted"]

    async def test_leave_that_is_told_after_all_closes_it(self, around, pupil) -> None:
        await around.absent(pupil.id, *WEEK[3:])
        for sequence, category in enumerate(("withdrawn", "excused"), 1):
            await around.absent(pupil.id, *WEEK[3:], category=category, sequence=sequence)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["end_reason"], alert["doubt"]) == ("closed", "excused", None)

    async def test_leave_of_another_day_is_none_for_one_on_which_it_was_there_after_all(
        self, around, pupil
    ) -> None:
        """The last morning it missed has neither leave nor anybody who saw it since."""
        await around.absent(pupil.id, WEEK[0])
        await around.absent(pupil.id, WEEK[1], category="excused")
        await around.absent(pupil.id, WEEK[2], session="morning")
        await around.absent(pupil.id, WEEK[0], category="present", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["doubt"]) == ("absent", "fewer_days")

    async def test_leave_for_one_day_and_nothing_for_the_other_is_asked(
        self, around, pupil
    ) -> None:
        await around.absent(pupil.id, *WEEK[3:])
        await around.absent(pupil.id, WEEK[3], category="excused", sequence=1)
        await around.absent(pupil.id, WEEK[4], category="withdrawn", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["doubt"]) == ("absent", "fewer_days")

    async def test_present_after_all_is_a_record_that_it_was_there(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[4])
        await around.absent(pupil.id, WEEK[4], category="present", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["returned_on"]) == ("returned", WEEK[4])

    async def test_an_excuse_that_arrives_first_opens_nothing(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[4], category="excused", sequence=1)
        await around.absent(pupil.id, WEEK[4])
        assert await around.alerts() == []

    async def test_being_back_closes_it(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[3])
        await around.absent(pupil.id, WEEK[4], category="present")
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["end_reason"]) == ("returned", "attended")
        assert alert["returned_on"] == WEEK[4]

    async def test_not_being_named_is_not_being_back(self, around, pupil, database) -> None:
        """Another class is heard of, and the child's own leaves it out."""
        classmate = await around.school.pupil(database)
        await around.absent(pupil.id, WEEK[0])
        for day in WEEK[1:4]:
            await around.absent(classmate.id, day)
            await around.absent(classmate.id, day, category="present", sequence=1)
        assert (await around.alert(pupil.id))["state"] == "absent"

    async def test_five_days_leave_by_telephone_and_five_days_register(self, around, pupil) -> None:
        days = [f"2026-11-{day:02}" for day in (5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19)]
        await around.absent(pupil.id, *days[:5])
        await around.absent(pupil.id, days[5], category="excused")
        await around.absent(pupil.id, *days[6:])
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["unexcused_days"]) == ("registered", 10)

    async def test_three_days_a_week_for_four_weeks_register(self, around, pupil) -> None:
        mondays = [f"2026-{day}" for day in ("10-26", "11-02", "11-09", "11-16")]
        for monday in mondays:
            for n, category in enumerate(("unexcused", "present") * 2 + ("unexcused",)):
                day = date.fromisoformat(monday) + timedelta(n)
                await around.absent(pupil.id, day.isoformat(), category=category)
        states = sorted(alert["state"] for alert in await around.alerts())
        assert states[0] == "registered"
        assert set(states[1:]) == {"returned"}

    async def test_mornings_only_for_three_weeks_open_one(self, around, pupil) -> None:
        for day in ("11-02", "11-03", "11-04", "11-05", "11-06", *[d[5:] for d in WEEK]):
            morning, afternoon = [
                an_event(pupil.id, f"2026-{day}", session=half, category=category)
                for half, category in (("morning", "unexcused"), ("afternoon", "present"))
            ]
            await push(around.client, around.school, morning, afternoon)
        await run_jobs(around.database)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["unexcused_days"]) == ("absent", 5)

    async def test_a_new_absence_opens_a_new_one(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[2])
        await around.absent(pupil.id, WEEK[3], category="present")
        await around.absent(pupil.id, WEEK[4])
        states = [alert["state"] for alert in await around.alerts()]
        assert states == ["absent", "returned"]

    async def test_after_the_report_an_excuse_amends(self, around, pupil) -> None:
        await around.absent(pupil.id, *WEEK)
        alert = await around.alert(pupil.id)
        failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
        await around.step(around.teacher, failed.json(), "written-report", a_report())
        for day in WEEK:
            await around.absent(pupil.id, day, category="excused", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["unexcused_days"]) == ("written_report_sent", 0)
        announced = await around.announced()
        assert announced.count("alert_amended") == 5
        assert announced.count("alert_doubted") == 1  # what is left would not have opened it


class TestBudget:
    async def test_statements_do_not_grow_with_the_children(
        self, around, database, queries
    ) -> None:
        pupils = [await around.school.pupil(database) for _ in range(12)]
        spent = []
        for group in (pupils[:1], pupils[1:2], pupils[2:]):  # the first also looks up types
            await push(around.client, around.school, *(an_event(pupil.id) for pupil in group))
            async with database.begin(SYSTEM) as tx:
                announced = await tx.connection.fetchval(
                    "SELECT data::text FROM events"
                    " WHERE wire_name = 'attendance.absences_recorded'"
                    " ORDER BY id DESC LIMIT 1"
                )
                queries.clear()
                await reassess(tx, AbsencesRecorded.model_validate_json(announced))
                spent.append(len(queries))
        assert spent[1] == spent[2] <= 19, queries.statements
        assert len(await around.alerts()) == 12


async def test_another_schools_alert_is_kept_when_a_child_moves(
    around, pupil, database, settings
) -> None:
    await around.absent(pupil.id, WEEK[3])
    other = await a_school(database, settings)
    await moved(database, pupil.id, school_id=other.id)
    await push(around.client, other, an_event(pupil.id, WEEK[4]))
    await run_jobs(database)
    assert len(await around.alerts()) == 1
