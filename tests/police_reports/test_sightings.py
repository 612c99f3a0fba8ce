"""名在人不在: a school's word against where the police took the child, or a hospital (EDU-01)."""

from typing import Any, ClassVar

import pytest

from app.core.data.db import Reach
from tests.access.factories import a_caller, an_agency
from tests.attendance.factories import School, a_school, an_event, push
from tests.attendance.test_presence import doubts
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import Around, everyone
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, a_report, filed, rows, the_offices
from tests.police_reports.test_chain import step
from tests.police_reports.test_dispositions import ESCORT, PAPER
from tests.police_reports.test_hidden_by_now import owed_late

OWED = {"open", "overdue"}
PLACED, BEFORE, AFTER = "2026-11-18", "2026-11-17", "2026-11-19"


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def shelter(database):
    return await an_agency(database, "rescue_institution", COUNTY)


@pytest.fixture
async def pupil(client, database, settings, around, offices):
    school = around.school.id
    return await a_pupil(client, database, settings, school, class_name="一班", since="2026-09-01")


@pytest.fixture
def placed(around, offices, pupil, shelter):
    async def happens(at: str = ESCORT["at"], on: str = PLACED, **report: Any) -> None:
        fields = {"child_id": str(pupil.id), "situations": ["guardian_failure"], **report}
        report_id = await filed(around.client, offices.village, **fields)
        deed = {key: value for key, value in ESCORT.items() if key != "placed_with_name"} | {
            "placed_with_agency_id": str(shelter),
            "hand_over": {**PAPER, "handed_over_on": on},
            "at": at,
        }
        answer = await step(around.client, offices.police, report_id, "dispositions", deed)
        assert answer.status_code == 201, answer.text
        await run_jobs(around.database)

    return happens


async def there(around: Around, pupil, *days: str, school: School | None = None) -> None:
    events = [an_event(pupil.id, day, category="present") for day in days]
    answer = await push(around.client, school or around.school, *events)
    assert answer.status_code == 202, answer.text
    await run_jobs(around.database)


async def of_school(around: Around) -> list[tuple[str, str]]:
    found = await doubts(around, around.teacher)
    return [(doubt["school_day"], doubt["seen_by_id"]) for doubt in found]


class TestPlaced:
    @pytest.mark.parametrize("day", [PLACED, AFTER])
    @pytest.mark.parametrize("school_first", [False, True])
    async def test_the_school_says_it_is_there(
        self, around, pupil, placed, shelter, day, school_first
    ) -> None:
        if school_first:
            await there(around, pupil, day)
            assert await of_school(around) == []
        await placed()
        if not school_first:
            await there(around, pupil, day)
        assert await of_school(around) == [(day, str(shelter))]
        answer = await around.client.get("/v1/duties", headers=around.teacher.headers)
        assert "EDU-01.presence" in [duty["rule"] for duty in answer.json()["items"]]
        doubted = [
            row["data"]
            for row in await rows(around.database, "events")
            if row["wire_name"] == "attendance.presence_doubted"
        ]
        assert doubted, "announced"
        assert str(shelter) not in str(doubted), "no event says where a child was taken"

    async def test_the_day_before_it_may_have_been_there(self, around, pupil, placed) -> None:
        await there(around, pupil, BEFORE)
        await placed()
        assert await of_school(around) == []

    async def test_from_when_they_took_it_though_the_paper_is_of_the_day_after(
        self, around, pupil, placed, shelter
    ) -> None:
        await placed(at=f"{PLACED}T09:00:00+08:00", on=AFTER)
        await there(around, pupil, PLACED)
        assert await of_school(around) == [(PLACED, str(shelter))]

    @pytest.mark.parametrize("none", ["0001-01-01", "1970-01-01", "9999-12-31"])
    async def test_a_date_that_systems_write_for_none_says_no_day(
        self, around, pupil, placed, shelter, none
    ) -> None:
        await placed(at=f"{none}T00:00:00Z", on=none)
        await there(around, pupil, BEFORE, AFTER, "2026-11-20")
        assert await of_school(around) == [("2026-11-20", str(shelter))]

    async def test_a_roll_of_its_class_says_so_too(self, around, placed, shelter) -> None:
        roll = {
            "source": "urn:school:test:gate",
            "id": "roll-1",
            "class_name": "一班",
            "school_day": AFTER,
            "session": "whole_day",
            "category": "roll",
            "time": f"{AFTER}T08:30:00+08:00",
        }
        await push(around.client, around.school, roll)
        await placed()
        assert await of_school(around) == [(AFTER, str(shelter))]

    async def test_one_duty_until_somebody_looked(self, around, pupil, placed) -> None:
        await placed()
        await there(around, pupil, PLACED, AFTER)
        await there(around, pupil, "2026-11-20")
        (doubt,) = await doubts(around, around.teacher)
        assert doubt["school_day"] == PLACED
        url = f"/v1/presence-doubts/{doubt['id']}/finding"
        found = {"finding": "here", "note": "班主任到班核实"}
        answer = await around.client.post(url, json=found, headers=around.teacher.headers)
        assert answer.status_code in {200, 201}, answer.text
        await there(around, pupil, AFTER)
        assert len(await doubts(around, around.teacher)) == 1

    async def test_found_elsewhere_it_is_doubted_again(self, around, pupil, placed) -> None:
        await placed()
        await there(around, pupil, PLACED)
        (doubt,) = await doubts(around, around.teacher)
        url = f"/v1/presence-doubts/{doubt['id']}/finding"
        found = {"finding": "elsewhere", "note": "在救助站"}
        await around.client.post(url, json=found, headers=around.teacher.headers)
        await there(around, pupil, AFTER)
        assert len(await doubts(around, around.teacher)) == 2

    async def test_told_twice_it_is_one(self, around, pupil, placed) -> None:
        await placed()
        await placed()
        await there(around, pupil, PLACED)
        assert len(await doubts(around, around.teacher)) == 1

    async def test_a_school_it_speaks_against_learns_nothing(self, around, pupil, placed) -> None:
        await placed(suspect_agency_id=str(around.school.id))
        await there(around, pupil, PLACED, AFTER)
        assert await of_school(around) == []

    async def test_nor_one_that_a_report_speaks_against_which_this_one_corrects(
        self, around, offices, pupil, shelter
    ) -> None:
        first = await filed(
            around.client,
            offices.village,
            child_id=str(pupil.id),
            situations=["guardian_failure"],
            suspect_agency_id=str(around.school.id),
        )
        body = a_report(child_id=str(pupil.id), situations=["guardian_failure"])
        corrected = await step(around.client, offices.village, first, "supersession", body)
        deed = {key: value for key, value in ESCORT.items() if key != "placed_with_name"} | {
            "placed_with_agency_id": str(shelter),
            "hand_over": {**PAPER, "handed_over_on": PLACED},
        }
        report_id = corrected.json()["id"]
        answer = await step(around.client, offices.police, report_id, "dispositions", deed)
        assert answer.status_code == 201, answer.text
        await run_jobs(around.database)
        await there(around, pupil, PLACED, AFTER)
        assert await of_school(around) == []


class TestKeptFromTheAccused:
    """A doubt says where the police took the child: whom the report speaks against is not asked,
    the education authority above is (AZ-8).
    """

    FINDING: ClassVar = {"finding": "elsewhere", "note": "在救助站"}

    @pytest.fixture
    def told(self, around):
        async def told(caller) -> tuple[int, set[str]]:
            answer = await around.client.get("/v1/duties", headers=caller.headers)
            rules = {duty["rule"] for duty in answer.json()["items"] if duty["state"] in OWED}
            asked = {"EDU-01.presence", "EDU-01.presence_above"}
            return len(await doubts(around, caller)), rules & asked

        return told

    async def report_of(self, around) -> str:
        newest = await rows(around.database, "police_reports")
        return str(next(each["id"] for each in newest if each["superseded_by_id"] is None))

    @pytest.mark.parametrize("when", ["at first", "corrected", "named"])
    @pytest.mark.parametrize("words", [False, True])
    async def test_an_accused_school_is_not_asked(
        self, around, offices, pupil, placed, told, shelter, words, when
    ) -> None:
        accused = "学校的干部" if words else str(around.school.id)
        unclear = {"suspect_agency_id": "幼儿园"} if when == "named" else {}
        first = {"suspect_agency_id": accused} if when == "at first" else unclear
        await there(around, pupil, PLACED)
        await placed(**first)
        if when != "at first":
            said = {"child_id": str(pupil.id), "situations": ["guardian_failure"]}
            body = a_report(**said, suspect_agency_id=accused)
            report_id = await self.report_of(around)
            if when == "corrected":
                await owed_late(around.database)
                assert await told(around.teacher) == (1, {"EDU-01.presence"})
                answer = await step(around.client, offices.village, report_id, "supersession", body)
            else:
                suspect = None if words else accused
                naming = {"named_at": ESCORT["at"], "suspect_agency_id": suspect, "basis": "查。"}
                answer = await step(around.client, offices.county, report_id, "suspect", naming)
            assert answer.status_code == 201, answer.text
            await run_jobs(around.database)
        named_nobody = words and when == "named"
        if not named_nobody:
            assert await told(around.teacher) == (0, set())
        (doubt,) = await doubts(around, around.education)
        assert doubt["seen_by_id"] == str(shelter)
        assert "recordPresenceFinding" in doubt["permitted"]
        # What the school owed too late already is alarmed to them still.
        assert "EDU-01.presence_above" in (await told(around.education))[1]
        url = f"/v1/presence-doubts/{doubt['id']}/finding"
        mine = around.teacher.headers
        by_school = await around.client.post(url, json=self.FINDING, headers=mine)
        assert by_school.status_code == (403 if named_nobody else 404)
        answer = await around.client.post(url, json=self.FINDING, headers=around.education.headers)
        assert answer.status_code == 200, answer.text
        await run_jobs(around.database)
        assert await told(around.education) == (1, set())

    @pytest.mark.parametrize("later", [False, True])
    async def test_an_accused_township_learns_nothing_of_it(
        self, around, offices, pupil, placed, told, later
    ) -> None:
        accused = str(around.township.agency_id)
        await there(around, pupil, PLACED)
        await placed(**({} if later else {"suspect_agency_id": accused}))
        if later:
            assert (await told(around.township))[0] == 1
            said = {"child_id": str(pupil.id), "situations": ["guardian_failure"]}
            body = a_report(**said, suspect_agency_id=accused)
            report_id = await self.report_of(around)
            await step(around.client, offices.village, report_id, "supersession", body)
            await run_jobs(around.database)
        assert await told(around.township) == (0, set())
        assert await told(around.teacher) == (1, {"EDU-01.presence"})
        reach = Reach(COUNTY, COUNTY + 10**6, agency=around.township.agency_id)
        async with around.database.begin(reach) as tx:
            assert await tx.connection.fetchval("SELECT count(*) FROM presence_doubts") == 0


class TestSeenByThePolice:
    """They named no agency that took it in: it is they who saw the child."""

    async def deed(self, around, offices, pupil, body: dict[str, Any], **report: Any) -> None:
        report_id = await filed(around.client, offices.village, child_id=str(pupil.id), **report)
        answer = await step(around.client, offices.police, report_id, "dispositions", body)
        assert answer.status_code == 201, answer.text
        await run_jobs(around.database)

    async def test_a_place_in_words_from_the_hand_over_on(self, around, offices, pupil) -> None:
        await there(around, pupil, BEFORE, PLACED)
        body = {**ESCORT, "hand_over": {**PAPER, "handed_over_on": PLACED}}
        await self.deed(around, offices, pupil, body, situations=["guardian_failure"])
        assert await of_school(around) == [(PLACED, str(offices.police.agency_id))]
        await there(around, pupil, AFTER)
        assert len(await of_school(around)) == 1  # until somebody looked

    @pytest.mark.parametrize("within", [False, True])
    async def test_a_missing_child_that_was_found_that_day(
        self, around, offices, pupil, within
    ) -> None:
        """Also where it is one of several kinds that one deed answers."""
        await there(around, pupil, AFTER, "2026-11-20")
        found = {"kind": "missing", "measures": ["search_started", "child_found"]}
        body: dict[str, Any] = {**found, "at": f"{AFTER}T09:00:00+08:00"}
        situations = ["missing"]
        if within:
            measures = ["parents_ordered_to_return", "parents_admonished"]
            body |= {"kind": "living_alone", "measures": measures, "also": [found]}
            situations.append("living_alone")
        await self.deed(around, offices, pupil, body, situations=situations)
        assert await of_school(around) == [(AFTER, str(offices.police.agency_id))]

    async def test_a_search_alone_has_seen_nobody(self, around, offices, pupil) -> None:
        await there(around, pupil, AFTER)
        body = {"kind": "missing", "at": f"{AFTER}T09:00:00+08:00", "measures": ["search_started"]}
        await self.deed(around, offices, pupil, body, situations=["missing"])
        assert await of_school(around) == []


class TestWhoeverTakesChildrenIn:
    @pytest.mark.parametrize("kind", ["rescue_institution", "welfare_institution"])
    async def test_reports_one_that_is_with_them(
        self, around, pupil, database, settings, kind
    ) -> None:
        home = await an_agency(database, kind, COUNTY)
        caller = await a_caller(database, settings, "reporting_body", COUNTY, agency_id=home)
        await there(around, pupil, PLACED, AFTER)
        found_at = f"{PLACED}T09:00:00+08:00"
        await filed(around.client, caller, child_id=str(pupil.id), found_at=found_at)
        await run_jobs(database)
        assert await of_school(around) == [(PLACED, str(home))]


class TestHospital:
    @pytest.mark.parametrize("school_first", [False, True])
    async def test_that_day_and_no_other(
        self, around, pupil, database, settings, school_first
    ) -> None:
        hospital = await a_caller(database, settings, "hospital", COUNTY)
        if school_first:
            await there(around, pupil, PLACED, AFTER)
        await filed(
            around.client,
            hospital,
            child_id=str(pupil.id),
            found_at=f"{PLACED}T09:00:00+08:00",
            situations=["accident_or_harm"],
        )
        await run_jobs(database)
        if not school_first:
            await there(around, pupil, PLACED, AFTER)
        assert await of_school(around) == [(PLACED, str(hospital.agency_id))]

    async def test_a_child_that_was_unknown_when_it_was_filed(
        self, around, offices, pupil, database, settings
    ) -> None:
        hospital = await a_caller(database, settings, "hospital", COUNTY)
        await there(around, pupil, PLACED)
        report = await filed(
            around.client,
            hospital,
            found_at=f"{PLACED}T09:00:00+08:00",
            situations=["accident_or_harm"],
        )
        await run_jobs(database)
        assert await of_school(around) == []
        body = {
            "child_id": str(pupil.id),
            "identified_at": "2026-11-20T09:50:00+08:00",
            "basis": "病历。",
        }
        answer = await step(around.client, offices.township, report, "child", body)
        assert answer.status_code == 201, answer.text
        await run_jobs(database)
        assert await of_school(around) == [(PLACED, str(hospital.agency_id))]

    async def test_a_village_that_reports_has_not_seen_it_today(
        self, around, offices, pupil
    ) -> None:
        await filed(
            around.client,
            offices.village,
            child_id=str(pupil.id),
            found_at=f"{PLACED}T09:00:00+08:00",
        )
        await there(around, pupil, PLACED)
        assert await of_school(around) == []


async def test_another_school_beside_it_is_doubted_as_well(
    client, database, settings, around, pupil, placed
) -> None:
    new = await a_school(database, settings)
    teacher = await a_caller(database, settings, "school", TOWNSHIP, agency_id=new.id)
    await placed()
    await pupil.enrol(new.id, since=AFTER)
    await there(around, pupil, AFTER, school=new)
    assert len(await doubts(around, teacher)) == 1
