"""A correction stands where the report before it stands: what is said of one is said of both."""

from typing import Any

import pytest

from tests.access.factories import a_caller
from tests.jobs import run_jobs
from tests.police_reports.factories import COUNTY, TOWNSHIP, VILLAGE, an_endpoint, filed, rows
from tests.police_reports.test_chain import ACCEPT, AT, URL, step
from tests.police_reports.test_chain_of_corrections import corrected
from tests.police_reports.test_parties import (  # noqa: F401
    IDENTIFY,
    child,
    home,
    offices,
    told,
)
from tests.police_reports.test_taken_back import WRONG, read
from tests.unresolved.conftest import listed

# ruff: noqa: F811


async def asked(client, caller) -> dict[str, list[str]]:
    """States of the questions whose a report is, by report."""
    found: dict[str, list[str]] = {}
    for item in await listed(client, caller, "?kind=report"):
        found.setdefault(item["report_id"], []).append(item["state"])
    return {report_id: sorted(states) for report_id, states in found.items()}


async def owed(client, caller) -> list[str]:
    answer = await client.get("/v1/duties?rule=REP-01.child", headers=caller.headers)
    return sorted(duty["state"] for duty in answer.json()["items"])


def steps(read_: dict[str, Any]) -> list[str]:
    return [taken["step"] for taken in read_["steps"]]


class TestAWrongChildOfTheFirst:
    @pytest.mark.parametrize("named", ["by_reporter", "by_police"])
    @pytest.mark.parametrize("through", ["first", "second", "last"])
    async def test_the_last_is_asked_about_anew(
        self, client, database, offices, home, child, named, through
    ) -> None:
        known = {"child_id": str(child.id)} if named == "by_reporter" else {}
        first = await filed(client, offices.school, **known)
        if not known:
            body = {**IDENTIFY, "child_id": str(child.id)}
            await step(client, offices.police, first, "child", body)
        second = await corrected(client, offices.school, first, **known)
        last = await corrected(client, offices.school, second, **known)
        await run_jobs(database)
        reports = {"first": first, "second": second, "last": last}
        body = {**WRONG, "id": "01995f3c-7a10-7c55-8a41-5d0e2f6b9c77"}
        for expected in (201, 200):
            answer = await step(client, offices.police, reports[through], "child/withdrawal", body)
            assert answer.status_code == expected, answer.text
        await run_jobs(database)
        for report_id in reports.values():
            seen = await read(client, offices.county, report_id)
            assert seen["child_id"] is None
            assert "identification_withdrawn" in steps(seen)
            gone = await client.get(f"{URL}/{report_id}", headers=home.headers)
            assert gone.status_code == 404
        questions = await asked(client, offices.township)
        assert [report_id for report_id, states in questions.items() if "open" in states] == [last]
        assert "open" in await owed(client, offices.township)
        assert {home.agency_id, offices.township.agency_id} <= await told(
            database, "identification_withdrawn"
        )


class TestPassedOn:
    @pytest.fixture
    async def others(self, database, settings):
        """Police of the county, with an endpoint."""
        found = await a_caller(database, settings, "police", COUNTY)
        await an_endpoint(database, found.agency_id, COUNTY)
        return found

    async def passed_on(self, client, offices, others, *, accepts: bool = True) -> str:
        report_id = await filed(client, offices.school)
        body = {"forwarded_at": AT, "police_agency_id": str(others.agency_id)}
        answer = await step(client, offices.police, report_id, "forwarding", body)
        assert answer.status_code == 201, answer.text
        if accepts:
            await step(client, others, report_id, "acknowledgement", ACCEPT)
        return report_id

    @pytest.mark.parametrize("accepts", [True, False])
    async def test_the_correction_goes_to_whom_it_was_passed_on(
        self, client, database, offices, others, accepts
    ) -> None:
        first = await self.passed_on(client, offices, others, accepts=accepts)
        second = await corrected(client, offices.school, first)
        last = await corrected(client, offices.school, second, region_code=str(TOWNSHIP))
        sent = {
            str(row["ordering_key"]): row["agency_id"]
            for row in await rows(database, "webhook_deliveries")
            if str(row["ordering_key"]) != first
        }
        assert sent == {second: others.agency_id, last: others.agency_id}
        for report_id in (second, last):
            here = await read(client, others, report_id)
            assert (here["party"], here["routing"]) == ("police", "routed")
        before = await read(client, offices.police, second)
        assert (before["party"], before["narrative"]) == ("onlooker", None)
        accepted = await step(client, others, second, "acknowledgement", ACCEPT)
        assert (accepted.status_code, accepted.json()["state"]) == (201, "acknowledged")

    async def test_it_stays_with_whoever_accepts_each_correction(
        self, client, offices, others
    ) -> None:
        first = await self.passed_on(client, offices, others)
        second = await corrected(client, offices.school, first)
        await step(client, others, second, "acknowledgement", ACCEPT)
        third = await corrected(client, offices.school, second, region_code=str(TOWNSHIP))
        assert (await read(client, others, third))["party"] == "police"
        assert (await read(client, offices.police, third))["party"] == "onlooker"

    async def test_not_to_police_it_speaks_against(self, client, offices, others) -> None:
        first = await self.passed_on(client, offices, others)
        accused = str(others.agency_id)
        second = await corrected(client, offices.school, first, suspect_agency_id=accused)
        answer = await client.get(f"{URL}/{second}", headers=others.headers)
        assert answer.status_code == 404
        assert (await read(client, offices.police, second))["party"] == "police"

    async def test_of_another_county_it_goes_by_the_place(self, client, offices, others) -> None:
        first = await self.passed_on(client, offices, others)
        second = await corrected(client, offices.school, first, region_code="120118000000")
        assert (await read(client, others, second))["party"] != "police"

    async def test_who_was_told_while_no_endpoint_took_it_is_told_of_the_correction(
        self, client, database, settings, offices
    ) -> None:
        county = await a_caller(database, settings, "police", COUNTY)
        first = await filed(client, offices.school)
        body = {"forwarded_at": AT, "police_agency_id": str(county.agency_id)}
        await step(client, offices.police, first, "forwarding", body)
        assert (await read(client, county, first))["party"] == "police"
        second = await corrected(client, offices.school, first, region_code=str(VILLAGE))
        assert (await read(client, county, second))["party"] == "police"
        answer = await step(client, county, second, "acknowledgement", ACCEPT)
        assert (answer.status_code, answer.json()["state"]) == (201, "acknowledged")
        assert (await read(client, offices.police, second))["party"] == "onlooker"


class TestSaidOfTheFirst:
    async def test_whom_the_police_identify_is_the_child_of_its_corrections(
        self, client, database, offices, home, child
    ) -> None:
        first = await filed(client, offices.school)
        second = await corrected(client, offices.school, first)
        last = await corrected(client, offices.school, second)
        await run_jobs(database)
        assert (await asked(client, offices.township))[last] == ["open"]
        body = {**IDENTIFY, "child_id": str(child.id), "id": "01995f3c-7a10-7c55-8a41-5d0e2f6b9c78"}
        for expected in (201, 200):
            answer = await step(client, offices.police, first, "child", body)
            assert answer.status_code == expected, answer.text
        await run_jobs(database)
        for report_id in (first, second, last):
            seen = await read(client, home, report_id)
            assert (seen["child_id"], steps(seen)) == (str(child.id), ["identified"])
        assert (await asked(client, offices.township))[last] == ["attached"]
        assert "open" not in await owed(client, offices.township)

    async def test_what_the_police_know_of_the_child_is_read_on_its_correction(
        self, client, database, offices
    ) -> None:
        first = await filed(client, offices.school)
        second = await corrected(client, offices.school, first)
        await run_jobs(database)
        [before] = await listed(client, offices.township, "?kind=report&state=open")
        body = {**IDENTIFY, "name": "样小一", "resident_id": "11010519491231002X"}
        answer = await step(client, offices.police, first, "child", body)
        assert (answer.status_code, answer.json()["step"]) == (201, "described")
        await run_jobs(database)
        seen = await read(client, offices.township, second)
        assert [each["details"]["basis"] for each in seen["steps"]] == [IDENTIFY["basis"]]
        [after] = await listed(client, offices.township, "?kind=report&state=open")
        assert (after["id"], after["version"] > before["version"]) == (before["id"], True)


class TestTheEvent:
    @pytest.mark.parametrize("named", [False, True])
    async def test_a_correction_stays_in_the_event_of_what_it_corrects(
        self, client, offices, named
    ) -> None:
        of_theirs = "01995f3c-7a10-7c55-8a41-5d0e2f6b9c79"
        first, other = await filed(client, offices.school), await filed(client, offices.village)
        third = await filed(client, offices.village, incident_id=of_theirs)
        joins = {"joined_at": AT, "report_id": other}
        await step(client, offices.police, first, "incident", joins)
        fields = {"incident_id": of_theirs} if named else {}
        last = await corrected(client, offices.school, first, **fields)
        together = {first, other, last, *([third] if named else [])}
        for report_id in together:
            assert {*(await read(client, offices.police, report_id))["joined"]} == (
                together - {report_id}
            )

    async def test_what_was_taken_apart_stays_so_when_the_same_is_named_again(
        self, client, offices
    ) -> None:
        named = {"incident_id": "01995f3c-7a10-7c55-8a41-5d0e2f6b9c80"}
        first = await filed(client, offices.school, **named)
        other = await filed(client, offices.village, **named)
        apart = {"separated_at": AT, "basis": "是两件事。"}
        answer = await step(client, offices.police, first, "incident/separation", apart)
        assert answer.status_code == 201, answer.text
        last = await corrected(client, offices.school, first, **named)
        assert (await read(client, offices.police, last))["joined"] == [first]
        assert (await read(client, offices.police, other))["joined"] == []
