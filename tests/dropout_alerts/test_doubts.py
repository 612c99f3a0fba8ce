"""A register never changes backwards unseen, and nothing ends an alert but a positive record or a
named person (销号).
"""

import pytest

from tests.access.factories import a_caller
from tests.attendance.factories import TOWNSHIP, an_event, push
from tests.dropout_alerts.factories import a_report, an_attempt, everyone
from tests.jobs import run_jobs

SIX = [f"2026-11-{day}" for day in (13, 16, 17, 18, 19, 20)]


@pytest.fixture
async def around(client, database, settings):
    return await everyone(client, database, settings)


@pytest.fixture
async def pupil(database, around):
    return await around.school.pupil(database)


@pytest.fixture
async def doubted(around, pupil):
    """Registered after six days, one of which the school takes back."""
    await around.absent(pupil.id, *SIX)
    assert (await around.alert(pupil.id))["state"] == "registered"
    await around.absent(pupil.id, SIX[2], category="excused", sequence=1)
    return await around.alert(pupil.id)


class TestRegister:
    async def test_a_correction_leaves_it_and_marks_it(self, around, doubted) -> None:
        assert (doubted["state"], doubted["registered_on"]) == ("registered", "2026-11-20")
        assert (doubted["doubt"], doubted["unexcused_days"]) == ("fewer_days", 5)
        first, second, third = await around.announced()
        assert ({first, second}, third) == ({"alert_opened", "child_registered"}, "alert_doubted")
        answer = await around.client.get(
            f"/v1/dropout-alerts/{doubted['id']}", headers=around.teacher.headers
        )
        (step,) = answer.json()["journal"]
        assert (step["kind"], step["unexcused_days"]) == ("doubted", 5)
        assert "settleDoubt" in doubted["permitted"]

    async def test_the_school_owes_a_look_at_it(self, around, pupil, doubted, database) -> None:
        """A register never changes backwards unseen: somebody looks, by a day."""

        async def owed() -> list[tuple[str, str]]:
            answer = await around.client.get("/v1/duties", headers=around.teacher.headers)
            found = [each for each in answer.json()["items"] if each["rule"] == "EDU-02.doubt"]
            return [(each["bearer"]["role"], each["state"]) for each in found]

        assert await owed() == [("school", "open")]
        await around.step(around.teacher, doubted, "doubt/decision", a_decision())
        await run_jobs(database)
        assert await owed() == [("school", "discharged")]
        await around.absent(pupil.id, *SIX, category="withdrawn", sequence=2)
        assert await owed() == [("school", "open")], "another is owed anew"

    async def test_all_days_taken_back_leave_it_too(self, around, pupil, doubted) -> None:
        for day in SIX:
            await around.absent(pupil.id, day, category="withdrawn", sequence=2)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["unexcused_days"]) == ("registered", 0)
        assert (await around.announced()).count("alert_doubted") == 1
        assert doubted["id"] == alert["id"]

    async def test_a_day_more_or_told_again_doubts_nothing(self, around, pupil) -> None:
        await around.absent(pupil.id, *SIX)
        await around.absent(pupil.id, "2026-11-12")
        await around.absent(pupil.id, SIX[0], sequence=1)
        await around.absent(pupil.id, "2026-11-12", category="excused", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["doubt"], alert["unexcused_days"]) == (None, 6)

    async def test_what_was_written_to_the_authorities_is_marked_as_well(
        self, around, pupil
    ) -> None:
        await around.absent(pupil.id, *SIX)
        alert = await around.alert(pupil.id)
        failed = await around.step(around.teacher, alert, "persuasions", an_attempt(final=True))
        await around.step(around.teacher, failed.json(), "written-report", a_report())
        await around.absent(pupil.id, SIX[2], category="excused", sequence=1)
        alert = await around.alert(pupil.id)
        assert (alert["state"], alert["doubt"]) == ("written_report_sent", "fewer_days")
        assert {*(await around.announced())[-2:]} == {"alert_amended", "alert_doubted"}


def a_decision(decision: str = "stands") -> dict:
    return {"decision": decision, "note": "班主任家访核实"}


class TestSettled:
    async def test_it_stands(self, around, doubted) -> None:
        answer = await around.step(around.teacher, doubted, "doubt/decision", a_decision())
        assert answer.status_code == 200, answer.text
        alert = answer.json()
        assert (alert["state"], alert["doubt"]) == ("registered", None)
        last = alert["journal"][-1]
        assert (last["kind"], last["decision"]) == ("doubt_settled", "stands")
        assert last["note"] == "班主任家访核实"
        assert (await around.announced())[-1] == "doubt_settled"

    async def test_it_is_struck_off(self, around, doubted) -> None:
        answer = await around.step(
            around.teacher, doubted, "doubt/decision", a_decision("struck_off")
        )
        alert = answer.json()
        assert (alert["state"], alert["end_reason"]) == ("closed", "struck_off")
        assert {*(await around.announced())[-2:]} == {"doubt_settled", "alert_closed"}

    async def test_a_machine_settles_nothing(self, around, doubted) -> None:
        answer = await around.step(
            around.school.system, doubted, "doubt/decision", a_decision("struck_off")
        )
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")

    async def test_another_school_neither(self, around, doubted, database, settings) -> None:
        other = await a_caller(database, settings, "school", TOWNSHIP)
        answer = await around.step(other, doubted, "doubt/decision", a_decision())
        assert answer.status_code == 404

    async def test_where_nothing_is_in_doubt(self, around, pupil) -> None:
        await around.absent(pupil.id, *SIX)
        alert = await around.alert(pupil.id)
        assert "settleDoubt" not in alert["permitted"]
        assert await around.alerts(permitted="settleDoubt") == []
        answer = await around.step(around.teacher, alert, "doubt/decision", a_decision())
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/nothing-doubted")

    async def test_what_has_ended_is_in_no_doubt(self, around, doubted) -> None:
        done = await around.step(
            around.teacher, doubted, "doubt/decision", a_decision("struck_off")
        )
        assert done.status_code == 200, done.text
        ended = {**doubted, "version": done.json()["version"]}
        answer = await around.step(around.teacher, ended, "doubt/decision", a_decision())
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "/problems/transition-not-allowed",
        )

    async def test_a_list_of_what_is_to_be_settled(self, around, doubted) -> None:
        (found,) = await around.alerts(permitted="settleDoubt")
        assert found["id"] == doubted["id"]


async def test_a_machine_records_no_return(around, pupil) -> None:
    await around.absent(pupil.id, *SIX)
    alert = await around.alert(pupil.id)
    back = {"returned_on": "2026-11-20", "kind": "same_school"}
    answer = await around.step(around.school.system, alert, "return", back)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/person-required")
    answer = await around.step(around.teacher, alert, "return", back)
    assert (answer.status_code, answer.json()["end_reason"]) == (200, "recorded")


async def test_silence_off_the_list_closes_nothing(around, pupil, database) -> None:
    """Absent three days; then only other classes push, for weeks on end."""
    classmate = await around.school.pupil(database)
    await around.absent(pupil.id, "2026-11-02", "2026-11-03", "2026-11-04")
    for day in ("05", "06", "09", "10", "11", "12", "13", "16", "17", "18", "19", "20"):
        await around.absent(classmate.id, f"2026-11-{day}", category="present")
    assert (await around.alert(pupil.id))["state"] == "absent"


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_day_of_leave_closes_nothing_where_the_others_were_only_taken_back(
    client, database, around, pupil, at_once
) -> None:
    """Nobody says where the child was on them."""
    *others, last = SIX[-3:]
    await around.absent(pupil.id, *others, last)
    taken_back = [an_event(pupil.id, day, category="withdrawn", sequence=1) for day in others]
    leave = [an_event(pupil.id, last, category="excused", sequence=1)]
    for batch in [[*taken_back, *leave]] if at_once else [taken_back, leave]:
        await push(client, around.school, *batch)
        await run_jobs(database)
    alert = await around.alert(pupil.id)
    assert (alert["state"], alert["doubt"]) == ("absent", "fewer_days")
