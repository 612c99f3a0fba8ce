"""名在人不在: what is doubted stands while anybody else saw the child (EDU-01)."""

from typing import ClassVar

import pytest

from tests.access.factories import a_caller
from tests.attendance.factories import a_school
from tests.attendance.test_presence import doubts
from tests.children.enrolling import a_pupil
from tests.dropout_alerts.factories import everyone
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, a_report, the_offices
from tests.police_reports.test_chain import AT, URL, step
from tests.police_reports.test_sightings import BEFORE, PLACED, there


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


@pytest.fixture
async def pupil(client, database, settings, around, offices):
    school = around.school.id
    return await a_pupil(client, database, settings, school, class_name="一班", since="2026-09-01")


class TestOtherWitnesses:
    """One who said so says that it was another child: what others saw stands."""

    WRONG: ClassVar = {"withdrawn_at": AT, "basis": "认错了人"}

    @pytest.fixture
    def hospital(self, database, settings):
        async def one():
            return await a_caller(database, settings, "hospital", TOWNSHIP)

        return one

    @pytest.fixture
    def seen(self, around, pupil):
        async def report(caller, **fields) -> str:
            said = {"child_id": str(pupil.id), "found_at": f"{PLACED}T10:00:00+08:00", **fields}
            answer = await around.client.post(URL, json=a_report(**said), headers=caller.headers)
            assert answer.status_code == 201, answer.text
            await run_jobs(around.database)
            return answer.json()["id"]

        return report

    @pytest.fixture
    def withdrawn(self, around, offices):
        async def withdraw(report_id) -> None:
            path = "child/withdrawal"
            answer = await step(around.client, offices.police, report_id, path, self.WRONG)
            assert answer.status_code == 201, answer.text
            await run_jobs(around.database)

        return withdraw

    async def found(self, around) -> list[tuple]:
        listed = await doubts(around, around.teacher)
        return [(each["finding"], each["seen_by_id"]) for each in listed]

    @pytest.mark.parametrize("taken_back", [0, 1])
    async def test_two_reports_of_one(
        self, around, pupil, hospital, seen, withdrawn, taken_back
    ) -> None:
        one = await hospital()
        reports = [await seen(one), await seen(one)]
        await there(around, pupil, PLACED)
        await withdrawn(reports[taken_back])
        assert await self.found(around) == [(None, str(one.agency_id))]
        await withdrawn(reports[1 - taken_back])
        assert [finding for finding, _ in await self.found(around)] == ["mistaken"]

    async def test_another_agency(self, around, pupil, hospital, seen, withdrawn) -> None:
        callers = [await hospital(), await hospital()]
        reports = {str(each.agency_id): await seen(each) for each in callers}
        await there(around, pupil, PLACED)
        ((_, named),) = await self.found(around)
        await withdrawn(reports.pop(named))
        assert await self.found(around) == [(None, *reports)]

    async def test_another_school(
        self, around, pupil, hospital, seen, withdrawn, database, settings
    ) -> None:
        """Whatever the first witness says: another school saw it too."""
        other = await a_school(database, settings)
        await pupil.enrol(other.id, since=PLACED)
        await there(around, pupil, BEFORE)
        await there(around, pupil, BEFORE, school=other)
        report_id = await seen(await hospital(), found_at=f"{BEFORE}T10:00:00+08:00")
        await withdrawn(report_id)
        assert await self.found(around) == [(None, str(other.id))]

    async def test_it_was_the_child_after_all(
        self, around, pupil, hospital, seen, withdrawn, offices
    ) -> None:
        one = await hospital()
        report_id = await seen(one)
        await there(around, pupil, PLACED)
        await withdrawn(report_id)
        assert await self.found(around) == [("mistaken", str(one.agency_id))]
        identified = {"identified_at": AT, "child_id": str(pupil.id), "basis": "村里辨认"}
        answer = await step(around.client, offices.township, report_id, "child", identified)
        assert answer.status_code == 201, answer.text
        await run_jobs(around.database)
        assert await self.found(around) == [(None, str(one.agency_id))]
        owed = await around.client.get("/v1/duties", headers=around.teacher.headers)
        asked = [
            duty["state"] for duty in owed.json()["items"] if duty["rule"] == "EDU-01.presence"
        ]
        assert asked == ["open"]
