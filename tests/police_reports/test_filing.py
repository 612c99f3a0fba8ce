from uuid import uuid4

import orjson
import pytest

from tests.children.conftest import OTHER_COUNTY_VILLAGE
from tests.children.factories import a_child, moved
from tests.jobs import run_jobs
from tests.police_reports.factories import (
    CANARY,
    VILLAGE,
    a_report,
    filed,
    rows,
    the_offices,
)

URL = "/v1/police-reports"


@pytest.fixture
async def offices(database, settings):
    return await the_offices(database, settings)


class TestFileReport:
    async def test_report_event_delivery_and_audit_are_stored_together(
        self, client, database, offices
    ) -> None:
        answer = await client.post(URL, json=a_report(), headers=offices.school.headers)
        assert answer.status_code == 201, answer.text
        filed = answer.json()
        assert (filed["state"], filed["routing"]) == ("filed", "routed")
        assert filed["acknowledge_due_at"] == "2026-11-20T02:30:00Z"
        assert answer.headers["location"] == f"{URL}/{filed['id']}"
        [report] = await rows(database, "police_reports")
        assert report["police_agency_id"] == offices.police.agency_id
        [delivery] = await rows(database, "webhook_deliveries")
        assert delivery["delivery_class"] == "M"
        assert str(delivery["ordering_key"]) == filed["id"]
        [event] = await rows(database, "events")
        assert delivery["event_id"] == event["id"]
        audited = await rows(database, "audit_entries")
        assert [(row["operation"], str(row["subject_id"])) for row in audited] == [
            ("fileReport", filed["id"])
        ]

    async def test_payload_to_the_police_is_thin(self, client, database, offices) -> None:
        report_id = await filed(client, offices.school)
        [delivery] = await rows(database, "webhook_deliveries")
        data = orjson.loads(delivery["body"])["data"]
        assert set(data) == {
            *("subject_id", "report_id", "fetch", "supersedes", "urgency", "acknowledge_due_at"),
            *("region_code", "home_county", "police_agency_id", "event_id", "sequence"),
            "dispatch_due_at",
        }
        assert data["fetch"] == f"{URL}/{report_id}"

    async def test_child_with_a_file_completes_the_report(self, client, database, offices) -> None:
        child = await a_child(database, VILLAGE, name="测三")
        body = a_report(child_id=str(child.id))
        del body["subject"], body["region_code"]
        answer = await client.post(URL, json=body, headers=offices.village.headers)
        assert answer.status_code == 201, answer.text
        read = await client.get(f"{URL}/{answer.json()['id']}", headers=offices.police.headers)
        assert read.status_code == 200, read.text
        assert read.json()["subject"] == {
            "name": "测三",
            "sex": "female",
            "birth_date": "2016-03-01",
            "approximate_age": None,
            "place": None,
        }
        audited = await rows(database, "audit_entries")
        assert [row["child_ids"] for row in audited] == [[child.id], [child.id]]
        body |= {"id": str(uuid4()), "region_code": "村东头"}
        answer = await client.post(URL, json=body, headers=offices.village.headers)
        assert answer.status_code == 201, answer.text
        read = await client.get(f"{URL}/{answer.json()['id']}", headers=offices.police.headers)
        assert read.json()["region_code"] == str(VILLAGE), "where the child lives"
        assert read.json()["doubts"] == ["place_unknown"]
        del body["situations"]
        answer = await client.post(URL, json=body, headers=offices.village.headers)
        assert [each["pointer"] for each in answer.json()["errors"]] == ["#/situations"]

    async def test_what_the_reporter_says_of_the_child_stays(
        self, client, database, offices
    ) -> None:
        child = await a_child(database, VILLAGE, name="测三")
        subject = {"name": "小名", "sex": "male", "birth_date": "2015-05-05"}
        report_id = await filed(client, offices.village, child_id=str(child.id), subject=subject)
        read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
        assert {name: read.json()["subject"][name] for name in subject} == subject

    async def test_every_situation_of_the_law_is_accepted(self, client, offices) -> None:
        codes = [
            *("living_alone", "missing", "guardian_failure", "domestic_violence"),
            *("accident_or_harm", "intimate_injury", "girl_under_14_assault"),
            *("girl_from_14_assault", "injury_or_malnutrition", "unnatural_injury_or_death"),
            *("abandoned", "unknown_origin_or_abducted", "organised_begging"),
            "other_serious_harm",
        ]
        report_id = await filed(client, offices.school, situations=codes)
        read = await client.get(f"{URL}/{report_id}", headers=offices.police.headers)
        assert (read.json()["situations"], read.json()["doubts"]) == (sorted(codes), [])

    async def test_stays_within_its_statements(self, client, database, offices, queries) -> None:
        child = await a_child(database, VILLAGE)
        queries.clear()
        await filed(client, offices.village, child_id=str(child.id))
        assert len(queries) <= 16, queries.statements


class TestOnce:
    async def test_same_id_and_content_is_the_same_report(self, client, database, offices) -> None:
        body = a_report(id=str(uuid4()))
        first = await client.post(URL, json=body, headers=offices.school.headers)
        second = await client.post(URL, json=body, headers=offices.school.headers)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        assert second.headers["location"] == f"{URL}/{body['id']}"
        assert len(await rows(database, "webhook_deliveries")) == 1

    async def again(self, client, caller, body, before: list[str]) -> str:
        """It is taken under an id of its own, told in `doubts`, and known when it comes again."""
        first, second = [
            await client.post(URL, json=body, headers=caller.headers) for _ in range(2)
        ]
        assert (first.status_code, second.status_code) == (201, 200), first.text
        assert first.json() == second.json()
        assert first.json()["id"] not in before
        assert "id_taken" in first.json()["doubts"]
        return str(first.json()["id"])

    @pytest.mark.parametrize("more", [{"narrative": "另一件事。"}, {"app_version": "2"}])
    async def test_other_content_under_an_id_is_kept_beside_it(
        self, client, database, offices, more
    ) -> None:
        body = a_report(id=str(uuid4()))
        first = await filed(client, offices.school, **body)
        second = await self.again(client, offices.school, body | more, [first])
        read = (await client.get(f"{URL}/{second}", headers=offices.police.headers)).json()
        assert read["as_sent"]["id"] == body["id"]
        assert read["narrative"] == (body | more)["narrative"]
        kept = {str(row["ordering_key"]) for row in await rows(database, "webhook_deliveries")}
        assert kept == {first, second}

    @pytest.mark.parametrize("who", ["village", "township"])
    async def test_what_another_agency_files_under_an_id_is_kept_beside_it(
        self, client, offices, who
    ) -> None:
        """Whether or not they see what has the id."""
        body = a_report(id=str(uuid4()))
        first = await filed(client, offices.school, **body)
        await self.again(client, getattr(offices, who), body, [first])

    async def test_the_id_of_zeros_is_no_reports_id(self, client, offices) -> None:
        nobodys = "00000000-0000-0000-0000-000000000000"
        ids = [nobodys]
        for narrative in ("一", "二"):
            for caller in (offices.school, offices.village):
                body = a_report(id=nobodys, narrative=narrative)
                ids.append(await self.again(client, caller, body, ids))
        assert len({*ids}) == 5

    async def test_a_correction_under_the_id_of_what_it_corrects_is_taken(
        self, client, offices
    ) -> None:
        first = newest = await filed(client, offices.school, id=str(uuid4()))
        seen = [first]
        for narrative in ("更正。", "再更正。"):
            body = a_report(id=first, narrative=narrative)
            url = f"{URL}/{newest}/supersession"
            answers = [
                await client.post(url, json=body, headers=offices.school.headers) for _ in range(2)
            ]
            assert [answer.status_code for answer in answers] == [201, 200], answers[0].text
            assert answers[0].json() == answers[1].json()
            assert "id_taken" in answers[0].json()["doubts"]
            newest = answers[0].json()["id"]
            seen.append(newest)
        assert len({*seen}) == 3

    async def test_who_reports_their_own_agency_again_is_recognised(
        self, client, database, offices
    ) -> None:
        own = str(offices.school.agency_id)
        body = a_report(id=str(uuid4()), suspect_agency_id=own)
        first, again = [
            await client.post(URL, json=body, headers=offices.school.headers) for _ in range(2)
        ]
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert len(await rows(database, "police_reports")) == 1

    async def test_who_lost_the_line_is_recognised_wherever_the_child_is_now(
        self, client, database, offices
    ) -> None:
        child = await a_child(database, VILLAGE)
        body = a_report(id=str(uuid4()), child_id=str(child.id), region_code=None)
        first = await client.post(URL, json=body, headers=offices.village.headers)
        await moved(database, child.id, region_code=OTHER_COUNTY_VILLAGE)
        again = await client.post(URL, json=body, headers=offices.village.headers)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()

    async def test_idempotency_key_gives_the_same_answer(self, client, database, offices) -> None:
        headers = {**offices.school.headers, "idempotency-key": "k-1"}
        first = await client.post(URL, json=a_report(), headers=headers)
        second = await client.post(URL, json=a_report(), headers=headers)
        assert second.status_code == 201
        assert second.headers["idempotency-replayed"] == "true"
        assert first.content == second.content
        assert first.headers["location"] == second.headers["location"]
        assert len(await rows(database, "police_reports")) == 1

    async def test_whoever_lost_the_line_hears_that_it_was_taken_in_wherever_the_child_is_now(
        self, client, database, offices
    ) -> None:
        headers = {**offices.village.headers, "idempotency-key": "k-1"}
        child = await a_child(database, VILLAGE)
        body = a_report(child_id=str(child.id))
        first = await client.post(URL, json=body, headers=headers)
        await moved(database, child.id, region_code=OTHER_COUNTY_VILLAGE)
        again = await client.post(URL, json=body, headers=headers)
        assert (again.status_code, again.content) == (201, first.content)


async def test_nothing_remains_of_a_filing_that_fails(
    client, database, offices, monkeypatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("app.audit.operations.record", fail)
    answer = await client.post(URL, json=a_report(), headers=offices.school.headers)
    assert answer.status_code == 500
    assert CANARY not in answer.text
    for table in ("police_reports", "police_reporters", "events", "webhook_deliveries", "jobs"):
        assert await rows(database, table) == [], table
    assert await run_jobs(database) == []
