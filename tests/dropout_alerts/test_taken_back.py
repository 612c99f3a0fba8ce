"""A return that a machine believed ends an alert only as long as its record stands, and in which
order the days were told makes no difference (EDU-01, EDU-02, I6).
"""

from datetime import timedelta
from itertools import permutations

import pytest

from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, a_school, an_event, push
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import a_report as written
from tests.dropout_alerts.factories import an_attempt, everyone
from tests.jobs import run_jobs
from tests.police_reports.factories import a_report
from tests.regions.factories import some_regions

WEEK = [f"2026-11-{day:02}" for day in (9, 10, 11, 12, 13)]
NEXT = [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]
SIX = [*WEEK, NEXT[0]]


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def pupil(database, around):
    return await around.school.pupil(database)


async def stand(around, pupil) -> list[tuple]:
    names = ("state", "first_absent_day", "unexcused_days", "end_reason")
    return [
        tuple(alert[name] for name in names)
        for alert in await around.alerts(child_id=str(pupil.id))
    ]


async def journal(around, alert: dict) -> list[str]:
    path = f"/v1/dropout-alerts/{alert['id']}"
    answer = await around.client.get(path, headers=around.teacher.headers)
    return [step["kind"] for step in answer.json()["journal"]]


class TestTakenBack:
    async def test_a_slip_of_the_gate_ends_no_episode(self, around, pupil) -> None:
        await around.absent(pupil.id, *WEEK)
        before = await around.alert(pupil.id)
        await around.absent(pupil.id, NEXT[0], category="present")
        assert await stand(around, pupil) == [("returned", WEEK[0], 5, "attended")]
        await around.absent(pupil.id, NEXT[0], sequence=1)
        assert await stand(around, pupil) == [("registered", WEEK[0], 6, None)]
        await around.absent(pupil.id, *NEXT[1:4])
        assert await stand(around, pupil) == [("registered", WEEK[0], 9, None)]
        alert = await around.alert(pupil.id)
        assert (alert["id"], alert["returned_on"]) == (before["id"], None)
        assert await journal(around, alert) == ["reopened"]
        announced = await around.announced()
        assert announced.count("alert_reopened") == announced.count("alert_opened") == 1

    @pytest.mark.parametrize("category", ["withdrawn", "excused"])
    async def test_without_a_positive_record_it_is_not_closed(
        self, around, pupil, category
    ) -> None:
        await around.absent(pupil.id, *WEEK[:2])
        await around.absent(pupil.id, WEEK[2], category="present")
        await around.absent(pupil.id, WEEK[2], category=category, sequence=1)
        assert await stand(around, pupil) == [("absent", WEEK[0], 2, None)]

    async def test_an_excuse_is_taken_back(self, around, pupil) -> None:
        await around.absent(pupil.id, WEEK[0])
        await around.absent(pupil.id, WEEK[0], category="excused", sequence=1)
        assert await stand(around, pupil) == [("closed", WEEK[0], 0, "excused")]
        await around.absent(pupil.id, WEEK[0], sequence=2)
        assert await stand(around, pupil) == [("absent", WEEK[0], 1, None)]
        assert await journal(around, await around.alert(pupil.id)) == ["reopened"]

    async def test_after_the_next_alert_has_opened_that_one_goes_on(self, around, pupil) -> None:
        await around.absent(pupil.id, *WEEK)
        await around.absent(pupil.id, NEXT[0], category="present")
        await around.absent(pupil.id, *NEXT[1:3])
        await around.absent(pupil.id, NEXT[0], sequence=1)
        assert await stand(around, pupil) == [
            ("registered", WEEK[0], 8, None),
            ("closed", WEEK[0], 5, "continued"),
        ]
        _, former = await around.alerts(child_id=str(pupil.id))
        assert await journal(around, former) == ["continued"]
        assert former["returned_on"] is None

    async def test_what_a_person_recorded_is_not_taken_back(self, around, pupil) -> None:
        await around.absent(pupil.id, *SIX)
        back = {"returned_on": NEXT[2], "kind": "same_school"}
        await around.step(around.teacher, await around.alert(pupil.id), "return", back)
        await around.absent(pupil.id, NEXT[1], "2026-11-06")
        assert await stand(around, pupil) == [("returned", WEEK[0], 6, "recorded")]
        await around.absent(pupil.id, NEXT[3])
        assert (await stand(around, pupil))[0] == ("absent", NEXT[3], 1, None)

    async def test_what_was_missed_after_a_recorded_return_is_an_episode_of_its_own(
        self, around, pupil
    ) -> None:
        await around.absent(pupil.id, *WEEK)
        back = {"returned_on": WEEK[3], "kind": "same_school"}
        await around.step(around.teacher, await around.alert(pupil.id), "return", back)
        await around.absent(pupil.id, NEXT[0])
        assert await stand(around, pupil) == [
            ("absent", WEEK[3], 3, None),
            ("returned", WEEK[0], 5, "recorded"),
        ]

    async def test_what_was_told_before_of_the_days_since_a_recorded_return_is_one_too(
        self, around, pupil, database
    ) -> None:
        """Nobody says it again: silence is not being there."""
        await around.absent(pupil.id, *SIX, *NEXT[2:])
        back = {"returned_on": NEXT[1], "kind": "same_school"}
        await around.step(around.teacher, await around.alert(pupil.id), "return", back)
        await run_jobs(database)
        assert await stand(around, pupil) == [
            ("absent", NEXT[2], 3, None),
            ("returned", WEEK[0], 9, "recorded"),
        ]

    async def test_what_a_person_struck_off_is_not_opened_again(self, around, pupil) -> None:
        await around.absent(pupil.id, *SIX, NEXT[1])
        await around.absent(pupil.id, *SIX[:2], category="excused", sequence=1)
        decision = {"decision": "struck_off", "note": "家访核实"}
        alert = await around.alert(pupil.id)
        done = await around.step(around.teacher, alert, "doubt/decision", decision)
        assert done.status_code == 200, done.text
        await around.absent(pupil.id, NEXT[2])
        first, _ = await stand(around, pupil)
        assert first == ("absent", NEXT[2], 1, None)


JUNE = [f"2026-06-{day:02}" for day in (8, 9, 10, 11, 12, 15, 16, 17, 18)]


class TestToldAfterTheSummer:
    async def test_days_missed_before_it_open_one_that_goes_on(self, around, pupil) -> None:
        await around.absent(pupil.id, *JUNE)
        assert await stand(around, pupil) == [("registered", JUNE[0], 9, None)]
        await around.absent(pupil.id, NEXT[3])
        assert await stand(around, pupil) == [("registered", JUNE[0], 10, None)]

    async def test_with_a_day_of_now_in_one_batch(self, around, pupil) -> None:
        await around.absent(pupil.id, *JUNE, NEXT[3])
        assert await stand(around, pupil) == [("registered", JUNE[0], 10, None)]

    async def test_a_row_that_ended_since_and_never_registered_needs_nothing(
        self, around, pupil
    ) -> None:
        await around.absent(pupil.id, NEXT[0], category="present")
        await around.absent(pupil.id, *JUNE[:3])
        assert await stand(around, pupil) == []

    async def test_a_day_over_400_days_back_opens_none(self, around, pupil) -> None:
        await around.absent(pupil.id, *[f"2025-10-{day}" for day in range(13, 16)])
        assert await stand(around, pupil) == []


class TestEnrolmentCorrected:
    """A roll spoke for the class as the register had it: corrected, what it ended goes on."""

    @pytest.fixture
    async def ended(self, client, database, settings, around):
        """A pupil five days away, whose class was called in full on the next."""
        await some_regions(database, 120119101200)
        education = {"class_name": "三年级2班", "since": "2026-09-01"}
        pupil = await a_pupil(client, database, settings, around.school.id, **education)
        await around.absent(pupil.id, *WEEK)
        await push(client, around.school, a_roll(NEXT[0]))
        await run_jobs(database)
        assert await stand(around, pupil) == [("returned", WEEK[0], 5, "attended")]
        return pupil

    async def test_it_was_in_another_class_that_day(self, around, ended) -> None:
        before = await around.alert(ended.id)
        await ended.change(education={"class_name": "四班", "since": NEXT[0]})
        await run_jobs(around.database)
        assert await stand(around, ended) == [("absent", WEEK[0], 5, None)]
        alert = await around.alert(ended.id)
        assert alert["id"] == before["id"]
        assert await journal(around, alert) == ["reopened"]

    async def test_it_was_at_another_school_that_day(
        self, around, ended, database, settings
    ) -> None:
        new = await a_school(database, settings)
        await ended.enrol(new.id, since=NEXT[0])
        await run_jobs(database)
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=new.id)
        (alert,) = await around.alerts(teacher)
        assert (alert["state"], alert["school_id"]) == ("absent", str(new.id))
        assert alert["handed_over_by"] == str(around.school.id)

    async def test_a_change_that_says_nothing_of_it_leaves_it_ended(self, around, ended) -> None:
        await ended.change(education={"grade": 3})
        await ended.change(education={"class_name": "四班", "since": NEXT[1]})
        await run_jobs(around.database)
        assert await stand(around, ended) == [("returned", WEEK[0], 5, "attended")]


class TestOrder:
    @pytest.mark.parametrize("order", [*permutations(range(3))])
    async def test_the_same_facts_in_any_order(self, around, pupil, order) -> None:
        told = [(SIX[:1], "unexcused"), (SIX[1:], "unexcused"), ([NEXT[1]], "present")]
        for n in order:
            days, category = told[n]
            await around.absent(pupil.id, *days, category=category)
        assert await stand(around, pupil) == [("registered", WEEK[0], 6, None)]
        alert = await around.alert(pupil.id)
        assert (alert["back_since"], alert["registered_on"]) == (NEXT[1], "2026-11-20")
        assert "recordReturn" in alert["permitted"]
        back = {"returned_on": NEXT[1], "kind": "same_school"}
        done = await around.step(around.teacher, alert, "return", back)
        assert (done.status_code, done.json()["back_since"]) == (200, None), done.text
        await around.absent(pupil.id, NEXT[2], category="present")
        assert await stand(around, pupil) == [("returned", WEEK[0], 6, "recorded")]

    async def test_days_that_add_up_and_ended_long_ago(self, around, pupil) -> None:
        await around.absent(pupil.id, NEXT[4], category="present")
        for monday in (12, 19, 26):
            days = [f"2026-10-{monday + n:02}" for n in range(4)]
            events = [an_event(pupil.id, day) for day in days]
            there = an_event(pupil.id, f"2026-10-{monday + 4:02}", category="present")
            await push(around.client, around.school, *events, there)
        await run_jobs(around.database)
        assert await stand(around, pupil) == [("registered", "2026-10-26", 4, None)]

    async def test_days_below_the_register_that_ended_are_nothing(self, around, pupil) -> None:
        await around.absent(pupil.id, NEXT[1], category="present")
        await around.absent(pupil.id, *WEEK)
        assert await stand(around, pupil) == []

    async def test_a_register_reached_before_the_alert_of_now(self, around, pupil) -> None:
        await around.absent(pupil.id, NEXT[1], category="present")
        await around.absent(pupil.id, NEXT[3])
        await around.absent(pupil.id, *SIX)
        assert await stand(around, pupil) == [("registered", WEEK[0], 7, None)]

    async def test_gone_again_it_is_not_back(self, around, pupil) -> None:
        await around.absent(pupil.id, *SIX)
        await around.absent(pupil.id, NEXT[1], category="present")
        assert (await around.alert(pupil.id))["back_since"] == NEXT[1]
        await around.absent(pupil.id, NEXT[2])
        alert = await around.alert(pupil.id)
        assert (alert["back_since"], alert["unexcused_days"]) == (None, 7)


class TestFoundElsewhere:
    """What a school said that a named person found to be false ends nothing."""

    @pytest.fixture
    async def pupil(self, client, database, settings, around):
        await some_regions(database, 120119101200)
        school = around.school.id
        fields = {"class_name": "三年级2班", "since": "2026-09-01"}
        return await a_pupil(client, database, settings, school, **fields)

    @pytest.fixture
    def found(self, around, pupil, database, settings):
        async def elsewhere(finding: str) -> None:
            hospital = await a_caller(database, settings, "hospital", TOWNSHIP)
            seen = a_report(child_id=str(pupil.id), found_at=f"{NEXT[2]}T10:00:00+08:00")
            headers = hospital.headers
            answer = await around.client.post("/v1/police-reports", json=seen, headers=headers)
            assert answer.status_code == 201, answer.text
            await run_jobs(database)
            listed = await around.client.get("/v1/presence-doubts", headers=around.teacher.headers)
            (doubt,) = listed.json()["items"]
            answer = await around.client.post(
                f"/v1/presence-doubts/{doubt['id']}/finding",
                headers=around.teacher.headers,
                json={"finding": finding, "note": "班主任核实"},
            )
            assert answer.status_code == 200, answer.text
            await run_jobs(database)

        return elsewhere

    async def test_never_a_closed_alert_without_a_positive_record(
        self, around, pupil, found
    ) -> None:
        await around.absent(pupil.id, *NEXT[:2])
        await around.absent(pupil.id, NEXT[2], category="present")
        assert await stand(around, pupil) == [("returned", NEXT[0], 2, "attended")]
        await found("elsewhere")
        assert await stand(around, pupil) == [("absent", NEXT[0], 2, None)]
        await around.absent(pupil.id, NEXT[2], category="present", sequence=1)
        assert await stand(around, pupil) == [("absent", NEXT[0], 2, None)]
        await around.absent(pupil.id, NEXT[3], category="present")
        assert await stand(around, pupil) == [("returned", NEXT[0], 2, "attended")]

    async def test_what_the_school_owed_before_a_false_return_it_owes_again(
        self, around, pupil, found, monkeypatch
    ) -> None:
        async def owed() -> list[str]:
            path = "/v1/duties?rule=EDU-04"
            answer = await around.client.get(path, headers=around.teacher.headers)
            return [duty["state"] for duty in answer.json()["items"]]

        await around.absent(pupil.id, *WEEK, *NEXT[:2])
        attempt = an_attempt(persuaded_on=NEXT[1], final=True)
        await around.step(around.teacher, await around.alert(pupil.id), "persuasions", attempt)
        await run_jobs(around.database)
        assert await owed() == ["open"]
        back = {"returned_on": NEXT[2], "kind": "same_school"}
        await around.step(around.teacher, await around.alert(pupil.id), "return", back)
        await run_jobs(around.database)
        assert await owed() == ["cancelled"]
        later = around.database.clock() + timedelta(minutes=1)
        monkeypatch.setattr(around.database, "clock", lambda: later)
        await found("elsewhere")
        alert = await around.alert(pupil.id)
        assert alert["state"] == "persuasion_failed"
        assert await owed() == ["open"]
        sent = await around.step(around.teacher, alert, "written-report", written())
        assert sent.is_success, sent.text
        await run_jobs(around.database)
        assert await owed() == ["discharged"]

    async def test_what_is_told_of_the_days_before_counts(self, around, pupil, found) -> None:
        await around.absent(pupil.id, NEXT[2], category="present")
        await found("elsewhere")
        await around.absent(pupil.id, NEXT[1])
        assert await stand(around, pupil) == [("absent", NEXT[1], 1, None)]

    async def test_nor_does_the_roll_of_that_day(self, around, pupil, found) -> None:
        await around.absent(pupil.id, *NEXT[:2])
        await push(around.client, around.school, a_roll(NEXT[2]))
        await run_jobs(around.database)
        await found("elsewhere")
        assert await stand(around, pupil) == [("absent", NEXT[0], 2, None)]

    async def test_found_here_its_word_holds(self, around, pupil, found) -> None:
        await around.absent(pupil.id, *NEXT[:2])
        await around.absent(pupil.id, NEXT[2], category="present")
        await found("here")
        assert await stand(around, pupil) == [("returned", NEXT[0], 2, "attended")]
