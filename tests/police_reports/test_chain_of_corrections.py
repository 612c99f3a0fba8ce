"""What a correction changes of who knows, and what it cannot take back."""

from uuid import uuid4

import pytest

from tests.access.factories import a_caller
from tests.children.factories import a_child
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    a_report,
    an_endpoint,
    delivered,
    filed,
    police_at,
    rows,
    the_offices,
)
from tests.police_reports.test_chain import ACCEPT, AT, DISPOSE, NOTICE, URL, step
from tests.police_reports.test_parties import told


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


async def corrected(client, caller, report_id: str, **fields) -> str:
    answer = await step(client, caller, report_id, "supersession", a_report(**fields))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def status(client, caller, report_id: str) -> int:
    return int((await client.get(f"{URL}/{report_id}", headers=caller.headers)).status_code)


class TestWhomAChainSpeaksAgainst:
    @pytest.mark.parametrize("then", ["village", None])
    async def test_agency_accused_before_reads_none_of_the_chain(
        self, client, database, offices, then
    ) -> None:
        await an_endpoint(database, offices.township.agency_id, TOWNSHIP, relation="region")
        accused = str(offices.township.agency_id)
        first = await filed(client, offices.school, suspect_agency_id=accused)
        other = then and str(getattr(offices, then).agency_id)
        second = await corrected(client, offices.school, first, suspect_agency_id=other)
        third = await corrected(client, offices.school, second)
        for report_id in (first, second, third):
            assert await status(client, offices.township, report_id) == 404
            assert await status(client, offices.county, report_id) == 200
        read = await client.get(f"{URL}/{second}", headers=offices.police.headers)
        assert read.json()["suspect_agency_id"] == other
        await run_jobs(database)
        told = {row["agency_id"] for row in await rows(database, "webhook_deliveries")}
        assert told == {offices.police.agency_id}

    async def test_a_suspect_named_later_is_kept_from_all_before(self, client, offices) -> None:
        first = await filed(client, offices.school)
        second = await corrected(client, offices.school, first)
        accused = str(offices.township.agency_id)
        third = await corrected(client, offices.school, second, suspect_agency_id=accused)
        for report_id in (first, second, third):
            assert await status(client, offices.township, report_id) == 404

    async def test_police_accused_before_are_not_in_charge_of_the_correction(
        self, client, database, offices
    ) -> None:
        county = await police_at(database, COUNTY)
        accused = str(offices.police.agency_id)
        first = await filed(client, offices.school, suspect_agency_id=accused)
        second = await corrected(client, offices.school, first)
        stored = {str(row["id"]): row for row in await rows(database, "police_reports")}
        assert stored[second]["police_agency_id"] == county
        assert await status(client, offices.police, second) == 404

    @pytest.mark.parametrize(
        ("words", "meant"), [("镇里的干部", "township"), ("派出所的民警", "police")]
    )
    async def test_whom_words_may_mean_learns_nothing_though_a_correction_names_nobody(
        self, client, offices, words, meant
    ) -> None:
        first = await filed(client, offices.school, suspect_agency_id=words)
        second = await corrected(client, offices.school, first)
        for report_id in (first, second):
            assert await status(client, getattr(offices, meant), report_id) == 404

    async def test_a_township_that_was_told_hears_no_more_once_words_may_mean_it(
        self, client, database, offices
    ) -> None:
        child = await a_child(database, VILLAGE)
        first = await filed(client, offices.school)
        identified = {"identified_at": AT, "child_id": str(child.id), "basis": "家长辨认。"}
        for path, body in (
            ("child", identified),
            ("dispositions", DISPOSE),
            ("township-notice", NOTICE),
        ):
            assert (await step(client, offices.police, first, path, body)).status_code == 201
        assert offices.township.agency_id in await told(database, "township_notified")
        second = await corrected(client, offices.school, first, suspect_agency_id="镇里的干部")
        assert offices.county.agency_id in await told(database, "report_superseded")
        assert offices.township.agency_id not in await told(database, "report_superseded")
        wrong = {"withdrawn_at": AT, "basis": "认错了人。"}
        answer = await step(client, offices.police, second, "child/withdrawal", wrong)
        assert answer.status_code == 201, answer.text
        heard = [
            row["told_to"]
            for row in await rows(database, "events")
            if row["wire_name"] == "police_reports.identification_withdrawn"
        ]
        assert len(heard) == 2
        assert str(offices.township.agency_id) not in str(heard)


class TestWhatACorrectionCannotTakeBack:
    async def test_violence_stays_to_be_answered(self, client, settings, database, offices) -> None:
        mate = await a_caller(
            database, settings, "school", TOWNSHIP, agency_id=offices.school.agency_id
        )
        first = await filed(client, offices.school, situations=["domestic_violence", "被人打"])
        second = await corrected(client, mate, first, situations=["living_alone"])
        third = await corrected(client, mate, second, situations=["living_alone"])
        read = (await client.get(f"{URL}/{third}", headers=offices.police.headers)).json()
        assert read["situations"] == ["domestic_violence", "living_alone"]
        assert read["doubts"] == ["situation_unknown"]
        assert read["as_sent"]["situations"] == ["被人打"]
        meant = {**DISPOSE, "situations": ["domestic_violence"]}
        await step(client, offices.police, third, "dispositions", meant)
        read = (await client.get(f"{URL}/{third}", headers=offices.police.headers)).json()
        assert (read["unanswered"], read["handled_at"]) == (["domestic_violence"], None)

    @pytest.mark.parametrize("reached", ["delivered", "acknowledged"])
    async def test_the_duty_to_accept_ends_when_the_correction_reaches_the_police(
        self, client, database, offices, reached
    ) -> None:
        first = await filed(client, offices.school)
        await run_jobs(database)
        second = await corrected(client, offices.school, first)
        await run_jobs(database)
        assert await duties(database, first) == {"open"}
        if reached == "delivered":
            await delivered(database, second)
        else:
            await step(client, offices.police, second, "acknowledgement", ACCEPT)
        await run_jobs(database)
        assert await duties(database, first) == {"cancelled"}


async def duties(database, report_id: str) -> set[str]:
    return {
        row["state"]
        for row in await rows(database, "duties")
        if str(row["subject_id"]) == report_id and row["rule"] == "REP-07"
    }


@pytest.mark.parametrize("who", ["school", "village", "township", "county"])
async def test_a_correction_against_ones_own_agency_sent_again_is_the_same(
    client, database, settings, who
) -> None:
    """The answer was lost, and so is sight of both reports: it is recognised all the same."""
    offices = await the_offices(database, settings)
    caller = getattr(offices, who)
    url = f"/v1/police-reports/{await filed(client, caller)}/supersession"
    body = a_report(id=str(uuid4()), suspect_agency_id=str(caller.agency_id))
    first, again = [await client.post(url, json=body, headers=caller.headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert first.json()["id"] == again.json()["id"] == body["id"]
    other = await client.post(url, json={**body, "id": str(uuid4())}, headers=caller.headers)
    assert other.status_code == 201, "its sender may correct it always, and learns nothing of it"
    read = await client.get(f"/v1/police-reports/{body['id']}", headers=offices.police.headers)
    assert read.status_code == 200
