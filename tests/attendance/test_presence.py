"""名在人不在: said to be present here and seen elsewhere, somebody must look (EDU-01)."""

import pytest

from app.core.data.db import SYSTEM
from app.duties import owners
from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, a_school, an_event, push
from tests.attendance.test_rolls import a_roll
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.regions.factories import some_regions
from tests.unresolved.conftest import tick

TUESDAY, DAY = "2026-11-17", "2026-11-18"
LIVES_IN = 120117000000


@pytest.fixture
async def around(client, database, settings):
    await some_regions(database, 120119101200)
    return await everyone(client, database, settings)


@pytest.fixture
async def new(database, settings):
    return await a_school(database, settings)


@pytest.fixture
async def pupil(client, database, settings, around, new):
    """At the new school by the register since today: the old one may still speak of before."""
    found = await a_pupil(
        client, database, settings, around.school.id, class_name="三年级2班", since="2026-09-01"
    )
    await found.enrol(new.id, since=DAY)
    return found


@pytest.fixture
def said(client, database):
    async def push_and_work(school, *events) -> None:
        answer = await push(client, school, *events)
        assert {each["status"] for each in answer.json()["results"]} == {"accepted"}
        await run_jobs(database)

    return push_and_work


def present(pupil, day=TUESDAY, **fields):
    return an_event(pupil.id, day, **{"category": "present", **fields})


async def doubts(around, caller, **query: str) -> list[dict]:
    answer = await around.client.get("/v1/presence-doubts", params=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


class TestDoubted:
    async def test_two_schools_saw_it(self, around, new, pupil, said, database) -> None:
        await said(around.school, present(pupil))
        assert await doubts(around, around.teacher) == []
        await said(new, present(pupil, category="late"))
        (mine,) = await doubts(around, around.teacher)
        assert (mine["school_id"], mine["seen_by_id"], mine["school_day"]) == (
            str(around.school.id),
            str(new.id),
            TUESDAY,
        )
        async with database.begin(SYSTEM) as tx:
            duties = await tx.connection.fetch(
                "SELECT bearer_agency_id, state FROM duties WHERE rule = 'EDU-01.presence'"
            )
        assert {tuple(row) for row in duties} == {(around.school.id, "open"), (new.id, "open")}

    async def test_by_the_roll_of_its_class_too(self, around, new, pupil, said) -> None:
        await said(new, present(pupil))
        await said(around.school, a_roll(TUESDAY))
        assert len(await doubts(around, around.teacher)) == 1

    @pytest.mark.parametrize("session", ["whole_day", "morning"])
    async def test_a_statement_is_what_a_school_says_not_its_roll(
        self, around, new, pupil, said, session
    ) -> None:
        await said(new, present(pupil))
        await said(around.school, an_event(pupil.id, TUESDAY), a_roll(TUESDAY, session=session))
        assert await doubts(around, around.teacher) == []

    @pytest.mark.parametrize(
        "other",
        [
            {"category": "unexcused"},
            {"category": "withdrawn"},
            {"session": "afternoon"},  # the other half of the day
            {"day": "2026-11-16"},
        ],
    )
    async def test_nothing_else_is_a_doubt(self, around, new, pupil, said, other) -> None:
        await said(around.school, present(pupil, session="morning"))
        await said(new, present(pupil, **other))
        assert await doubts(around, around.teacher) == []

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ({}, {"session": "morning"}),
            ({"session": "afternoon"}, {}),
            ({"session": "morning"}, {"session": "morning"}),
        ],
    )
    async def test_a_whole_day_and_each_half_of_it_are_one_time(
        self, around, new, pupil, said, ours, theirs
    ) -> None:
        await said(around.school, present(pupil, **ours))
        await said(new, present(pupil, **theirs))
        assert len(await doubts(around, around.teacher)) == 1

    async def test_a_statement_that_was_taken_back_does_not_silence_the_roll(
        self, around, new, pupil, said
    ) -> None:
        await said(new, present(pupil))
        gone, back = (
            an_event(pupil.id, TUESDAY, category=category, sequence=sequence)
            for sequence, category in enumerate(("unexcused", "withdrawn"))
        )
        await said(around.school, gone, a_roll(TUESDAY))
        assert await doubts(around, around.teacher) == []
        await said(around.school, back)
        await said(around.school, a_roll(TUESDAY))
        assert len(await doubts(around, around.teacher)) == 1

    @pytest.mark.parametrize("first", ["former", "own"])
    async def test_where_it_is_not_enrolled_while_its_own_school_misses_it(
        self, around, new, pupil, said, database, settings, first
    ) -> None:
        """Whichever speaks first: what its own school says holds, and the other looks."""
        words = [(around.school, present(pupil, DAY)), (new, an_event(pupil.id, DAY))]
        for school, event in words if first == "former" else words[::-1]:
            await said(school, event)
        (mine,) = await doubts(around, around.teacher)
        assert (mine["school_id"], mine["seen_by_id"], mine["school_day"]) == (
            str(around.school.id),
            str(new.id),
            DAY,
        )
        assert mine["permitted"] == ["recordPresenceFinding"]
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=new.id)
        assert len(await doubts(around, teacher)) == 1
        (alert,) = await around.alerts(teacher)
        assert (alert["state"], alert["unexcused_days"]) == ("absent", 1)

    async def test_its_own_word_against_a_former_schools_absence_is_none(
        self, around, new, pupil, said
    ) -> None:
        await said(new, present(pupil, DAY))
        await said(around.school, an_event(pupil.id, DAY))
        assert await doubts(around, around.teacher) == []

    @pytest.mark.parametrize("back", ["own", "other"])
    async def test_one_that_is_taken_back_is_owed_no_look_and_saw_nobody(
        self, around, new, pupil, said, database, back
    ) -> None:
        words = [(around.school, present(pupil)), (new, present(pupil))]
        for school, word in words:
            await said(school, word)
        school, word = words[back == "other"]
        await said(school, {**word, "id": "back", "category": "withdrawn", "sequence": 9})
        (other,) = (each for each, _ in words if each is not school)
        both = [await doubts(around, each.system) for each in (school, other)]
        assert [{each["finding"] for each in seen} for seen in both] == [{"mistaken"}] * 2
        async with database.begin(SYSTEM) as tx:
            owed = await tx.connection.fetch(
                "SELECT bearer_agency_id, state FROM duties WHERE rule = 'EDU-01.presence'"
            )
        closed = {(school.id, "discharged"), (other.id, "discharged")}
        assert {tuple(row) for row in owed} == closed

    async def test_a_roll_that_is_taken_back_contradicts_nothing_any_more(
        self, around, new, pupil, said
    ) -> None:
        roll = a_roll(TUESDAY)
        await said(around.school, roll)
        await said(new, present(pupil))
        await said(around.school, {**roll, "id": "back", "category": "withdrawn", "sequence": 1})
        found = await doubts(around, around.teacher) + await doubts(around, new.system)
        assert {each["finding"] for each in found} == {"mistaken"}

    async def test_one_that_something_else_stands_for_stays_open(
        self, around, new, pupil, said
    ) -> None:
        """It was at its own school by a roll, then missed by it, then nobody says anything: but the
        school that says it was there had lost it by then."""
        words = [(around.school, a_roll(TUESDAY)), (new, present(pupil))]
        for school, word in words:
            await said(school, word)
        missed = an_event(pupil.id, TUESDAY)
        await said(around.school, missed)
        open_ones = [each for each in await doubts(around, new.system) if not each["finding"]]
        assert [each["school_id"] for each in open_ones] == [str(new.id)]
        await said(around.school, present(pupil, DAY))
        await said(new, present(pupil, DAY, id="there"))
        await said(new, present(pupil, DAY, id="not", category="withdrawn", sequence=2))
        left = [
            each
            for each in await doubts(around, around.teacher)
            if each["school_day"] == DAY and not each["finding"]
        ]
        assert [each["school_id"] for each in left] == [str(around.school.id)]

    async def test_told_again_it_is_one(self, around, new, pupil, said) -> None:
        await said(around.school, present(pupil))
        for sequence in range(3):
            await said(new, present(pupil, sequence=sequence))
        assert len(await doubts(around, around.teacher)) == 1


class TestFound:
    @pytest.fixture(autouse=True)
    async def doubt(self, around, new, pupil, said):
        await said(around.school, present(pupil))
        await said(new, present(pupil))
        (found,) = await doubts(around, around.teacher)
        return found

    async def find(self, around, caller, doubt):
        return await around.client.post(
            f"/v1/presence-doubts/{doubt['id']}/finding",
            headers=caller.headers,
            json={"finding": "elsewhere", "note": "班主任王老师到宿舍查看"},
        )

    async def test_by_a_named_person_discharges_the_duty(self, around, doubt, database) -> None:
        answer = await self.find(around, around.teacher, doubt)
        assert (answer.status_code, answer.json()["finding"]) == (200, "elsewhere")
        await run_jobs(database)
        async with database.begin(SYSTEM) as tx:
            states = await tx.connection.fetch(
                "SELECT state, subject_id::text FROM duties WHERE rule = 'EDU-01.presence'"
                " AND bearer_agency_id = $1",
                around.school.id,
            )
        assert [tuple(row) for row in states] == [("discharged", doubt["id"])]
        again = await self.find(around, around.teacher, doubt)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/already-found")

    async def test_what_they_found_stays_though_the_school_takes_its_word_back(
        self, around, doubt, pupil, said
    ) -> None:
        assert (await self.find(around, around.teacher, doubt)).status_code == 200
        await said(around.school, present(pupil, category="withdrawn", sequence=9))
        (found,) = await doubts(around, around.teacher)
        assert found["finding"] == "elsewhere"

    async def test_a_machine_has_looked_nowhere(self, around, doubt) -> None:
        answer = await self.find(around, around.school.system, doubt)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")

    async def test_the_other_school_answers_for_its_own(
        self, around, new, doubt, database, settings
    ) -> None:
        teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=new.id)
        answer = await self.find(around, teacher, doubt)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-said-by-you")
        found = await doubts(around, teacher, permitted="recordPresenceFinding")
        assert [each["school_id"] for each in found] == [str(new.id)]


async def test_the_office_above_each_school_reads_it_wherever_the_child_lives(
    client, database, settings, around, said
) -> None:
    """Both schools and both education bureaus know what they owe; no other bureau does."""
    for place in (120118101201, 120117101201):
        await some_regions(database, place)
    near, home = (
        around.education,
        await a_caller(database, settings, "education_authority", LIVES_IN),
    )
    there = await a_school(database, settings, 120118101000)
    pupil = await a_pupil(
        client, database, settings, around.school.id, lives_in=120117101201, since="2026-09-01"
    )
    await pupil.enrol(there.id, since=DAY)
    await said(around.school, present(pupil))
    await said(there, present(pupil))
    [mine] = await doubts(around, near)
    assert (mine["school_id"], mine["overseer_id"], mine["asked_id"], mine["permitted"]) == (
        str(around.school.id),
        str(near.agency_id),
        None,
        [],
    )
    late = await a_caller(database, settings, "education_authority", 120118000000)
    assert await doubts(around, late) == []
    await tick(database, "attendance.ask_again")
    [theirs] = await doubts(around, late)
    assert (theirs["school_id"], theirs["overseer_id"]) == (str(there.id), str(late.agency_id))
    assert len(await doubts(around, home)) == 2, "the child lives there"
    civil = await a_caller(database, settings, "civil_affairs", 120118000000)
    assert await doubts(around, civil) == []
    for office, doubt in ((near, mine), (late, theirs)):
        async with database.begin(SYSTEM) as tx:
            await owners.find_owners(tx, 120117000000)
        duties = await client.get("/v1/duties?rule=EDU-01.presence", headers=office.headers)
        owed = [(each["subject_id"], each["bearer"]) for each in duties.json()["items"]]
        bearer = {"role": "school", "agency_id": doubt["school_id"], "stands_in_for": None}
        assert owed == [(doubt["id"], bearer)]
        found = await client.post(
            f"/v1/presence-doubts/{doubt['id']}/finding",
            headers=office.headers,
            json={"finding": "elsewhere", "note": "合成记录"},
        )
        assert (found.status_code, found.json()["type"]) == (403, "/problems/not-said-by-you")
