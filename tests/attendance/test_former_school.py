"""A school at which a pupil is no longer enrolled ends nothing by its word: somebody must look."""

from datetime import datetime, timedelta

import pytest

from tests.attendance.factories import a_school, an_event, push
from tests.attendance.test_presence import DAY, TUESDAY, doubts, present
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

MONDAY, THURSDAY, TODAY = "2026-11-16", "2026-11-19", "2026-11-20"


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200)
    return await everyone(client, database, settings)


@pytest.fixture
async def new(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(client, database, settings, around):
    return await a_pupil(
        client, database, settings, around.school.id, class_name="三年级2班", since="2026-09-01"
    )


@pytest.fixture
def said(client, database):
    async def push_and_work(school, *events) -> None:
        answer = await push(client, school, *events)
        assert {each["status"] for each in answer.json()["results"]} == {"accepted"}
        await run_jobs(database)

    return push_and_work


@pytest.fixture
def enrolled(database, pupil):
    async def enrol(school_id, **fields) -> None:
        await pupil.enrol(school_id, **fields)
        await run_jobs(database)

    return enrol


@pytest.fixture
async def left(around, new, pupil, said, enrolled) -> None:
    """Missed on Monday at the former school, and at the new one since Wednesday."""
    await said(around.school, an_event(pupil.id, MONDAY))
    await enrolled(new.id, since=DAY)


@pytest.mark.usefixtures("left")
class TestOfOneWhoLeft:
    @pytest.mark.parametrize("category", ["present", "late", "left_early"])
    @pytest.mark.parametrize("day", [DAY, THURSDAY])
    async def test_its_word_alone_ends_no_alert_and_is_doubted(
        self, around, new, pupil, said, day, category
    ) -> None:
        await said(around.school, present(pupil, day, category=category))
        (alert,) = await around.alerts(around.education)
        assert (alert["state"], alert["back_since"]) == ("absent", None)
        (mine,) = await doubts(around, around.teacher)
        assert (mine["school_id"], mine["seen_by_id"], mine["school_day"]) == (
            str(around.school.id),
            str(new.id),
            day,
        )

    async def test_the_word_of_its_school_does(self, around, new, pupil, said) -> None:
        await said(around.school, present(pupil, DAY))
        await said(new, present(pupil, THURSDAY))
        (alert,) = await around.alerts(around.education)
        assert (alert["state"], alert["returned_on"]) == ("returned", THURSDAY)

    async def test_nor_does_its_leave(self, around, pupil, said) -> None:
        await said(around.school, an_event(pupil.id, THURSDAY, category="excused"))
        (alert,) = await around.alerts(around.education)
        assert alert["state"] == "absent"

    async def test_of_many_days_one_is_looked_at(self, around, pupil, said) -> None:
        await said(around.school, present(pupil, DAY), present(pupil, THURSDAY))
        await said(around.school, present(pupil, TODAY))
        assert [each["school_day"] for each in await doubts(around, around.teacher)] == [THURSDAY]

    async def test_a_day_on_which_it_was_there_is_none(self, around, pupil, said) -> None:
        await said(around.school, present(pupil, TUESDAY))
        assert await doubts(around, around.teacher) == []
        (alert,) = await around.alerts(around.education)
        assert (alert["state"], alert["returned_on"]) == ("returned", TUESDAY)


async def test_of_one_who_is_at_no_school_likewise(around, pupil, said, enrolled) -> None:
    await said(around.school, an_event(pupil.id, MONDAY))
    await enrolled(None, status="dropout", since=DAY)
    await said(around.school, present(pupil, THURSDAY))
    (alert,) = await around.alerts(around.education)
    assert alert["state"] == "absent"
    (mine,) = await doubts(around, around.teacher)
    assert (mine["seen_by_id"], mine["school_day"]) == (None, THURSDAY)


class TestNeverThere:
    """The register had the child at a school, and says by now that it never was there."""

    @pytest.fixture(autouse=True)
    async def corrected(self, around, new, pupil, said, enrolled) -> None:
        await said(around.school, an_event(pupil.id, MONDAY), an_event(pupil.id, TUESDAY))
        await enrolled(new.id, since="2026-08-20", class_name="一班")
        assert {school for school, *_ in await pupil.spans()} == {str(new.id)}

    async def test_its_word_alone_ends_no_alert_and_is_doubted(
        self, around, new, pupil, said
    ) -> None:
        await said(around.school, present(pupil, DAY))
        await said(around.school, present(pupil, THURSDAY))
        (alert,) = await around.alerts(around.education)
        assert (alert["state"], alert["back_since"]) == ("absent", None)
        (mine,) = await doubts(around, around.teacher)
        assert (mine["school_id"], mine["seen_by_id"], mine["school_day"]) == (
            str(around.school.id),
            str(new.id),
            DAY,
        )

    async def test_nor_does_its_leave(self, around, pupil, said) -> None:
        leave = [
            an_event(pupil.id, day, category="excused", time=f"{THURSDAY}T08:00:00+08:00")
            for day in (MONDAY, TUESDAY)
        ]
        await said(around.school, *leave)
        (alert,) = await around.alerts(around.education)
        assert alert["state"] == "absent"

    async def test_the_word_of_its_school_does(self, around, new, pupil, said) -> None:
        await said(new, present(pupil, DAY))
        (alert,) = await around.alerts(around.education)
        assert (alert["state"], alert["returned_on"]) == ("returned", DAY)


async def test_a_school_it_went_to_later_is_believed_of_the_day_before(
    around, new, pupil, said, enrolled
) -> None:
    await said(around.school, an_event(pupil.id, MONDAY))
    await enrolled(new.id, since=THURSDAY)
    await said(new, present(pupil, DAY))
    (alert,) = await around.alerts(around.education)
    assert (alert["state"], alert["returned_on"]) == ("returned", DAY)
    assert await doubts(around, around.education) == []


class TestCorrected:
    """The enrolment alone, and nothing is said anew."""

    async def test_what_a_school_said_of_days_that_are_anothers_is_doubted(
        self, around, new, pupil, said, enrolled
    ) -> None:
        await said(around.school, present(pupil, MONDAY), present(pupil, TUESDAY))
        await enrolled(new.id, since=MONDAY)
        (mine,) = await doubts(around, around.teacher)
        assert (mine["seen_by_id"], mine["school_day"]) == (str(new.id), TUESDAY)
        answer = await around.client.post(
            f"/v1/presence-doubts/{mine['id']}/finding",
            headers=around.teacher.headers,
            json={"finding": "elsewhere", "note": "查无此人"},
        )
        assert answer.status_code == 200, answer.text

    async def test_so_is_it_while_its_school_misses_it(
        self, around, new, pupil, said, enrolled
    ) -> None:
        await enrolled(new.id, since=DAY)
        await said(new, an_event(pupil.id, TUESDAY))
        await said(around.school, present(pupil, TUESDAY))
        assert await doubts(around, around.teacher) == []
        await enrolled(new.id, since=TUESDAY)
        (mine,) = await doubts(around, around.teacher)
        assert (mine["seen_by_id"], mine["school_day"]) == (str(new.id), TUESDAY)

    async def test_a_doubt_it_explains_is_closed_and_nobody_owes_a_look(
        self, around, new, pupil, said, enrolled
    ) -> None:
        await enrolled(new.id, since=MONDAY)
        await said(around.school, present(pupil, TUESDAY))
        assert [each["finding"] for each in await doubts(around, around.teacher)] == [None]
        await enrolled(new.id, since=DAY)
        (mine,) = await doubts(around, around.teacher)
        assert mine["finding"] == "mistaken"
        owed = await around.client.get("/v1/duties", headers=around.teacher.headers)
        states = [d["state"] for d in owed.json()["items"] if d["rule"] == "EDU-01.presence"]
        assert states == ["discharged"]

    async def test_that_another_school_saw_it_is_not_explained(
        self, around, new, pupil, said, enrolled
    ) -> None:
        await enrolled(new.id, since=MONDAY)
        await said(around.school, present(pupil, TUESDAY))
        await said(new, present(pupil, TUESDAY))
        await enrolled(new.id, since=DAY)
        (mine,) = await doubts(around, around.teacher)
        assert mine["finding"] is None

    async def test_on_the_day_of_a_transfer_that_is_told_at_noon_the_morning_counts(
        self, around, new, pupil, said, enrolled, database, now
    ) -> None:
        await said(around.school, present(pupil, TODAY))
        database.clock = lambda: now + timedelta(minutes=2)
        await enrolled(new.id)
        assert await doubts(around, around.teacher) == []


class TestDoubtedAgain:
    """Never said to be explained while somebody says otherwise (EDU-01)."""

    @pytest.fixture
    def found(self, around):
        async def found() -> list[tuple]:
            listed = await doubts(around, around.education)
            said = [each for each in listed if each["school_id"] == str(around.school.id)]
            return sorted((each["school_day"], each["finding"] or "") for each in said)

        return found

    @pytest.fixture
    def owed(self, around):
        async def owed() -> list[tuple]:
            answer = await around.client.get("/v1/duties", headers=around.teacher.headers)
            items = answer.json()["items"]
            asked = [duty for duty in items if duty["rule"] == "EDU-01.presence"]
            return [(duty["state"], duty["due_at"]) for duty in asked]

        return owed

    async def test_a_correction_that_is_corrected(
        self, around, new, pupil, said, enrolled, found, owed, database
    ) -> None:
        await enrolled(new.id, since=MONDAY)
        await said(around.school, present(pupil, TUESDAY))
        ((_, first_due),) = await owed()
        await enrolled(new.id, since=DAY)
        assert await found() == [(TUESDAY, "mistaken")]
        now = database.clock() + timedelta(minutes=1)
        database.clock = lambda: now
        await enrolled(new.id, since=MONDAY)
        assert await found() == [(TUESDAY, "")]
        ((state, due),) = await owed()
        assert state == "open"
        assert datetime.fromisoformat(due) - datetime.fromisoformat(first_due) == timedelta(
            minutes=1
        )

    async def test_another_school_saw_it_after_all(
        self, around, new, pupil, said, enrolled, found
    ) -> None:
        await enrolled(new.id, since=MONDAY)
        await said(around.school, present(pupil, TUESDAY))
        await enrolled(new.id, since=DAY)
        assert await found() == [(TUESDAY, "mistaken")]
        await said(new, present(pupil, TUESDAY))
        assert await found() == [(TUESDAY, "")]

    async def test_what_a_person_found_stays_found(
        self, around, new, pupil, said, enrolled, found
    ) -> None:
        await enrolled(new.id, since=MONDAY)
        await said(around.school, present(pupil, TUESDAY))
        (doubt,) = await doubts(around, around.teacher)
        await around.client.post(
            f"/v1/presence-doubts/{doubt['id']}/finding",
            headers=around.teacher.headers,
            json={"finding": "here", "note": "在校"},
        )
        await enrolled(new.id, since=DAY)
        await enrolled(new.id, since=MONDAY)
        assert await found() == [(TUESDAY, "here")]

    async def test_found_here_before_it_came_back_and_left_again(
        self, around, new, pupil, said, enrolled, found
    ) -> None:
        await enrolled(new.id, since="2026-11-09")
        await said(around.school, present(pupil, "2026-11-10"))
        (doubt,) = await doubts(around, around.teacher)
        await around.client.post(
            f"/v1/presence-doubts/{doubt['id']}/finding",
            headers=around.teacher.headers,
            json={"finding": "here", "note": "在校"},
        )
        await said(around.school, present(pupil, "2026-11-11"))
        assert await found() == [("2026-11-10", "here")]
        await enrolled(around.school.id, since="2026-11-12")
        await enrolled(new.id, since=MONDAY)
        await said(around.school, present(pupil, DAY))
        assert await found() == [("2026-11-10", "here"), (DAY, "")]
