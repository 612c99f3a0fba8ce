"""However long ago it was: what had ended an alert is taken back from the alert's own first day on,
and an alert opened late is known to whoever would have known of it in time (EDU-01, ADR 23).
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, a_school, an_event, push
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import COUNTY, everyone
from tests.dropout_alerts.test_handing_over import FAR, FAR_COUNTY
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

MAY = [f"2026-05-{day:02}" for day in (11, 12, 13, 14, 15)]
BACK = "2026-05-18"
WEEK = [f"2026-11-{day:02}" for day in (9, 10, 11, 12, 13)]


@pytest.fixture(autouse=True)
async def places(database) -> None:
    await some_regions(database, 120119101200, FAR)


@pytest.fixture
async def in_may(client, database, settings):
    """A pupil, in May."""
    database.clock = lambda: datetime(2026, 5, 19, 8, tzinfo=UTC)
    then = await everyone(client, database, settings)
    education = {"class_name": "三年级2班", "since": "2025-09-01"}
    return then, await a_pupil(client, database, settings, then.school.id, **education)


@pytest.fixture
async def long_ago(client, database, settings, now, in_may):
    """An alert on a pupil in May, who was there again on the day after it; and now."""
    then, pupil = in_may
    await then.absent(pupil.id, *MAY[:2])
    await push(client, then.school, a_roll(BACK))
    await run_jobs(database)
    (alert,) = await then.alerts()
    assert (alert["state"], alert["returned_on"]) == ("returned", BACK)
    return await _now(then, pupil, database, settings, now)


async def _now(then, pupil, database, settings, now):
    database.clock = lambda: now
    who = {"agency_id": then.school.id}
    system = await a_caller(database, settings, "school_system", TOWNSHIP, **who)
    return replace(
        then,
        school=replace(then.school, system=system),
        teacher=await a_caller(database, settings, "school", TOWNSHIP, **who),
        education=await a_caller(
            database,
            settings,
            "education_authority",
            COUNTY,
            agency_id=then.education.agency_id,
        ),
    ), replace(pupil, office=await a_caller(database, settings, "civil_affairs", 120000000000))


class TestLeaveTakenBack:
    """What ended an alert ends it as long as it is said, however long ago that was."""

    @pytest.mark.parametrize("excused", [[0], [1], [0, 1]])
    async def test_after_half_a_year(self, database, settings, now, in_may, excused) -> None:
        then, pupil = in_may
        days = [MAY[n] for n in excused]
        half = {"session": "morning"}
        await then.absent(pupil.id, *MAY[:2], **half)
        told = {"time": "2026-05-13T08:00:00+08:00"}
        await then.absent(pupil.id, *days, category="excused", **told, **half)
        (alert,) = await then.alerts()
        assert (alert["state"], alert["end_reason"]) == ("closed", "excused")
        around, _ = await _now(then, pupil, database, settings, now)
        told = {"time": "2026-11-19T08:00:00+08:00"}
        await around.absent(pupil.id, *days, **told, **half)
        (alert,) = await around.alerts()
        assert (alert["state"], alert["first_absent_day"], alert["unexcused_days"]) == (
            "absent",
            MAY[0],
            1,
        )


class TestReopened:
    async def test_by_a_batch_that_speaks_of_that_day_alone(self, long_ago) -> None:
        around, pupil = long_ago
        await around.absent(pupil.id, BACK)
        (alert,) = await around.alerts()
        assert (alert["state"], alert["first_absent_day"], alert["unexcused_days"]) == (
            "absent",
            MAY[0],
            3,
        )

    async def test_by_an_enrolment_of_that_day_put_right(
        self, long_ago, database, settings
    ) -> None:
        around, pupil = long_ago
        new = await a_school(database, settings)
        await pupil.enrol(new.id, since=MAY[4])
        await run_jobs(database)
        (alert,) = await around.alerts(around.education)
        assert (alert["state"], alert["school_id"]) == ("absent", str(new.id))
        assert (alert["first_absent_day"], alert["unexcused_days"]) == (MAY[0], 2)

    async def test_not_by_what_is_said_of_now(self, long_ago) -> None:
        around, pupil = long_ago
        await around.absent(pupil.id, "2026-11-20")
        assert [each["state"] for each in await around.alerts()] == ["absent", "returned"]


async def test_opened_late_it_is_known_to_every_school_and_bureau_since_its_first_day(
    client, database, settings
) -> None:
    around = await everyone(client, database, settings)
    new, bureau = (
        await a_school(database, settings, FAR),
        await a_caller(database, settings, "education_authority", FAR_COUNTY),
    )
    teacher = await a_caller(database, settings, "school", FAR, agency_id=new.id)
    before = await a_school(database, settings)
    pupil = await a_pupil(client, database, settings, before.id, since="2026-03-01")
    await pupil.enrol(around.school.id, since="2026-09-01")
    await pupil.enrol(new.id, since="2026-11-16")
    await run_jobs(database)
    await push(client, around.school, *(an_event(pupil.id, day) for day in WEEK))
    await run_jobs(database)
    (alert,) = await around.alerts(bureau)
    assert (alert["school_id"], alert["unexcused_days"]) == (str(new.id), 5)
    for caller in (around.teacher, around.education, teacher, bureau):
        read = await client.get(f"/v1/dropout-alerts/{alert['id']}", headers=caller.headers)
        assert read.status_code == 200, "as if it had been opened in time"
    earlier = await a_caller(database, settings, "school", TOWNSHIP, agency_id=before.id)
    hidden = await client.get(f"/v1/dropout-alerts/{alert['id']}", headers=earlier.headers)
    assert hidden.status_code == 404, "the child had left it before"
