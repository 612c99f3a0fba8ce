"""A class called in full says nothing of a child that was not on its list when it was called: the
register may say later that it was in the class, nobody saw it (EDU-01).
"""

import pytest

from tests.attendance.factories import a_school, push
from tests.attendance.test_presence import doubts, present
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions

FAR = 120118101000
WEEK = [f"2026-11-{day:02}" for day in (9, 10, 11, 12, 13)]
NEXT = [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]
TODAY = NEXT[4]


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200, FAR)
    return await everyone(client, database, settings)


@pytest.fixture
async def new(database, settings):
    return await a_school(database, settings, FAR)


@pytest.fixture
async def pupil(client, database, settings, around):
    school = around.school.id
    return await a_pupil(client, database, settings, school, class_name="一班", since="2026-09-01")


async def stand(around, pupil) -> list[tuple[str, int, str | None]]:
    await run_jobs(around.database)
    found = await around.alerts(pupil.office, child_id=str(pupil.id))
    return [(each["state"], each["unexcused_days"], each["back_since"]) for each in found]


@pytest.mark.parametrize("missed", [NEXT[:4], NEXT], ids=["silence", "missed_that_day_too"])
async def test_a_child_that_comes_today_was_not_called_this_morning(
    client, around, new, pupil, missed
) -> None:
    await around.absent(pupil.id, *missed)
    await push(client, new, a_roll(TODAY))
    before = await stand(around, pupil)
    await pupil.enrol(new.id, class_name="三年级2班")
    assert await stand(around, pupil) == before == [(before[0][0], len(missed), None)]


async def test_of_another_class_of_its_school_neither(client, around, pupil) -> None:
    await around.absent(pupil.id, *NEXT[:3])
    await push(client, around.school, a_roll(TODAY))
    await pupil.enrol(around.school.id, class_name="三年级2班")
    ((state, days, _),) = await stand(around, pupil)
    assert (state, days) == ("absent", 3)


@pytest.mark.parametrize("days", [NEXT[:3], NEXT, [*WEEK, *NEXT]], ids=len)
async def test_an_enrolment_said_later_takes_no_day_from_what_was_missed(
    client, around, new, pupil, days
) -> None:
    await around.absent(pupil.id, *days)
    for day in days:
        await push(client, new, a_roll(day))
    before = await stand(around, pupil)
    await pupil.enrol(new.id, class_name="三年级2班", since=days[0])
    assert await stand(around, pupil) == before
    assert await doubts(around, around.teacher) == []


async def test_nor_does_one_that_was_taken_back_and_said_again(client, around, new, pupil) -> None:
    """While the register had it elsewhere, its class was called without it."""
    await around.absent(pupil.id, NEXT[0])
    await pupil.enrol(new.id, since=NEXT[2])
    await push(client, around.school, a_roll(NEXT[3], class_name="一班"))
    await pupil.enrol(around.school.id, since=NEXT[1])
    ((state, days, _),) = await stand(around, pupil)
    assert (state, days) == ("absent", 1)


async def test_a_roll_called_late_of_a_day_on_which_it_was_known_to_be_there_counts(
    client, around, new, pupil
) -> None:
    """However often the register says that day anew."""
    await around.absent(pupil.id, *NEXT[:2])
    await pupil.enrol(new.id, class_name="三年级2班", since=NEXT[2])
    await push(client, new, a_roll(NEXT[3]))
    ((state, days, _),) = await stand(around, pupil)
    assert (state, days) == ("returned", 2)
    await pupil.change(education={"boarding": True, "since": NEXT[2]})
    assert [state for state, *_ in await stand(around, pupil)] == ["returned"]


async def test_it_is_no_word_against_another_school_either(
    client, around, new, pupil, database, settings
) -> None:
    """Who was not on the list was not said to be there: nobody is to look for it."""
    await push(client, around.school, present(pupil, NEXT[2]))
    await push(client, new, a_roll(NEXT[2]))
    await pupil.enrol(new.id, class_name="三年级2班", since=TODAY)
    await run_jobs(database)
    assert await doubts(around, around.teacher) == []
