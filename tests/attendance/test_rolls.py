"""A class called in full says of everybody in it, of whom nothing else was said, that they were
there; and of nobody else (EDU-01).
"""

from datetime import date
from itertools import count
from typing import Any

import orjson
import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller, a_new_post
from tests.attendance.factories import (
    TOWNSHIP,
    School,
    a_school,
    an_event,
    codes,
    push,
    statuses,
)
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

DAY, BEFORE = "2026-11-20", "2026-11-19"
_numbers = count(1)


def a_roll(day: str = DAY, **fields: Any) -> dict[str, Any]:
    return {
        "source": "urn:school:test:class",
        "id": f"roll-{next(_numbers)}",
        "class_name": "三年级2班",
        "school_day": day,
        "session": "whole_day",
        "category": "roll",
        "time": f"{day}T08:20:00+08:00",
        **fields,
    }


def spoke_for(answer) -> list[int | None]:
    return [result["spoke_for"] for result in answer.json()["results"]]


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200)
    return await everyone(client, database, settings)


@pytest.fixture
def enrolled(client, database, settings, around):
    """Open a file of a pupil of the class."""

    async def open_one(number: int, **education: Any):
        section = {"class_name": "三年级2班", "since": "2026-09-01", **education}
        section = {"student_numbers": [], **section}
        return await a_pupil(
            client,
            database,
            settings,
            around.school.id,
            identity={"name": f"样{number}", "resident_id": None},
            **section,
        )

    return open_one


class TestSpeaks:
    async def test_for_whom_no_statement_was_made(self, client, around, enrolled) -> None:
        pupils = [await enrolled(number) for number in range(1, 5)]
        await enrolled(5, class_name="四班")
        answer = await push(
            client, around.school, a_roll(), an_event(pupils[0].id), an_event(pupils[1].id, BEFORE)
        )
        assert statuses(answer) == ["accepted"] * 3
        assert (codes(answer)[0], spoke_for(answer)) == ("applied", [3, None, None])

    async def test_for_whom_a_statement_was_taken_back(self, client, around, enrolled) -> None:
        pupil = await enrolled(1)
        taken_back = an_event(pupil.id, category="withdrawn", sequence=1)
        answer = await push(client, around.school, an_event(pupil.id), taken_back, a_roll())
        assert spoke_for(answer) == [None, None, 1]

    async def test_of_a_day_ahead_it_is_marked(self, client, around, enrolled) -> None:
        await enrolled(1)
        answer = await push(client, around.school, a_roll("2026-11-23"), a_roll())
        assert [each["doubt"] for each in answer.json()["results"]] == ["day_ahead", None]

    async def test_the_class_is_known_however_it_is_spelt(self, client, around, enrolled) -> None:
        await enrolled(1)
        answer = await push(client, around.school, a_roll(class_name=" 三年级 ２班"))
        assert spoke_for(answer) == [1]

    async def test_of_the_day_and_its_class_then(self, client, around, enrolled) -> None:
        pupil = await enrolled(1)
        await pupil.change(education={"class_name": "一班", "since": DAY})
        answers = [
            await push(client, around.school, a_roll(BEFORE)),
            await push(client, around.school, a_roll(DAY)),
            await push(client, around.school, a_roll(DAY, class_name="一班")),
        ]
        assert [spoke_for(answer) for answer in answers] == [[1], [0], [1]]

    async def test_sent_again_it_is_the_same(self, client, around, enrolled) -> None:
        pupil = await enrolled(1)
        roll = a_roll()
        first = await push(client, around.school, roll)
        await push(client, around.school, an_event(pupil.id))
        again = await push(client, around.school, roll, roll)
        other = await push(client, around.school, {**roll, "session": "morning"})
        assert (statuses(first), spoke_for(first)) == (["accepted"], [1])
        assert (statuses(again), spoke_for(again)) == (["duplicate"] * 2, [1, 1])
        assert (statuses(other), codes(other)) == (["conflict"], ["id_taken"])

    async def test_a_class_nobody_is_in_is_kept_and_answered(self, client, around) -> None:
        answer = await push(client, around.school, a_roll(class_name="九班"))
        assert (statuses(answer), codes(answer)) == (["accepted"], ["class_unknown"])
        assert spoke_for(answer) == [0]

    async def test_halves(self, client, around, enrolled) -> None:
        """A statement about the morning leaves the afternoon to a roll of the day."""
        pupil = await enrolled(1)
        await push(client, around.school, an_event(pupil.id, session="morning"))
        assert spoke_for(await push(client, around.school, a_roll(session="morning"))) == [0]
        assert spoke_for(await push(client, around.school, a_roll())) == [1]
        await push(client, around.school, an_event(pupil.id, session="afternoon"))
        assert spoke_for(await push(client, around.school, a_roll())) == [0]

    async def test_not_for_another_schools_class(
        self, client, enrolled, database, settings
    ) -> None:
        await enrolled(1)
        other = await a_school(database, settings)
        assert spoke_for(await push(client, other, a_roll())) == [0]

    async def test_a_cloud_event_carries_one(self, client, around, enrolled) -> None:
        await enrolled(1)
        roll = a_roll()
        context = {name: roll.pop(name) for name in ("source", "id", "time")}
        event = {"specversion": "1.0", "type": "cn.tonghu.attendance.v1", **context, "data": roll}
        answer = await client.post(
            "/v1/attendance-events",
            headers={
                **around.school.system.headers,
                "content-type": "application/cloudevents+json",
            },
            content=orjson.dumps(event),
        )
        assert spoke_for(answer) == [1]

    @pytest.mark.parametrize(
        ("fields", "code", "pointer"),
        [
            ({"class_name": ""}, "string_too_short", "class_name"),
            ({"session": "第一节"}, "literal_error", "session"),
        ],
    )
    async def test_what_is_no_roll_is_refused_by_itself(
        self, client, around, fields, code, pointer
    ) -> None:
        answer = await push(client, around.school, a_roll(**fields))
        (result,) = answer.json()["results"]
        assert (result["code"], result["pointer"]) == (code, f"#/events/0/{pointer}")


@pytest.mark.parametrize(
    "dress",
    [
        {"category": "ROLL"},
        {"category": "点名"},
        {"session": "全天"},
        {"school_day": "20261120"},
        {"id": 17},
        {"sequence": "3"},
        {"reason": None},
    ],
    ids=str,
)
async def test_a_roll_in_another_dress_is_one(client, around, enrolled, dress) -> None:
    await enrolled(1)
    answer = await push(client, around.school, a_roll(**dress))
    assert (statuses(answer), spoke_for(answer)) == (["accepted"], [1]), answer.text


class TestCounts:
    """Whoever a roll speaks for is back; whom a statement speaks of is what that says."""

    @pytest.fixture(autouse=True)
    async def absent(self, around, enrolled):
        pupil = await enrolled(1)
        await around.absent(pupil.id, "2026-11-17", "2026-11-18")
        return pupil

    async def state(self, around) -> tuple[str, int]:
        await run_jobs(around.database)
        (alert,) = await around.alerts()
        return alert["state"], alert["unexcused_days"]

    async def test_the_roll_of_the_class_ends_an_absence(self, client, around) -> None:
        assert await self.state(around) == ("absent", 2)
        await push(client, around.school, a_roll())
        assert await self.state(around) == ("returned", 2)

    async def test_a_statement_that_was_taken_back_leaves_it_to_the_roll(
        self, client, around, absent
    ) -> None:
        taken_back = an_event(absent.id, category="withdrawn", sequence=1)
        await push(client, around.school, an_event(absent.id), a_roll())
        assert await self.state(around) == ("absent", 3)
        await push(client, around.school, taken_back)
        assert await self.state(around) == ("returned", 2)

    async def test_the_roll_of_another_class_says_nothing(self, client, around, enrolled) -> None:
        await enrolled(2, class_name="一班")
        await push(client, around.school, a_roll(class_name="一班"))
        assert await self.state(around) == ("absent", 2)

    @pytest.mark.parametrize("first", [0, 1])
    async def test_a_statement_holds_whether_it_came_before_or_after(
        self, client, around, absent, first
    ) -> None:
        said = [an_event(absent.id), a_roll()]
        await push(client, around.school, said[first])
        await push(client, around.school, said[1 - first])
        assert await self.state(around) == ("absent", 3)

    async def test_a_statement_taken_back_leaves_the_roll(self, client, around, absent) -> None:
        gone = an_event(absent.id)
        await push(client, around.school, gone, a_roll())
        assert await self.state(around) == ("absent", 3)
        await push(client, around.school, an_event(absent.id, category="withdrawn", sequence=1))
        assert await self.state(around) == ("returned", 2)

    async def test_a_roll_of_the_morning_is_no_roll_of_the_day(
        self, client, around, absent
    ) -> None:
        """The day is said missed: a roll of half of it beats nothing."""
        await push(client, around.school, an_event(absent.id), a_roll(session="morning"))
        assert await self.state(around) == ("absent", 3)

    async def test_a_late_roll_of_the_former_school_counts_at_the_new(
        self, client, around, absent, database, settings
    ) -> None:
        new = await a_school(database, settings)
        await absent.enrol(new.id, since=DAY)
        await run_jobs(database)
        await push(client, around.school, a_roll(BEFORE))
        assert await self.state(around) == ("returned", 2)

    async def test_a_roll_of_the_former_school_says_nothing_of_the_day_of_the_transfer(
        self, client, around, absent, database, settings
    ) -> None:
        new = await a_school(database, settings)
        await absent.enrol(new.id, since=DAY)
        await push(client, around.school, a_roll(DAY))
        assert await self.state(around) == ("absent", 2)


class TestTakenBack:
    async def returned(self, around, enrolled, **roll: Any):
        """Let a pupil be missing, and a roll have it back."""
        pupil = await enrolled(1)
        await around.absent(pupil.id, BEFORE)
        await push(around.client, around.school, a_roll(**roll))
        await run_jobs(around.database)
        assert (await around.alert(pupil.id))["state"] == "returned"
        return pupil

    @pytest.mark.parametrize("later", [{"sequence": 1}, {"time": f"{DAY}T18:00:00+08:00"}, {}])
    async def test_it_says_nothing_any_more(self, client, around, enrolled, later) -> None:
        pupil = await self.returned(around, enrolled)
        answer = await push(client, around.school, a_roll(category="withdrawn", **later))
        assert (codes(answer), spoke_for(answer)) == (["applied"], [0])
        await run_jobs(around.database)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["unexcused_days"]) == ("absent", 1)
        await push(client, around.school, a_roll(sequence=2))
        await run_jobs(around.database)
        assert (await around.alert(pupil.id))["state"] == "returned"

    @pytest.mark.parametrize(
        "other",
        [
            {"class_name": "四班"},
            {"day": BEFORE},
            {"session": "morning"},
            {"time": f"{DAY}T06:00:00+08:00"},
        ],
    )
    async def test_what_was_said_otherwise_or_later_stays(
        self, client, around, enrolled, other
    ) -> None:
        pupil = await self.returned(around, enrolled)
        answer = await push(client, around.school, a_roll(category="withdrawn", **other))
        assert statuses(answer) == ["accepted"]
        await run_jobs(around.database)
        assert (await around.alert(pupil.id))["state"] == "returned"

    async def test_whichever_comes_first(self, client, around, enrolled) -> None:
        pupil = await enrolled(1)
        await around.absent(pupil.id, BEFORE)
        await push(client, around.school, a_roll(category="withdrawn", sequence=1))
        await push(client, around.school, a_roll())
        await run_jobs(around.database)
        assert (await around.alert(pupil.id))["state"] == "absent"

    async def test_told_again_it_is_the_same(self, client, around, enrolled) -> None:
        await enrolled(1)
        taken = a_roll(category="withdrawn")
        for status in ("accepted", "duplicate"):
            assert statuses(await push(client, around.school, taken)) == [status]
        answer = await push(client, around.school, {**taken, "category": "roll"})
        assert statuses(answer) == ["conflict"]


class TestOfTheSchoolOfItsDay:
    """A teacher who has left a school calls, late, a class of it: another has one of that name."""

    @pytest.fixture
    async def elsewhere(self, client, database, settings, around):
        """The teacher's new school, the post there, and its pupil with an alert."""
        taught = await a_new_post(
            database, settings, around.teacher, "school", TOWNSHIP, on=date(2026, 11, 20)
        )
        system = await a_caller(
            database, settings, "school_system", TOWNSHIP, agency_id=taught.agency_id
        )
        school = School(taught.agency_id, system)
        pupil = await a_pupil(
            client, database, settings, school.id, class_name="三年级2班", since="2026-09-01"
        )
        await push(client, school, an_event(pupil.id, "2026-11-18"))
        await run_jobs(database)
        return taught, pupil

    async def call(self, client, teacher, *rolls):
        return await client.post(
            "/v1/attendance-events", headers=teacher.headers, json={"events": [*rolls]}
        )

    async def test_it_speaks_for_the_pupils_of_the_school_of_then(
        self, client, around, enrolled, elsewhere, database, settings
    ) -> None:
        teacher, _ = elsewhere
        mine = await enrolled(1)
        await around.absent(mine.id, "2026-11-18")
        rolls = [a_roll(BEFORE), a_roll(BEFORE, class_name="九班"), a_roll(DAY)]
        answer = await self.call(client, teacher, *rolls)
        assert statuses(answer) == ["accepted"] * 3
        assert (codes(answer)[1], spoke_for(answer)) == ("class_unknown", [1, 0, 1])
        await run_jobs(database)
        again = await self.call(client, teacher, *rolls)
        assert statuses(again) == ["duplicate"] * 3
        colleague = await a_caller(
            database, settings, "school", TOWNSHIP, agency_id=around.school.id
        )
        (back,) = await around.alerts(colleague)
        assert (back["state"], back["returned_on"]) == ("returned", BEFORE)

    async def test_and_for_nobody_at_the_new_one(self, client, around, elsewhere, database) -> None:
        teacher, _ = elsewhere
        answer = await self.call(client, teacher, a_roll(BEFORE))
        assert spoke_for(answer) == [0]
        await run_jobs(database)
        (alert,) = await around.alerts(teacher)
        assert (alert["state"], alert["unexcused_days"]) == ("absent", 1)

    async def test_of_a_day_on_which_they_were_at_none_it_is_rejected_with_a_line(
        self, client, elsewhere, database
    ) -> None:
        teacher, _ = elsewhere
        async with database.begin(SYSTEM) as tx:
            await tx.connection.execute(
                "UPDATE post_holdings SET until = '2026-11-13' WHERE until = '2026-11-20'"
            )
        answer = await self.call(client, teacher, a_roll(BEFORE), a_roll("2026-11-12"), a_roll())
        assert statuses(answer) == ["rejected", "accepted", "accepted"]
        (refused, *_) = answer.json()["results"]
        assert (refused["code"], refused["pointer"]) == (
            "no_school_then",
            "#/events/0/school_day",
        )
