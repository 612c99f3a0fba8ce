"""What was wrong is taken back by a named person, with a reason; who was told is told that."""

from typing import Any
from uuid import uuid4

import pytest

from app.core.data.db import SYSTEM
from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import TOWNSHIP, a_report, filed
from tests.police_reports.test_chain import (
    ASSESS,
    AT,
    CLOSE,
    DISPOSE,
    NOTICE,
    SERVICES,
    URL,
    step,
)
from tests.police_reports.test_parties import (  # noqa: F401
    HOME_VILLAGE,
    IDENTIFY,
    NEXT_VILLAGE,
    child,
    home,
    lives_in,
    move,
    next_home,
    of_child,
    offices,
    status,
    told,
)
from tests.police_reports.test_sightings import (  # noqa: F401
    AFTER,
    around,
    of_school,
    placed,
    pupil,
    shelter,
    there,
)
from tests.unresolved.conftest import listed

WRONG = {"withdrawn_at": AT, "basis": "认错了人,两个孩子同名。"}
APART = {"separated_at": AT, "basis": "是两件事。"}
# ruff: noqa: F811


async def identified(client, offices, child: Any, report_id: str | None = None) -> str:
    report_id = report_id or await filed(client, offices.school)
    body = {**IDENTIFY, "child_id": str(child.id)}
    answer = await step(client, offices.police, report_id, "child", body)
    assert answer.status_code == 201, answer.text
    return report_id


async def read(client, caller, report_id: str) -> dict[str, Any]:
    answer = await client.get(f"{URL}/{report_id}", headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestAWrongChild:
    @pytest.mark.parametrize("who", ["police", "township", "home"])
    async def test_loses_the_report_and_who_was_told_is_told(
        self, client, database, offices, home, child, who
    ) -> None:
        report_id = await filed(client, offices.school)
        await run_jobs(database)
        await identified(client, offices, child, report_id)
        await run_jobs(database)
        caller = home if who == "home" else getattr(offices, who)
        body = {**WRONG, "id": str(uuid4())}
        answer = await step(client, caller, report_id, "child/withdrawal", body)
        assert (answer.status_code, answer.json()["step"]) == (201, "identification_withdrawn")
        assert await status(client, home, report_id) == 404
        assert {home.agency_id, offices.township.agency_id} <= await told(
            database, "identification_withdrawn"
        )
        assert offices.school.agency_id not in await told(database, "identification_withdrawn")
        seen = await read(client, offices.county, report_id)
        assert seen["child_id"] is None
        steps = {taken["step"]: taken["details"] for taken in seen["steps"]}
        assert steps["identified"]["child_id"] == str(child.id)
        assert steps["identification_withdrawn"]["basis"] == WRONG["basis"]
        assert "identifyChild" in seen["permitted"]
        assert "withdrawIdentification" not in seen["permitted"]
        await run_jobs(database)
        states = [item["state"] for item in await listed(client, offices.township)]
        assert sorted(states) == ["attached", "open"]
        again = await step(client, caller, report_id, "child/withdrawal", body)
        assert (again.status_code, again.json()["id"]) == (200, body["id"])
        if who == "home":
            other = await step(client, caller, report_id, "child/withdrawal", WRONG)
            assert other.status_code == 404
        for path in ("", f"/{report_id}", f"/{report_id}/chain"):
            reporters = await client.get(f"{URL}{path}", headers=offices.school.headers)
            assert "identif" not in reporters.text.replace("identifyChild", "")

    async def test_is_not_taken_from_its_home_of_now_by_a_former_one(
        self, client, database, settings, offices, home, next_home, child
    ) -> None:
        report_id = await of_child(client, offices, child)
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        await move(client, database, settings, child, NEXT_VILLAGE)
        for path, body in (("assessment", ASSESS), ("services", SERVICES), ("closure", CLOSE)):
            assert (await step(client, next_home, report_id, path, body)).is_success
        refused = await step(client, home, report_id, "child/withdrawal", WRONG)
        assert refused.json()["type"] == "/problems/not-your-part"
        assert "withdrawIdentification" not in (await read(client, home, report_id))["permitted"]
        answer = await step(client, next_home, report_id, "child/withdrawal", WRONG)
        assert (answer.status_code, answer.json()["state"]) == (201, "handling")
        seen = await read(client, offices.township, report_id)
        assert (seen["state"], seen["handled_at"] is None) == ("handling", False)
        assert (seen["closed_at"], seen["outcome"]) == (None, None)

    async def test_is_not_answered_again_to_whom_it_speaks_against_by_now(
        self, client, offices, child
    ) -> None:
        """Whom a report speaks against learns nothing of it, not that it is there (AZ-8)."""
        report_id = await filed(client, offices.school, suspect_agency_id="村干部")
        await identified(client, offices, child, report_id)
        body = {**WRONG, "id": str(uuid4())}
        taken = await step(client, offices.police, report_id, "child/withdrawal", body)
        accused = {"named_at": AT, "suspect_agency_id": str(offices.police.agency_id)}
        named = await step(
            client, offices.county, report_id, "suspect", {**accused, "basis": "学校说明。"}
        )
        assert (taken.status_code, named.status_code) == (201, 201), named.text
        again = await step(client, offices.police, report_id, "child/withdrawal", body)
        assert again.status_code == 404

    async def test_another_is_identified_then(
        self, client, database, offices, home, next_home, child
    ) -> None:
        report_id = await identified(client, offices, child)
        await step(client, offices.police, report_id, "child/withdrawal", WRONG)
        other = await lives_in(database, NEXT_VILLAGE)
        await identified(client, offices, other, report_id)
        assert await status(client, next_home, report_id) == 200
        assert await status(client, home, report_id) == 404

    async def test_its_former_homes_and_its_assessment_go_too(
        self, client, database, settings, offices, home, next_home, child
    ) -> None:
        report_id = await identified(client, offices, child)
        await move(client, database, settings, child, NEXT_VILLAGE)
        await step(client, offices.police, report_id, "dispositions", DISPOSE)
        await step(client, next_home, report_id, "assessment", ASSESS)
        await step(client, offices.police, report_id, "child/withdrawal", WRONG)
        for caller in (home, next_home):
            assert await status(client, caller, report_id) == 404
            assert caller.agency_id in await told(database, "identification_withdrawn")
        closure = {"closed_at": AT, "reason": "child_safe"}
        answer = await step(client, offices.township, report_id, "closure", closure)
        assert answer.json()["errors"][0]["code"] == "explanation_missing"

    @pytest.mark.usefixtures("home")
    async def test_nobody_has_told_the_right_ones_township_yet(
        self, client, offices, child
    ) -> None:
        report_id = await identified(client, offices, child)
        await step(client, offices.police, report_id, "township-notice", NOTICE)
        answer = await step(client, offices.police, report_id, "child/withdrawal", WRONG)
        assert (answer.status_code, answer.json()["state"]) == (201, "filed")

    async def test_the_corrections_that_took_it_over_lose_it_too(
        self, client, offices, home, child
    ) -> None:
        first = await identified(client, offices, child)
        corrected = await step(client, offices.school, first, "supersession", a_report())
        second = corrected.json()["id"]
        await step(client, offices.police, second, "child/withdrawal", WRONG)
        for report_id in (first, second):
            assert await status(client, home, report_id) == 404

    async def test_so_does_one_that_its_reporter_named(self, client, offices, home, child) -> None:
        report_id = await of_child(client, offices, child)
        answer = await step(client, offices.police, report_id, "child/withdrawal", WRONG)
        assert answer.status_code == 201, answer.text
        assert await status(client, home, report_id) == 404

    async def test_a_person_says_so_of_a_report_that_hangs_on_a_file_with_a_reason(
        self, client, database, settings, offices, child
    ) -> None:
        report_id = await filed(client, offices.school)
        none = await step(client, offices.police, report_id, "child/withdrawal", WRONG)
        assert (none.status_code, none.json()["type"]) == (409, "/problems/nothing-to-take-back")
        await identified(client, offices, child, report_id)
        agency = offices.police.agency_id
        machine = await a_caller(
            database, settings, "police", TOWNSHIP, machine=True, agency_id=agency
        )
        answer = await step(client, machine, report_id, "child/withdrawal", WRONG)
        assert (answer.status_code, answer.json()["type"]) == (
            403,
            "/problems/person-required",
        )
        silent = {"withdrawn_at": AT}
        answer = await step(client, offices.police, report_id, "child/withdrawal", silent)
        assert answer.status_code == 422
        away = await a_caller(database, settings, "township_supervisor", 120118102000)
        assert (await step(client, away, report_id, "child/withdrawal", WRONG)).status_code == 404

    async def test_a_reporting_township_elsewhere_has_no_part_in_it(
        self, client, database, settings, offices, child
    ) -> None:
        away = await a_caller(database, settings, "township_supervisor", 120118102000)
        report_id = await filed(client, away)
        await identified(client, offices, child, report_id)
        for path, body in (("child/withdrawal", WRONG), ("incident/separation", APART)):
            answer = await step(client, away, report_id, path, body)
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-part")

    async def test_the_school_owes_no_look_for_a_child_that_was_not_seen(
        self, around, offices, pupil, placed
    ) -> None:
        await placed()
        await there(around, pupil, AFTER)
        assert len(await of_school(around)) == 1
        async with around.database.begin(SYSTEM) as tx:
            report_id = await tx.connection.fetchval("SELECT id FROM police_reports")
        answer = await step(
            around.client, offices.police, str(report_id), "child/withdrawal", WRONG
        )
        assert answer.status_code == 201, answer.text
        await run_jobs(around.database)
        doubts = await around.client.get("/v1/presence-doubts", headers=around.teacher.headers)
        assert [each["finding"] for each in doubts.json()["items"]] == ["mistaken"]
        async with around.database.begin(SYSTEM) as tx:
            states = await tx.connection.fetch(
                "SELECT state FROM duties WHERE rule = 'EDU-01.presence'"
            )
            seen = await tx.connection.fetchval("SELECT count(*) FROM presence_sightings")
        assert ([row["state"] for row in states], seen) == (["discharged"], 0)


class TestAWrongJoin:
    @pytest.mark.parametrize("who", ["police", "township"])
    async def test_the_report_is_an_event_of_its_own_again_and_the_others_stay(
        self, client, database, offices, who
    ) -> None:
        caller = getattr(offices, who)
        one, two, three = [await filed(client, offices.school) for _ in range(3)]
        for here, other in ((one, two), (two, three)):
            body = {"joined_at": AT, "report_id": other}
            assert (await step(client, caller, here, "incident", body)).status_code == 201
        body = {**APART, "id": str(uuid4())}
        for expected in (201, 200):
            answer = await step(client, caller, three, "incident/separation", body)
            assert answer.status_code == expected, answer.text
        assert {*(await read(client, caller, one))["joined"]} == {two}
        alone = await read(client, caller, three)
        assert (alone["joined"], alone["incident_id"]) == ([], three)
        for report_id in (two, three):
            steps = [taken["step"] for taken in (await read(client, caller, report_id))["steps"]]
            assert sorted(steps) == sorted(
                ["joined"] * (2 if report_id == two else 1) + ["separated"]
            )
        heard = await told(database, "report_separated")
        assert heard == await told(database, "reports_joined")
        assert {offices.police.agency_id, offices.township.agency_id} <= heard
        again = await step(client, caller, three, "incident/separation", APART)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/not-joined")

    @pytest.mark.parametrize("called", ["by an id of their own", "by the first report's"])
    async def test_what_was_taken_apart_does_not_come_together_by_itself(
        self, client, offices, called
    ) -> None:
        """A later report called as the event was is one with those that stayed; called by the id
        of the report that was taken from it, one with that.
        """
        own = called == "by an id of their own"
        first = str(uuid4())
        event = str(uuid4()) if own else first
        named = {"incident_id": event}
        await filed(client, offices.school, id=first, **(named if own else {}))
        stays = [await filed(client, offices.school, **named) for _ in range(2)]
        apart = first if first < min(stays) or not own else min(stays)
        left = {first, *stays} - {apart}
        answer = await step(client, offices.police, apart, "incident/separation", APART)
        assert answer.status_code == 201, answer.text
        later = await filed(client, offices.school, **named)
        joined = (await read(client, offices.police, later))["joined"]
        assert {*joined} == (left if own else {first})

    async def test_who_has_no_part_in_the_other_learns_neither(
        self, client, database, offices, home, child
    ) -> None:
        mine = await of_child(client, offices, child)
        other = await filed(client, offices.school)
        await step(client, offices.police, mine, "incident", {"joined_at": AT, "report_id": other})
        answer = await step(client, offices.police, mine, "incident/separation", APART)
        assert answer.status_code == 201, answer.text
        steps = [taken["step"] for taken in (await read(client, home, mine))["steps"]]
        assert steps == []
        assert home.agency_id not in await told(database, "report_separated")

    async def test_a_person_says_so_with_a_reason(
        self, client, database, settings, offices
    ) -> None:
        first = await filed(client, offices.school)
        second = await filed(client, offices.village, incident_id=first)
        agency = offices.police.agency_id
        machine = await a_caller(
            database, settings, "police", TOWNSHIP, machine=True, agency_id=agency
        )
        answer = await step(client, machine, second, "incident/separation", APART)
        assert (answer.status_code, answer.json()["type"]) == (
            403,
            "/problems/person-required",
        )
        bare = await step(
            client, offices.police, second, "incident/separation", {"separated_at": AT}
        )
        assert bare.status_code == 422
        said = await step(client, offices.police, second, "incident/separation", APART)
        assert said.status_code == 201, said.text
        other = await step(client, offices.police, first, "incident/separation", APART)
        assert (other.status_code, other.json()["type"]) == (409, "/problems/not-joined")


async def test_the_childs_own_township_has_a_part_in_all_of_the_chain(
    client, database, offices, home, child
) -> None:
    """Identified on the correction, what was done before it is theirs to read, too."""
    first = await filed(client, offices.school)
    assert (await step(client, offices.police, first, "dispositions", DISPOSE)).status_code == 201
    answer = await step(client, offices.school, first, "supersession", a_report(narrative="更正。"))
    newest = answer.json()["id"]
    await identified(client, offices, child, newest)
    await run_jobs(database)
    for report_id in (first, newest):
        assert (await read(client, home, report_id))["child_id"] == str(child.id)
    await step(client, offices.police, newest, "child/withdrawal", WRONG)
    for report_id in (first, newest):
        assert await status(client, home, report_id) == 404
